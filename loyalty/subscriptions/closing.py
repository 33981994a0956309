"""How contracts end: cancelled and run out, withdrawn, unpaid. What is paid for later than the end goes back.

All of it for any number of contracts at once; the contracts are held by the caller.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from loyalty.kit.sql import Sql, execute, fetch, sql
from loyalty.subscriptions import holding, names
from loyalty.subscriptions.models import Subscription
from loyalty.subscriptions.terms import end_of_cancelled


@dataclass(frozen=True, slots=True)
class Cancelling:
    """When it was declared, and the day that is wished as the last."""

    declared_at: datetime
    wished: date | None = None


def planned_end(one: Subscription, given: Cancelling) -> datetime:
    """When the contract ends if it is cancelled so."""
    return end_of_cancelled(
        declared_at=given.declared_at,
        notice=timedelta(seconds=one.terms["seconds"]["notice"]),
        trial_ends_at=one.trial_ends_at,
        first_term_ends_at=one.first_term_ends_at,
        term_ends_at=one.term_ends_at,
        wished=given.wished,
        zone=one.zone,
        has_term=bool(one.terms.get("term")),
    )


def cancel(cancelling: Mapping[int, Cancelling], *, now: datetime) -> dict[int, datetime]:
    """Cancel the contracts that can be; their ends. One that never began ends at once, with nothing due.

    One that is cancelled already is changed only where it ends sooner by this.
    """
    rows = Subscription.objects.filter(id__in=cancelling, state__in=names.RUNNING)
    ends: dict[int, datetime] = {}
    unborn: list[int] = []
    for one in rows:
        given = cancelling[one.pk]
        if one.state == names.ORDERED:
            unborn.append(one.pk)
            ends[one.pk] = given.declared_at
            continue
        end = planned_end(one, given)
        if one.state != names.CANCELLED or (one.ends_at and end < one.ends_at):
            ends[one.pk] = end
    execute(
        sql(
            "UPDATE subscription s SET state = 'cancelled', state_since = {now}, cancelled_at = c.at, ends_at = c.ends,"
            " offered_fee = NULL, offered_at = NULL"
            " FROM unnest({ids}::bigint[], {at}::timestamptz[], {ends}::timestamptz[]) AS c (id, at, ends)"
            " WHERE s.id = c.id",
            now=now,
            ids=list(ends),
            at=[cancelling[key].declared_at for key in ends],
            ends=list(ends.values()),
        )
    )
    holding.tell("subscription.cancelled", list(ends), now=now)
    if unborn:
        close(unborn, state=names.ENDED, reason="cancelled", now=now, kept=Sql("0"))
    return ends


# What stays of a fee: the part of its period before the end.
USED = Sql(
    "round(c.amount * (extract(epoch FROM least(greatest(s.ends_at, c.period_start), c.period_end) - c.period_start)"
    " / extract(epoch FROM c.period_end - c.period_start))::numeric, 2)"
)
_CLOSE = """WITH s AS (
    UPDATE subscription s SET state = {state}, state_since = {now}, ended_at = {now}, end_reason = {reason},
        ends_at = least(coalesce(s.ends_at, {now}), {now}), past_due_since = NULL, offered_fee = NULL, offered_at = NULL
    WHERE s.id = ANY({ids}::bigint[]) RETURNING s.id, s.ends_at, s.early_start, s.cancelled_at
), later AS MATERIALIZED (
    SELECT c.id, c.subscription_id, c.number, c.period_start, c.period_end, c.amount, c.currency, c.state,
        {kept} AS kept, s.ends_at
    FROM subscription_charge c JOIN s ON s.id = c.subscription_id
    WHERE c.kind = 'fee' AND c.state IN ('due', 'failed', 'paid')
), refunded AS (
    INSERT INTO subscription_charge (subscription_id, kind, number, period_start, period_end, amount, currency, due_at,
        state, reason)
    SELECT subscription_id, 'refund', number, period_start, period_end, amount - kept, currency, {now}, 'due', {reason}
    FROM later WHERE state = 'paid' AND amount > kept
    RETURNING subscription_id, amount
), cut AS (
    UPDATE subscription_charge c SET benefit_at = NULL,
        state = CASE WHEN l.state <> 'paid' AND l.kept <= 0 THEN 'void' ELSE c.state END,
        amount = CASE WHEN l.state <> 'paid' AND l.kept > 0 THEN l.kept ELSE c.amount END
    FROM later l WHERE c.id = l.id
)
SELECT subscription_id, sum(amount) FROM refunded GROUP BY 1"""


def close(ids: Sequence[int], *, state: str, reason: str, now: datetime, kept: Sql = USED) -> dict[int, object]:
    """End these contracts now; what goes back by contract. `kept` is what we keep of a fee `c` of the contract `s`."""
    if not ids:
        return {}
    back = fetch(sql(_CLOSE, ids=list(ids), state=state, reason=reason, now=now, kept=kept))
    fact = "subscription.withdrawn" if state == names.WITHDRAWN else "subscription.ended"
    holding.tell(fact, ids, now=now)
    return dict(back)


def withdraw(declared: Mapping[int, datetime], *, now: datetime) -> dict[int, object]:
    """Undo contracts as of when it was declared: all fees go back, but for what was used until then by those who asked
    to begin at once."""
    kept = sql("CASE WHEN s.early_start AND c.state = 'paid' THEN {used} ELSE 0 END", used=USED)
    ids = list(declared)
    execute(
        sql(
            "UPDATE subscription s SET ends_at = d.at FROM unnest({ids}::bigint[], {at}::timestamptz[]) AS d (id, at)"
            " WHERE s.id = d.id",
            ids=ids,
            at=list(declared.values()),
        )
    )
    return close(ids, state=names.WITHDRAWN, reason="withdrawn", now=now, kept=kept)


def run_out(*, now: datetime) -> int:
    """End the contracts whose last instant has come."""
    over = sql("state = 'cancelled' AND ends_at <= {now}", now=now)
    ids = [row[0] for row in fetch(_still(holding.hold(holding.due(over)), over))]
    close(ids, state=names.ENDED, reason="cancelled", now=now)
    return len(ids)


def give_up(*, now: datetime) -> int:
    """End the contracts that are unpaid for too long. For the time without benefits nothing is asked."""
    late = sql(
        "past_due_since + make_interval(secs => (terms -> 'seconds' ->> 'end_unpaid')::float8) <= {now}"
        " AND state IN ('ordered', 'past_due', 'cancelled')",
        now=now,
    )
    ids = [row[0] for row in fetch(_still(holding.hold(holding.due(late)), late))]
    execute(
        sql(
            "UPDATE subscription SET ends_at = least(coalesce(ends_at, {now}), past_due_since"
            " + make_interval(secs => (terms -> 'seconds' ->> 'grace')::float8)) WHERE id = ANY({ids}::bigint[])",
            now=now,
            ids=ids,
        )
    )
    # One that never began brought nothing, so nothing is asked for it.
    unborn = [row[0] for row in fetch(_still(ids, Sql("state = 'ordered'")))]
    close(unborn, state=names.ENDED, reason="unpaid", now=now, kept=Sql("0"))
    close([one for one in ids if one not in unborn], state=names.ENDED, reason="unpaid", now=now)
    return len(ids)


def _still(ids: Sequence[int], condition: Sql) -> Sql:
    query = "SELECT id FROM subscription WHERE id = ANY({ids}::bigint[]) AND {condition}"
    return sql(query, ids=list(ids), condition=condition)


def follow_members(*, now: datetime) -> int:
    """Cancel for those who left the program: nobody pays on for what cannot be used."""
    gone = Sql(
        "s.state IN ('ordered', 'trial', 'active', 'past_due') AND EXISTS (SELECT FROM member m"
        " WHERE m.customer_id = s.customer_id AND m.program_id = s.program_id AND m.state = 'left')"
    )
    ids = holding.hold(holding.due(gone))
    ends = cancel(dict.fromkeys(ids, Cancelling(now)), now=now)
    holding.write_to("declared", list(ends), now=now, details={"kind": names.CANCEL, "left": True})
    return len(ends)
