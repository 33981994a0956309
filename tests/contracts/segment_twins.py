"""The segment operators once more, in plain Python over one person, from the rule as it is written."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal, localcontext
from functools import lru_cache
from typing import Any

from loyalty.kit.buckets import place
from loyalty.kit.periods import Period
from tests.contracts import segment_contacts, segment_insights, segment_members, segment_sequences
from tests.contracts.segment_people import ATTRIBUTES, BERLIN, COLUMNS, KINDS, NOW, ZONE, Person

AGGREGATES = ("count", "sum", "avg", "min", "max", "first", "last", "days")

NUMBER_TEXT = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?")
DAY_TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TIME_TEXT = re.compile(
    DAY_TEXT.pattern + r"[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)


def as_text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return format(Decimal(repr(value)), "f")
    return None


def as_number(value: Any) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        exact = Decimal(repr(value))
        return exact if abs(exact) < Decimal(10) ** 60 else None
    if isinstance(value, dict):
        value = as_text(value.get("amount"))
    if isinstance(value, str) and NUMBER_TEXT.fullmatch(value):
        return Decimal(value)
    return None


def as_moment(value: Any) -> datetime | None:
    return read_moment(value) if isinstance(value, str | date) else None


@lru_cache(maxsize=10_000)
def read_moment(value: Any) -> datetime | None:
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=BERLIN).astimezone(UTC)
    if not (DAY_TEXT.fullmatch(value) or TIME_TEXT.fullmatch(value)):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else on_the_clock(found)


def on_the_clock(wall: datetime) -> datetime:
    """A naive time is on the clocks of the shop: of an hour that comes twice the first is meant, one that there is not
    moves to the first whole minute that there is.
    """
    while (found := wall.replace(tzinfo=BERLIN).astimezone(UTC)).astimezone(BERLIN).replace(tzinfo=None) != wall:
        wall = wall.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return found


@lru_cache
def opening(window: str) -> datetime:
    return Period.parse(window).subtract_from(NOW, ZONE)


def anniversary(value: Any) -> date | None:
    moment = as_moment(value)
    if moment is None:
        return None
    day, today = moment.astimezone(BERLIN).date(), NOW.astimezone(BERLIN).date()
    for year in (today.year, today.year + 1):
        try:
            found = day.replace(year=year)
        except ValueError:
            found = date(year, 2, 28)
        if found >= today:
            return found
    return None


def operand_kind(operand: Any, *, ordered: bool) -> str:
    if isinstance(operand, bool):
        return "boolean"
    if isinstance(operand, str):
        return ("number" if NUMBER_TEXT.fullmatch(operand.strip()) else "date") if ordered else "text"
    return "number"


def equal(value: Any, operand: Any, kind: str) -> bool:
    kind = operand_kind(operand, ordered=False) if kind == "any" else kind
    if kind == "boolean":
        return isinstance(value, bool) and value is operand
    if kind == "number":
        return as_number(value) is not None and as_number(value) == as_number(operand)
    if kind == "date":
        return as_moment(value) is not None and as_moment(value) == as_moment(operand)
    return as_text(value) is not None and as_text(value) == plain(operand)


def plain(operand: Any) -> str:
    if isinstance(operand, bool):
        return str(operand).lower()
    return operand if isinstance(operand, str) else format(Decimal(str(operand)), "f")


def has_element(value: Any, operand: Any) -> bool:
    if not isinstance(value, list):
        return False
    return any(isinstance(item, bool) == isinstance(operand, bool) and item == operand for item in value)


def contains(value: Any, operand: Any, kind: str) -> bool:
    element = kind in ("list", "any") and has_element(value, operand)
    text = as_text(value)
    return element or (kind != "list" and text is not None and plain(operand) in text)


def ordered(value: Any, name: str, operand: Any, kind: str) -> bool:
    kind = operand_kind(operand, ordered=True) if kind == "any" else kind
    read: Callable[[Any], Any] = as_number if kind == "number" else as_moment
    left, right = read(value), read(operand.strip() if isinstance(operand, str) else operand)
    if left is None:
        return False
    return {
        "gt": left > right,
        "gte": left >= right,
        "lt": left < right,
        "lte": left <= right,
        "before": left < right,
        "after": left > right,
    }[name]


def compare(value: Any, name: str, operand: Any, kind: str) -> bool:
    """One comparison; `value` is None where nothing is known."""
    match name:
        case "eq":
            return equal(value, operand, kind)
        case "ne":
            return not equal(value, operand, kind)
        case "in" | "not_in":
            one = has_element if kind == "list" else lambda v, o: equal(v, o, kind)
            return any(one(value, item) for item in operand) == (name == "in")
        case "gt" | "gte" | "lt" | "lte" | "before" | "after":
            return ordered(value, name, operand, kind)
        case "contains":
            return contains(value, operand, kind)
        case "starts_with":
            return (as_text(value) or "").startswith(operand)
        case "ends_with":
            return (as_text(value) or "").endswith(operand)
        case "matches":
            # Digits are 0-9 in PostgreSQL; its dot is also a line end.
            text, pattern = as_text(value), operand.replace("\\d", "[0-9]")
            return text is not None and re.search(pattern, text, re.DOTALL) is not None
        case "is_set":
            return (value is not None) == operand
        case "within":
            moment = as_moment(value)
            return moment is not None and opening(operand) < moment <= NOW
        case "anniversary_within":
            day = anniversary(value)
            ends = Period.parse(operand).add_to(NOW, ZONE).astimezone(BERLIN).date()
            return day is not None and day < ends
    raise AssertionError(name)


def all_compare(value: Any, said: dict[str, Any], kind: str) -> bool:
    return all(compare(value, name, operand, kind) for name, operand in said.items())


def attribute_twin(one: Person, rule: dict[str, Any]) -> bool:
    key = rule["attribute"]
    said = {name: operand for name, operand in rule.items() if name != "attribute"}
    if key in COLUMNS:
        return all_compare(one.columns[key], said, "text")
    if key == "birth_date":
        return all_compare(one.columns[key], said, "date")
    return all_compare(one.attributes.get(key), said, KINDS.get(ATTRIBUTES.get(key, ""), "any"))


def shorthand(said: Any) -> dict[str, Any]:
    return said if isinstance(said, dict) else {"in": said} if isinstance(said, list) else {"eq": said}


def event_twin(one: Person, rule: dict[str, Any]) -> bool:
    found = sorted(event[:2] + event[3:] for event in one.events if event_counts(event, rule)) if one.events else []
    aggregate = next((name for name in AGGREGATES if name in rule), "count")
    said = shorthand(rule.get(aggregate, {"gte": 1}))
    properties = [event[2] or {} for event in found]
    values = [as_number(each.get(rule.get("of"))) for each in properties]
    numbers = [value for value in values if value is not None]
    if aggregate in ("count", "days"):
        amount = len(found) if aggregate == "count" else len({event[0].astimezone(BERLIN).date() for event in found})
        if not found and not asks_for_none(said):
            return False
        return all_compare(amount, said, "number")
    with localcontext(Context(prec=400)):
        value: Any = None
        if aggregate in ("first", "last") and found:
            at = 0 if aggregate == "first" else -1
            if "of" not in rule:
                return all_compare(found[at][0].isoformat(), said, "date")
            value = properties[at].get(rule["of"])
        elif numbers:
            total = sum(numbers, Decimal(0))
            value = {"sum": total, "avg": total / len(numbers), "min": min(numbers), "max": max(numbers)}[aggregate]
            return all(compare_number(value, name, operand) for name, operand in said.items())
        return all_compare(value, said, "any" if "of" in rule and aggregate in ("first", "last") else "number")


def compare_number(value: Decimal, name: str, operand: Any) -> bool:
    operands = [Decimal(str(item)) for item in (operand if isinstance(operand, list) else [operand])]
    return {
        "eq": value == operands[0],
        "ne": value != operands[0],
        "gt": value > operands[0],
        "gte": value >= operands[0],
        "lt": value < operands[0],
        "lte": value <= operands[0],
        "in": value in operands,
        "not_in": value not in operands,
    }[name]


def asks_for_none(said: dict[str, Any]) -> bool:
    """Whether nobody's zero counts: only when zero is named, or the comparison is a negative one."""
    if set(said) <= {"ne", "not_in"}:
        return True
    named = [said.get(name) == 0 and name in said for name in ("eq", "gte", "lte")] + [0 < said.get("lt", 0) <= 1]
    return any(named) or 0 in said.get("in", [])


def event_counts(event: tuple[datetime, int, str, Any], rule: dict[str, Any]) -> bool:
    at, _, name, properties = event
    if name != rule["event"] or at > NOW:
        return False
    if "within" in rule and not at > opening(rule["within"]):
        return False
    if "from" in rule and not at >= as_moment(rule["from"]):
        return False
    if "to" in rule:
        ends = as_moment(rule["to"])
        if DAY_TEXT.fullmatch(rule["to"]):
            ends = as_moment(date.fromisoformat(rule["to"]) + timedelta(days=1))
        if not at < ends:
            return False
    return properties_hold(properties, rule.get("where", {}))


def properties_hold(properties: Any, where: dict[str, Any]) -> bool:
    return all(all_compare((properties or {}).get(key), shorthand(said), "any") for key, said in where.items())


TWINS: dict[str, Callable[[Person, dict[str, Any]], bool]] = {
    "attribute": attribute_twin,
    "event": event_twin,
    "segment": lambda one, rule: rule["segment"] in one.segments,
    "consent": lambda one, rule: (
        one.consents.get((rule["consent"], rule.get("purpose", "marketing"))) == rule.get("status", "granted")
    ),
    "bucket": lambda one, rule: rule.get("from", 0) <= place(rule["bucket"], one.id) < rule["to"],
    "insight": segment_insights.twin,
    "points": segment_members.points_twin,
    "tier": segment_members.tier_twin,
    "list": segment_contacts.list_twin,
    "reachable": segment_contacts.reachable_twin,
    "geo": lambda one, rule: segment_contacts.geo_twin(one, rule, as_number),
    "message": segment_contacts.message_twin,
    "sequence": lambda one, rule: segment_sequences.twin(one, rule, properties_hold),
}


def twin(one: Person, rule: dict[str, Any]) -> bool:
    for kind in ("all", "any", "none"):
        if kind in rule:
            verdicts = (twin(one, inner) for inner in rule[kind])
            return all(verdicts) if kind == "all" else any(verdicts) == (kind == "any")
    return TWINS[next(key for key in rule if key in TWINS)](one, rule)
