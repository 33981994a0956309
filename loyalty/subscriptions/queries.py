"""Reads plans and contracts."""

from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, fetch, fetch_values, sql
from loyalty.subscriptions import names
from loyalty.subscriptions.definition import PlanDocument
from loyalty.subscriptions.models import Charge, Plan, Subscription

PAGE = 100


def document_of(definition: dict[str, Any]) -> PlanDocument:
    """The document as it is stored, of a plan or of a contract's terms."""
    return PlanDocument.model_validate({name: value for name, value in definition.items() if name != "seconds"})


def plan(key: str, where: str = "plan") -> Plan:
    """The plan with that key; raises Problems."""
    found = Plan.objects.filter(key=key).first()
    if found is None:
        known = list(Plan.objects.values_list("key", flat=True))
        near = get_close_matches(key, known, n=1)
        remedy = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"
        raise Problems([Problem(where, f"there is no plan {key!r}", remedy)])
    return found


def on_sale(program_id: int | None = None) -> list[Plan]:
    """Plans that can be ordered, as they are to be shown."""
    found = Plan.objects.filter(state=Plan.State.ACTIVE)
    if program_id is not None:
        found = found.filter(program_id=program_id)
    return sorted(found, key=lambda one: (one.definition.get("position", 100), one.key))


def running(customer_id: int, program_id: int) -> Subscription | None:
    """The contract that runs."""
    return (
        Subscription.objects.select_related("plan")
        .filter(customer_id=customer_id, program_id=program_id, state__in=names.RUNNING)
        .order_by("-id")
        .first()
    )


def latest(customer_id: int, program_id: int) -> Subscription | None:
    """The contract that runs, else the last one there was."""
    found = Subscription.objects.select_related("plan").filter(customer_id=customer_id, program_id=program_id)
    return running(customer_id, program_id) or found.order_by("-id").first()


def had_trial(customer_id: int, program_id: int) -> bool:
    """Whether the customer was on trial before: there is one trial for everybody."""
    return Subscription.objects.filter(
        customer_id=customer_id, program_id=program_id, trial_ends_at__isnull=False
    ).exists()


def charges(subscription_id: int) -> list[Charge]:
    """What was, and is, due; newest first."""
    return list(Charge.objects.filter(subscription_id=subscription_id).order_by("-due_at", "-id")[:PAGE])


def contracts(
    *, customer_id: int | None = None, plan_key: str | None = None, state: str | None = None, after: int = 0,
    limit: int = PAGE,
) -> tuple[list[Subscription], int | None]:  # fmt: skip
    """Contracts by number of their row, and where the next page begins."""
    found = Subscription.objects.select_related("plan").filter(id__gt=after).order_by("id")
    if customer_id is not None:
        found = found.filter(customer_id=customer_id)
    if plan_key is not None:
        found = found.filter(plan__key=plan_key)
    if state is not None:
        found = found.filter(state=state)
    rows = list(found[: limit + 1])
    return rows[:limit], rows[limit - 1].pk if len(rows) > limit else None


_DUE = """SELECT c.id, s.number AS contract, p.key AS plan, cu.external_id AS customer, c.kind, c.state, c.amount,
    c.currency, c.due_at, c.period_start, c.period_end, c.attempts, c.failed_at, c.paid_at, c.reference, c.reason
    FROM subscription_charge c JOIN subscription s ON s.id = c.subscription_id JOIN plan p ON p.id = s.plan_id
    LEFT JOIN customer cu ON cu.id = s.customer_id
    WHERE c.state = ANY({states}::text[]) AND c.due_at <= {now} AND c.id > {after} ORDER BY c.id LIMIT {limit}"""


def charge_list(states: Sequence[str], *, now: datetime, after: int = 0, limit: int = PAGE) -> list[dict[str, Any]]:
    """Charges in these states whose time has come, by id."""
    return fetch_values(sql(_DUE, states=list(states), now=now, after=after, limit=limit))


def paid_until(subscription_id: int) -> datetime | None:
    """The end of the last period that is paid."""
    query = sql(
        "SELECT max(period_end) FROM subscription_charge WHERE subscription_id = {id} AND kind = 'fee'"
        " AND state = 'paid'",
        id=subscription_id,
    )
    return fetch(query)[0][0]


def suspended(now: datetime, alias: str = "s") -> Sql:
    """Whether benefits rest because a payment is missing for longer than the grace."""
    return sql(
        "({s}.past_due_since IS NOT NULL AND {s}.past_due_since"
        " + make_interval(secs => ({s}.terms -> 'seconds' ->> 'grace')::float8) <= {now})",
        s=Sql(alias),
        now=now,
    )
