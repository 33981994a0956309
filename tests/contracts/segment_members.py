"""Memberships of random customers: points, lots, tiers; rules about these, and their operators in plain Python."""

import random
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from hypothesis import strategies as st

from loyalty.kit.periods import Period

NOW = datetime.fromisoformat("2026-11-21T12:00:00+00:00")
ZONE = "Europe/Berlin"
TICK = timedelta(microseconds=1)
TIERS = {"bronze": 1, "silver": 2, "gold": 3}
WINDOWS = ["24h", "30d", "1 month", "3 calendar days"]
SUMS = ("balance", "pending", "locked", "owed", "earned", "expiring")


def drawn(draw: random.Random) -> dict[str, Any]:
    """By wallet: the lots and the debt; the tier. Empty for somebody who is no member."""
    if draw.random() < 0.3:
        return {}
    ends = [Period.parse(window).add_to(NOW, ZONE) for window in WINDOWS] + [NOW]
    return {
        "tier": draw.choice([None, *TIERS]),
        **{
            wallet: {
                "owed": draw.choice([0, 0, 0, 40]),
                "lots": [
                    {
                        "pending": draw.choice([0, 0, 10]),
                        "active": draw.choice([0, 10, 50, 100]),
                        "locked": draw.choice([0, 0, 5]),
                        "reversed": draw.choice([0, 0, 7]),
                        "by_rule": draw.random() < 0.8,
                        "expires": draw.choice([None, draw.choice(ends) + draw.choice([timedelta(), TICK, -TICK])]),
                    }
                    for _ in range(draw.choice([0, 1, 1, 3]))
                ],
            }
            for wallet in ("points", "stamps")
        },
    }


def store(people: Any) -> None:
    """Write them straight into the tables."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO program (key, name, definition, created_at, updated_at)"
                       " VALUES ('club', '{}', '{}', now(), now()) RETURNING id")  # fmt: skip
        program = cursor.fetchone()[0]
        wallets = {}
        for position, key in enumerate(("points", "stamps")):
            cursor.execute(
                "INSERT INTO wallet (program_id, key, position) VALUES (%s, %s, %s) RETURNING id",
                [program, key, position],
            )
            wallets[key] = cursor.fetchone()[0]
        tiers = {}
        for key, rank in TIERS.items():
            cursor.execute(
                "INSERT INTO tier (program_id, key, rank, threshold, name, definition, created_at, updated_at)"
                " VALUES (%s, %s, %s, 0, '{}', '{}', now(), now()) RETURNING id",
                [program, key, rank],
            )
            tiers[key] = cursor.fetchone()[0]
        for one in people:
            if one.membership:
                _store_one(cursor, one, program, wallets, tiers)


def _store_one(cursor: Any, one: Any, program: int, wallets: dict[str, int], tiers: dict[str, int]) -> None:
    tier = one.membership["tier"]
    cursor.execute(
        "INSERT INTO member (program_id, customer_id, state, joined_at, tier_id)"
        " VALUES (%s, %s, 'active', now(), %s) RETURNING id",
        [program, one.id, tiers.get(tier)],
    )
    member = cursor.fetchone()[0]
    for key, wallet in wallets.items():
        held = one.membership[key]
        sums = [sum(lot[name] for lot in held["lots"]) for name in ("pending", "active", "locked")]
        cursor.execute(
            "INSERT INTO member_balance (member_id, wallet_id, pending, active, locked, owed)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [member, wallet, *sums, held["owed"]],
        )
        for lot in held["lots"]:
            parts = [lot[name] for name in ("pending", "active", "locked", "reversed")]
            if sum(parts):
                cursor.execute(
                    "INSERT INTO lot (member_id, wallet_id, booking_id, rule_id, amount, pending, active, locked,"
                    " reversed, earned_at, expires_at, open) VALUES (%s, %s, 0, %s, %s, %s, %s, %s, %s, now(), %s, %s)",
                    [member, wallet, 1 if lot["by_rule"] else None, sum(parts), *parts, lot["expires"],
                     sum(parts[:3]) > 0],
                )  # fmt: skip


COMPARE = {
    "gt": lambda value, operand: value > operand,
    "gte": lambda value, operand: value >= operand,
    "lt": lambda value, operand: value < operand,
    "lte": lambda value, operand: value <= operand,
    "eq": lambda value, operand: value == operand,
    "in": lambda value, operand: value in operand,
}


def holds(value: Any, said: dict[str, Any]) -> bool:
    """Whether all comparisons hold; `value` is None where there is none."""
    for name, operand in said.items():
        if name == "is_set":
            good = (value is not None) == operand
        else:
            plain = {"ne": "eq", "not_in": "in"}.get(name, name)
            good = (value is not None and COMPARE[plain](value, operand)) != (name != plain)
        if not good:
            return False
    return True


def shorthand(said: Any) -> dict[str, Any]:
    return said if isinstance(said, dict) else {"in": said} if isinstance(said, list) else {"eq": said}


def points_twin(one: Any, rule: dict[str, Any]) -> bool:
    what = rule["points"] if isinstance(rule["points"], str) else "balance"
    said = {name: operand for name, operand in rule.items() if name not in ("points", "wallet", "within", "program")}
    if not isinstance(rule["points"], str):
        said |= shorthand(rule["points"])
    if what == "expiring" and not said:
        said = {"gte": 1}
    return holds(amount(one, what, rule.get("wallet", "points"), rule.get("within")), said)


def amount(one: Any, what: str, wallet: str, within: str | None) -> int | None:
    if not one.membership:
        return None
    held = one.membership[wallet]
    if what == "owed":
        return held["owed"]
    if what == "balance":
        return sum(lot["active"] for lot in held["lots"]) - held["owed"]
    if what == "earned":
        names = ("pending", "active", "locked")
        return sum(sum(lot[name] for name in names) for lot in held["lots"] if lot["by_rule"])
    if what == "expiring":
        until = Period.parse(within).add_to(NOW, ZONE)
        return sum(lot["active"] for lot in held["lots"] if lot["expires"] and NOW < lot["expires"] <= until)
    return sum(lot[what] for lot in held["lots"])


def tier_twin(one: Any, rule: dict[str, Any]) -> bool:
    has = one.membership.get("tier")
    return all(_tier(has, name, operand) for name, operand in shorthand(rule["tier"]).items())


def _tier(has: str | None, name: str, operand: Any) -> bool:
    if name in ("gt", "gte", "lt", "lte"):
        return has is not None and COMPARE[name](TIERS[has], TIERS[operand])
    return holds(has, {name: operand})


numbers = st.one_of(st.integers(-50, 120), st.sampled_from([0, 49.5, 10**29, -(10**20)]))
comparisons = st.dictionaries(st.sampled_from(["gt", "gte", "lt", "lte", "eq", "ne"]), numbers, min_size=1, max_size=2)
several = st.lists(numbers, min_size=1, max_size=3)
some = st.one_of(
    comparisons,
    st.fixed_dictionaries({"in": several}),
    st.fixed_dictionaries({"not_in": several}),
    st.fixed_dictionaries({"is_set": st.booleans()}),
)
wallets = st.sampled_from([{}, {"wallet": "stamps"}, {"wallet": "points", "program": "club"}])
tier_keys = st.sampled_from(sorted(TIERS))
tier_lists = st.lists(tier_keys, min_size=1, max_size=2)
leaves = st.one_of(
    st.tuples(some, wallets).map(lambda given: {"points": given[0], **given[1]}),
    st.tuples(st.sampled_from(SUMS[:-1]), some, wallets).map(
        lambda given: {"points": given[0], **given[1], **given[2]}
    ),
    st.tuples(st.sampled_from(WINDOWS), st.one_of(st.just({}), some), wallets).map(
        lambda given: {"points": "expiring", "within": given[0], **given[1], **given[2]}
    ),
    tier_keys.map(lambda key: {"tier": key}),
    tier_lists.map(lambda keys: {"tier": keys}),
    tier_lists.map(lambda keys: {"tier": {"not_in": keys}}),
    st.tuples(st.sampled_from(["gt", "gte", "lt", "lte", "eq", "ne"]), tier_keys).map(
        lambda given: {"tier": {given[0]: given[1]}}
    ),
    st.booleans().map(lambda wanted: {"tier": {"is_set": wanted}}),
)
