"""Insights of random customers, rules about them, and the operator once more in plain Python."""

import random
from decimal import Decimal
from typing import Any

from django.db import connection
from hypothesis import strategies as st

SEGMENTS = ["champions", "new", "lost"]
NUMBERS = ["rfm_recency", "rfm_frequency", "rfm_monetary", "rfm_purchases", "rfm_revenue"]
KEYS = ["rfm_segment", *NUMBERS]
AMOUNTS = [Decimal("-3.50"), Decimal(0), Decimal("49.99"), Decimal(50), Decimal(10) ** 29]


def drawn(draw: random.Random) -> dict[str, Any]:
    """By key; empty for somebody who bought nothing."""
    if draw.random() < 0.4:
        return {}
    scores = [Decimal(draw.randint(1, 5)) for _ in range(3)]
    return dict(
        zip(KEYS, [draw.choice(SEGMENTS), *scores, Decimal(draw.randint(1, 9)), draw.choice(AMOUNTS)], strict=True)
    )


def store(people: Any) -> None:
    """Write them straight into the table."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO customer_insight (feature, customer_id, label, numbers, changed_at)"
            " VALUES ('rfm', %s, %s, %s, now())",
            [(one.id, one.insights["rfm_segment"], list(one.insights.values())[1:]) for one in people if one.insights],
        )


COMPARE = {
    "gt": lambda value, operand: value > operand,
    "gte": lambda value, operand: value >= operand,
    "lt": lambda value, operand: value < operand,
    "lte": lambda value, operand: value <= operand,
    "eq": lambda value, operand: value == operand,
    "in": lambda value, operand: value in operand,
}


def number(operand: Any) -> Any:
    return [number(item) for item in operand] if isinstance(operand, list) else Decimal(str(operand))


def twin(one: Any, rule: dict[str, Any]) -> bool:
    value = one.insights.get(rule["insight"])
    for name, operand in rule.items():
        if name == "insight":
            continue
        if name == "is_set":
            good = (value is not None) == operand
        else:
            wanted = operand if rule["insight"] == "rfm_segment" else number(operand)
            plain = {"ne": "eq", "not_in": "in"}.get(name, name)
            good = (value is not None and COMPARE[plain](value, wanted)) != (name != plain)
        if not good:
            return False
    return True


labels = st.sampled_from(SEGMENTS + ["loyal"])
operands = st.one_of(st.integers(-1, 10), st.sampled_from(["-3.5", 49.99, 50, 10**29]))
leaves = st.one_of(
    st.fixed_dictionaries(
        {"insight": st.just("rfm_segment")},
        optional={"ne": labels, "not_in": st.lists(labels, min_size=1, max_size=3)},
    ).filter(lambda rule: len(rule) > 1),
    st.fixed_dictionaries({"insight": st.just("rfm_segment"), "in": st.lists(labels, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"insight": st.sampled_from(KEYS), "is_set": st.booleans()}),
    st.fixed_dictionaries(
        {"insight": st.sampled_from(NUMBERS)},
        optional=dict.fromkeys(("gt", "gte", "lt", "lte", "eq", "ne"), operands),
    ).filter(lambda rule: len(rule) > 1),
)
