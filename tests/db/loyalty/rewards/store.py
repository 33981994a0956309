"""A small shop of rewards and its people, for tests."""

from typing import Any

from loyalty.kit.applying import apply_documents
from loyalty.kit.sql import fetch, sql
from loyalty.program import names
from loyalty.program.movements import Grant, grant
from loyalty.program.setup import Setup
from loyalty.rewards.models import Redemption, Reward
from loyalty.rewards.redeeming import redeem
from loyalty.rewards.shapes import Order, Redeemed
from tests.db.loyalty.program import club

NOW = club.NOW
ADDRESS = {"name": "Anna Amsel", "street": "Am Wehr 1", "postcode": "50667", "city": "Köln", "country": "DE"}
MUG: dict[str, Any] = {
    "kind": "reward",
    "key": "mug",
    "type": "physical",
    "name": {"en": "Mug", "de": "Becher"},
    "categories": ["home"],
    "points": 100,
    "stock": 10,
}


def opened(*documents: dict[str, Any], **program: Any) -> Setup:
    """The club with these rewards on the shelf."""
    return club.applied(*documents, **program)


def applied(*documents: dict[str, Any]) -> list[str]:
    """What applying these did, document by document."""
    return [change.verdict for change in apply_documents(list(documents), now=NOW)]


def member(who: str, points: int, setup: Setup) -> int:
    """A customer who is a member and has so many points; the customer."""
    from loyalty.program import operations

    customer_id = club.customer(who)
    operations.join(customer_ids=[customer_id], setup=setup, now=NOW)
    if points:
        grant([Grant(club.member_of(who), points)], setup=setup, wallet=None, kind=names.IMPORT, reason=None, now=NOW)
    return customer_id


def order(customer_id: int, reward: str, setup: Setup, *, now: Any = NOW, **rest: Any) -> Redeemed:
    """Redeem one, parcels to a good address."""
    row = Reward.objects.get(key=reward)
    if row.type in ("physical", "bundle"):
        rest.setdefault("address", ADDRESS)
    return redeem(Order(reward, **rest), customer_id=customer_id, setup=setup, now=now)


def taken(reward: str) -> int:
    return Reward.objects.get(key=reward).taken


def state(redemption_id: int) -> str:
    return Redemption.objects.get(id=redemption_id).state


def events_of(customer_id: int, name: str) -> list[Any]:
    """The properties of these events of a customer, oldest first."""
    from loyalty.kit.sql import fetch_values

    rows = fetch_values(
        sql(
            "SELECT e.properties FROM event e JOIN event_type t ON t.id = e.type_id WHERE e.customer_id = {id}"
            " AND t.name = {name} ORDER BY e.id",
            id=customer_id,
            name=name,
        )
    )
    return [row["properties"] for row in rows]


def points_of(customer_id: int) -> int:
    return fetch(
        sql(
            "SELECT b.active FROM member_balance b JOIN wallet w ON w.id = b.wallet_id JOIN member m"
            " ON m.id = b.member_id WHERE m.customer_id = {id} AND w.key = 'points'",
            id=customer_id,
        )
    )[0][0]


def violations() -> dict[str, Any]:
    """Invariants of the program and its rewards that do not hold."""
    from loyalty.kit.checks import invariants, verdict

    found = [verdict(one) for one in invariants() if one.key.startswith(("program.", "rewards."))]
    assert len(found) > 15
    return {one.key: one.failure or one.samples for one in found if not one.holds}
