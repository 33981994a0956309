"""Every earning rule against its plain-Python twin: random rules over random bookings, they agree on each lot."""

import random
from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal
from typing import Any

import pytest

from loyalty.events import partitions
from loyalty.kit.sql import fetch, sql
from loyalty.program import names, rules, wording
from loyalty.program.definition import ProgramDocument
from loyalty.program.earning_part import earning
from loyalty.program.purchases import earn, insert_bookings
from loyalty.program.receipts import key_of, plain
from loyalty.program.setup import prepared
from loyalty.program.terms import Terms
from tests.db.loyalty.program.club import NOW, applied, customer

SKUS, BRANDS, CATEGORIES, LABELS = ["a", "b"], ["acme", "öko"], ["food", "toys"], ["new", "sale"]
PARAMETERS: dict[str, Any] = {
    "per_purchase": lambda draw: {
        "points": draw.choice([1, 2.5]), "per": draw.choice([1, 3, 10]),
        "basis": draw.choice(["gross", "net", "margin"]),
        **lines(draw),
    },
    "per_product": lambda draw: {
        "points": draw.choice([1, 0.3, 50]), "only": {"sku": draw.sample(SKUS, 1)}, "without": some(draw),
    },
    "multiplier": lambda draw: {"factor": draw.choice([2, 1.5, 10]), **lines(draw)},
    "per_event": lambda draw: {
        "event": draw.choice(["review", "survey"]), "points": draw.choice([5, 7.5]), "where": draw.choice(WHERE),
    },
    "challenge": lambda draw: {"points": 30, **draw.choice([{}, {"challenge": "reader"}])},
    "stamp": lambda draw: {"points": 2.5, **draw.choice([{}, {"stamp_card": "coffee"}])},
    "birthday": lambda draw: {"points": 100},
    "referral": lambda draw: {"points": 500, "friend_points": draw.choice([0, 200])},
}  # fmt: skip
EVENTS = ["review", "survey", "challenge.completed", "stamp_card.completed"]
WHERE: list[dict[str, Any]] = [
    {},
    {"stars": {"gte": 4}},
    {"stars": {"lt": 4.5}, "kind": ["a", "b"]},
    {"kind": {"ne": "a"}},
    {"kind": {"not_in": ["a", True]}},
    {"verified": True, "stars": 5},
]
PROPERTIES = [
    None,
    {},
    {"side": "referrer"},
    {"side": "friend"},
    {"challenge": "reader", "stamp_card": "coffee"},
    {"challenge": "walker", "stamp_card": "tea"},
    {"stars": 5, "verified": True},
    {"stars": "4.5", "kind": "a"},
    {"stars": "many", "kind": "b"},
]


def some(draw: random.Random) -> dict[str, list[str]]:
    """Which lines; nothing for all."""
    kinds = {"sku": SKUS, "brand": BRANDS, "category": CATEGORIES, "label": LABELS}
    return {kind: draw.sample(values, 1) for kind, values in kinds.items() if draw.random() < 0.25}


def lines(draw: random.Random) -> dict[str, Any]:
    return {"only": some(draw), "without": some(draw)}


def receipt(draw: random.Random) -> list[dict[str, Any]]:
    """The lines of a purchase as they are kept."""
    money = ["0", "0.99", "10.01", "33.33", "250.50"]
    return [
        {
            "no": number, "sku": draw.choice([None, *SKUS]), "brand": draw.choice([None, *BRANDS]),
            "category": draw.choice([None, *CATEGORIES]), "labels": draw.choice([None, ["new"], ["new", "sale"]]),
            "quantity": draw.choice(["1", "2", "0.5"]), "gross": draw.choice(money),
            "net": draw.choice([None, *money]), "margin": draw.choice([None, "-3.50", *money]),
        }
        for number in range(1, draw.randint(2, 5))
    ]  # fmt: skip


def ready(key: str, kind: str, draw: random.Random, setup: Any, number: int, priority: int) -> rules.Rule:
    document = {"kind": "earning_rule", "key": key, "type": kind, "priority": priority, **PARAMETERS[kind](draw)}
    rule, part, parameters = rules.read(document)
    return prepared(number, setup.wallet_ids["points"], rule, part, parameters, setup)


def expected(rule: rules.Rule, booking: dict[str, Any], base: dict[int, Decimal]) -> dict[int, Decimal]:
    if booking["kind"] not in rule.part.kinds:
        return {}
    return {no: n for no, n in rule.part.points(rule.parameters, booking, base).items() if n > 0}


@pytest.mark.django_db
@pytest.mark.parametrize("kind", sorted(earning))
def test_sql_and_twin_agree(kind: str) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    setup = applied()
    partitions.ensure(NOW, NOW)
    members = []
    for number in range(40):
        query = "INSERT INTO member (program_id, customer_id, state, joined_at) VALUES ({p}, {c}, 'active', {now})"
        customer_id = customer(f"c{number}")
        members += fetch(sql(query + " RETURNING id", p=setup.id, c=customer_id, now=NOW))
        fetch(sql("INSERT INTO member_balance (member_id, wallet_id) VALUES ({m}, {w}) RETURNING 1",
                  m=members[-1][0], w=setup.wallet_ids["points"]))  # fmt: skip
    for turn in range(12):
        first = ready("first", "per_purchase", draw, setup, 1, 1)
        chosen = (first, ready("second", kind, draw, setup, 2, 2))
        booked, values = {}, []
        for number, (member_id,) in enumerate(members):
            what = chosen[1].part.kinds[0]
            occasion = draw.choice(["birthday", "referral"])
            event = occasion if what == names.OCCASION else draw.choice(EVENTS)
            told, kept = draw.choice(PROPERTIES), receipt(draw) if what == names.PURCHASE else None
            details = None if kept else {"event": event, "properties": told}
            key = key_of("test", f"{turn}:{number}")
            values.append((member_id, what, NOW, key, None, None, None, 1, None, None, None, None,
                           kept, details, None))  # fmt: skip
            booked[key] = {"kind": what, "event": event, "details": told, "lines": [plain(one) for one in kept or []]}
        made = insert_bookings(values, program_id=setup.id, now=NOW)
        earn(list(made.values()), values[0][1], setup=replace(setup, rules=chosen), now=NOW)
        rows = fetch(sql("SELECT booking_id, rule_id, amount FROM lot WHERE booking_id = ANY({i})", i=[*made.values()]))
        found = {(booking_id, rule_id): amount for booking_id, rule_id, amount in rows}
        wanted = {}
        for key, booking in booked.items():
            base = expected(chosen[0], booking, {})
            for rule in chosen:
                given = expected(rule, booking, base if rule is chosen[1] else {})
                total = int(round(sum(given.values(), Decimal(0)), 6).to_integral_value(ROUND_FLOOR))
                if total:
                    wanted[made[key], rule.id] = total
        assert found == wanted, [rule.document for rule in chosen]


@pytest.mark.parametrize("kind", sorted(earning))
def test_every_rule_is_a_sentence(kind: str) -> None:
    rule, part, parameters = rules.read(
        {"kind": "earning_rule", "key": "x", "type": kind, **PARAMETERS[kind](random.Random(1))}
    )
    terms = Terms(ProgramDocument(key="club"))
    sentence = wording.rule(rule, part.sentence(parameters, terms), terms)
    assert sentence.endswith(".")
    assert len(sentence.split()) > 3


def test_every_type_is_tried() -> None:
    assert set(PARAMETERS) == set(earning)
