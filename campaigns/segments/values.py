"""Pure: how a value is read in SQL, and a comparison with it.

A `Value` offers its readings (text, number, moment, ...) as SQL that is NULL where the value is missing or cannot be
read that way; nothing here can raise on bad data. Readings of JSON go through the SQL functions of migration 0002.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from campaigns.segments.comparisons import DECIMAL_TEXT, NEEDS_CLOCK, Moment, number
from loyalty.kit.periods import Period
from loyalty.kit.sql import Sql, sql

# More alternatives than this are cheaper as one array test than as containment tests over an index.
MAX_CONTAINMENTS = 16


@dataclass(frozen=True, slots=True)
class Clock:
    """Business time of one evaluation: the instant, and the zone in which days are counted."""

    now: datetime | None
    zone: str

    def instant(self) -> datetime:
        """Now; raises ValueError where a condition without a clock was compiled."""
        if self.now is None:
            raise ValueError("this condition is judged without a clock: within and anniversary_within are not possible")
        return self.now

    def opening(self, window: Period) -> datetime:
        """Where the window `(opening, now]` begins."""
        return window.subtract_from(self.instant(), self.zone)


@dataclass(frozen=True, slots=True)
class Value:
    """One value in SQL; `kind` is one of `comparisons.FITTING`.

    Every reading is NULL where there is none. `container` and `key` are set where the value stands in a JSON object
    with an index for containment.
    """

    kind: str
    present: Sql
    text: Sql
    number: Sql
    moment: Sql
    day: Sql
    boolean: Sql
    item: Sql | None = None
    container: Sql | None = None
    key: str = ""


_NO_TEXT, _NO_NUMBER = Sql("NULL::text"), Sql("NULL::numeric")
_NO_MOMENT, _NO_DAY, _NO_BOOLEAN = Sql("NULL::timestamptz"), Sql("NULL::date"), Sql("NULL::boolean")


def json_value(container: Sql, key: str, zone: str, *, kind: str = "any", indexed: bool = False) -> Value:
    """The value under `key` of a JSON object; `indexed` when the object has a containment index worth using."""
    item = sql("({container} -> {key}::text)", container=container, key=key)
    return json_item(item, zone, kind=kind, container=container if indexed else None, key=key)


def json_item(item: Sql, zone: str, *, kind: str = "any", container: Sql | None = None, key: str = "") -> Value:
    """A JSON expression as a value."""
    moment = sql("segment_moment({item}, {zone})", item=item, zone=zone)
    return Value(
        kind=kind,
        present=sql("(jsonb_typeof({item}) <> 'null')", item=item),
        text=sql("segment_text({item})", item=item),
        number=sql("segment_number({item})", item=item),
        moment=moment,
        day=sql("({moment} AT TIME ZONE {zone})::date", moment=moment, zone=zone),
        boolean=sql("CASE WHEN jsonb_typeof({item}) = 'boolean' THEN ({item})::boolean END", item=item),
        item=item,
        container=container,
        key=key,
    )


def text_value(expression: Sql) -> Value:
    """A text column."""
    return Value("text", _present(expression), expression, _NO_NUMBER, _NO_MOMENT, _NO_DAY, _NO_BOOLEAN)


def number_value(expression: Sql) -> Value:
    """A numeric expression."""
    return Value("number", _present(expression), _NO_TEXT, expression, _NO_MOMENT, _NO_DAY, _NO_BOOLEAN)


def date_value(expression: Sql, zone: str) -> Value:
    """A date column: the instant is its midnight in `zone`, the first one where it comes twice."""
    moment = sql(
        "(({day} - interval '1 microsecond') AT TIME ZONE {zone} + interval '1 microsecond')", day=expression, zone=zone
    )
    return Value("date", _present(expression), _NO_TEXT, _NO_NUMBER, moment, expression, _NO_BOOLEAN)


def instant_value(expression: Sql, zone: str) -> Value:
    """A timestamptz expression: its day is that of `zone`."""
    day = sql("({instant} AT TIME ZONE {zone})::date", instant=expression, zone=zone)
    return Value("date", _present(expression), _NO_TEXT, _NO_NUMBER, expression, day, _NO_BOOLEAN)


def _present(expression: Sql) -> Sql:
    return sql("({expression} IS NOT NULL)", expression=expression)


def all_hold(value: Value, said: Iterable[tuple[str, Any]], clock: Clock) -> Sql:
    """Boolean SQL: every comparison holds. It may be NULL, which counts as no."""
    return sql("({all})", all=Sql(" AND ").join(holds(value, name, operand, clock) for name, operand in said))


def holds(value: Value, name: str, operand: Any, clock: Clock) -> Sql:
    """Boolean SQL of one comparison; a missing value makes it NULL or false, but `ne` and `not_in` true."""
    match name:
        case "eq":
            return _equals(value, operand, clock)
        case "ne":
            return sql("({equal} IS NOT TRUE)", equal=_equals(value, operand, clock))
        case "in":
            return _among(value, operand, clock)
        case "not_in":
            return sql("({among} IS NOT TRUE)", among=_among(value, operand, clock))
        case "gt" | "gte" | "lt" | "lte" | "before" | "after":
            return _ordered(value, name, operand, clock)
        case "is_set":
            return sql("({present} IS TRUE) = {wanted}::boolean", present=value.present, wanted=operand)
        case "contains":
            return _contains(value, operand)
        case "starts_with":
            return sql("starts_with({text}, {part}::text)", text=value.text, part=operand)
        case "ends_with":
            return sql("right({text}, length({part}::text)) = {part}::text", text=value.text, part=operand)
        case "matches":
            # A fixed collation, so that \w and (?i) mean the same whatever locale the database was made with.
            return sql('({text} COLLATE "pg_c_utf8") ~ {pattern}::text', text=value.text, pattern=operand)
        case "within":
            return sql(
                "({moment} > {opening}::timestamptz AND {moment} <= {now}::timestamptz)",
                moment=value.moment,
                opening=clock.opening(operand),
                now=clock.instant(),
            )
        case "anniversary_within":
            return _anniversary(value, operand, clock)
    raise ValueError(f"unknown comparison {name!r}")


def _reading(value: Value, operand: Any, clock: Clock) -> tuple[Sql, Sql]:
    """How the value is read to be compared with the operand, and the operand as SQL."""
    kind = value.kind
    if kind == "any":
        kind = {bool: "boolean", str: "text", Moment: "date"}.get(type(operand), "number")
    if kind == "boolean":
        return value.boolean, sql("{operand}::boolean", operand=operand)
    if kind == "number":
        return value.number, sql("{operand}::numeric", operand=number(operand))
    if kind == "date":
        moment = operand if isinstance(operand, Moment) else Moment.parse(operand)
        return value.moment, sql("{operand}::timestamptz", operand=moment.at(clock.zone))
    return value.text, sql("{operand}::text", operand=_plain(operand))


def _equals(value: Value, operand: Any, clock: Clock) -> Sql:
    if _is_containment(value, operand):
        return _containment(value, operand)
    reading, wanted = _reading(value, operand, clock)
    return sql("({reading} = {wanted})", reading=reading, wanted=wanted)


def _among(value: Value, operands: tuple[Any, ...], clock: Clock) -> Sql:
    if value.kind == "list":
        return _either(_contains(value, operand) for operand in operands)
    if len(operands) <= MAX_CONTAINMENTS and all(_is_containment(value, operand) for operand in operands):
        return _either(_containment(value, operand) for operand in operands)
    texts = [operand for operand in operands if isinstance(operand, str)]
    if value.kind in ("any", "text") and texts:
        others = [operand for operand in operands if not isinstance(operand, str)]
        listed = sql("({text} = ANY({texts}::text[]))", text=value.text, texts=texts)
        return _either([listed, *(_equals(value, operand, clock) for operand in others)])
    return _either(_equals(value, operand, clock) for operand in operands)


def _is_containment(value: Value, operand: Any) -> bool:
    """Whether equality may be asked as containment in the indexed object.

    Only where both say the same: text that looks like a number also equals a JSON number, which containment would miss.
    """
    if value.container is None or value.kind not in ("any", "text", "boolean"):
        return False
    return isinstance(operand, bool) or (isinstance(operand, str) and not DECIMAL_TEXT.fullmatch(operand))


def _containment(value: Value, operand: Any) -> Sql:
    wanted = json.dumps({value.key: operand}, ensure_ascii=False)
    return sql("({container} @> {wanted}::jsonb)", container=value.container, wanted=wanted)


def _ordered(value: Value, name: str, operand: Any, clock: Clock) -> Sql:
    sign = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "before": "<", "after": ">"}[name]
    reading, wanted = _reading(value, operand, clock)
    return sql("({reading} {sign} {wanted})", reading=reading, sign=Sql(sign), wanted=wanted)


def _contains(value: Value, operand: Any) -> Sql:
    part = sql("(strpos({text}, {part}::text) > 0)", text=value.text, part=_plain(operand))
    if value.item is None or value.kind == "text":
        return part
    element = sql(
        "(CASE WHEN jsonb_typeof({item}) = 'array' THEN {item} @> {wanted}::jsonb END)",
        item=value.item,
        wanted=json.dumps([_json(operand)], ensure_ascii=False),
    )
    return element if value.kind == "list" else _either([element, part])


def _anniversary(value: Value, window: Period, clock: Clock) -> Sql:
    """Whether the day's anniversary lies in `[today, today + window)`; February 29 is kept on February 28."""
    from_now = clock.instant()
    ends = window.add_to(from_now, clock.zone)
    return sql(
        "segment_anniversary({day}, ({now}::timestamptz AT TIME ZONE {zone})::date) <"
        " ({ends}::timestamptz AT TIME ZONE {zone})::date",
        day=value.day,
        now=from_now,
        zone=clock.zone,
        ends=ends,
    )


def _either(conditions: Iterable[Sql]) -> Sql:
    return sql("({either})", either=Sql(" OR ").join(conditions))


def _plain(operand: Any) -> str:
    """An operand as the text it is compared as: numbers without exponent."""
    if isinstance(operand, bool):
        return "true" if operand else "false"
    return format(operand, "f") if isinstance(operand, Decimal) else str(operand)


def _json(operand: Any) -> Any:
    if isinstance(operand, Decimal):
        return int(operand) if operand == operand.to_integral_value() else float(operand)
    return operand


def clocked(said: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """The comparisons whose answer changes as time passes."""
    return (name for name, _ in said if name in NEEDS_CLOCK)
