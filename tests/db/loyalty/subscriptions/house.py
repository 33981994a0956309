"""A program with a paid membership, for tests."""

from datetime import datetime
from typing import Any

from django.db import transaction

from loyalty.kit.sql import execute, fetch, sql
from loyalty.program.setup import Setup
from loyalty.subscriptions import benefits, closing, operations, renewing
from loyalty.subscriptions.models import Charge, Subscription
from tests.db.loyalty.program import club

NOW = club.NOW
PLAN: dict[str, Any] = {
    "kind": "plan",
    "key": "plus",
    "name": {"en": "Coffee Plus", "de": "Kaffee Plus"},
    "text": {"en": "More of everything.", "de": "Von allem mehr."},
    "fee": {"amount": 9.9, "per": "month"},
    "benefits": {
        "tier": "gold",
        "points": 100,
        "vouchers": [{"pool": "free", "count": 2}],
        "texts": [{"en": "Free delivery", "de": "Versand frei"}],
    },
    "seller": "Coffee Club GmbH, Weg 1, Köln",
}
MORE: list[dict[str, Any]] = [
    {"kind": "tier", "key": "silver", "rank": 1, "threshold": 100, "name": {"en": "Silver", "de": "Silber"}},
    {"kind": "tier", "key": "gold", "rank": 2, "threshold": 1000, "name": {"en": "Gold", "de": "Gold"}},
    {"kind": "voucher_pool", "key": "free", "benefit": {"type": "amount", "amount": 5}},
]


def opened(**plan: Any) -> Setup:
    """The club with tiers, a pool and the plan."""
    return club.applied(club.BASE, *MORE, {**PLAN, **plan})


def person(external_id: str, email: str | None = None, locale: str = "de") -> int:
    """A customer with an address."""
    customer_id = club.customer(external_id)
    execute(
        sql(
            "UPDATE customer SET email = {email}, locale = {locale}, first_name = 'Anna' WHERE id = {id}",
            email=email or f"{external_id}@example.com",
            locale=locale,
            id=customer_id,
        )
    )
    return customer_id


def ordered(customer_id: int, *, now: datetime = NOW, **rest: Any) -> Subscription:
    """An order of the plan."""
    return operations.order(operations.Order(customer_id, "plus", "test", **rest), now=now)


def tick(now: datetime) -> None:
    """All chores of the calendar and of the benefits, until nothing is left to do."""
    for _ in range(20):
        done = 0
        for step in (
            closing.follow_members, closing.run_out, closing.give_up, renewing.renew, renewing.remind,
            renewing.notice_missing,
        ):  # fmt: skip
            with transaction.atomic():
                done += step(now=now)
        done += benefits.give(now=now) + benefits.keep_tiers(now=now)
        if not done:
            return
    raise AssertionError("the chores never come to rest")


def charges(one: Subscription) -> list[tuple[str, str, str]]:
    """(kind, state, amount) of what is due."""
    rows = Charge.objects.filter(subscription=one).order_by("id")
    return [(row.kind, row.state, str(row.amount)) for row in rows]


def tier_of(customer_id: int) -> str | None:
    """The key of the customer's tier."""
    query = sql(
        "SELECT t.key FROM member m LEFT JOIN tier t ON t.id = m.tier_id WHERE m.customer_id = {id}", id=customer_id
    )
    return fetch(query)[0][0]


def points_of(customer_id: int) -> int:
    """What the customer can spend."""
    query = sql(
        "SELECT coalesce(sum(b.active), 0) FROM member m JOIN member_balance b ON b.member_id = m.id"
        " WHERE m.customer_id = {id}",
        id=customer_id,
    )
    return int(fetch(query)[0][0])


def facts_of(customer_id: int) -> list[str]:
    """The facts about memberships in the person's timeline, in order."""
    query = sql(
        "SELECT t.name FROM event e JOIN event_type t ON t.id = e.type_id WHERE e.customer_id = {id}"
        " AND t.name LIKE 'subscription.%' ORDER BY e.occurred_at, e.id",
        id=customer_id,
    )
    return [row[0].removeprefix("subscription.") for row in fetch(query)]
