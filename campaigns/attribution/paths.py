"""Pure: path files: journeys with how often they converted, scored by the methods of the reports.

Columns: `path` (`A > B > C`), `total_conversions`, and if there are any `total_conversion_value`, `total_null`.
"""

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import BaseModel

from campaigns.attribution.method import Journey, Method
from loyalty.kit.problems import Problem, Problems

COLUMNS = ("total_conversions", "total_conversion_value", "total_null")
# Enough to see what is wrong with a file without drowning in it.
MOST_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class PathRow:
    """One row: the channels in order, and what came of this journey in all."""

    channels: tuple[str, ...]
    conversions: float
    value: float
    null: float


@dataclass(frozen=True, slots=True)
class Score:
    """What a method gives each channel, by name; `removal_effect` only where a method has one."""

    conversions: float
    value: float
    removal_effect: float | None = None


def read(lines: Iterable[str]) -> list[PathRow]:
    """The rows of a path file; raises Problems with every broken row (at most 100)."""
    reader = csv.DictReader(lines, skipinitialspace=True)
    names = [(name or "").strip() for name in reader.fieldnames or ()]
    missing = [name for name in ("path", "total_conversions") if name not in names]
    if missing:
        raise Problems([Problem("line 1", f"there is no column {name!r}", f"found: {names}") for name in missing])
    reader.fieldnames = names
    rows: list[PathRow] = []
    problems: list[Problem] = []
    for record in reader:
        try:
            rows.append(_row(record))
        except ValueError as error:
            problems.append(Problem(f"line {reader.line_num}", str(error)))
            if len(problems) >= MOST_PROBLEMS:
                break
    if problems:
        raise Problems(problems)
    return rows


def _row(record: dict[str, str | None]) -> PathRow:
    channels = tuple(part.strip() for part in (record["path"] or "").split(">"))
    if not all(channels):
        raise ValueError(f"the path {record['path']!r} has a step without a name")
    if None in record:
        raise ValueError("there are more fields than columns")
    return PathRow(channels, *(_number(record, column) for column in COLUMNS))


def _number(record: dict[str, str | None], column: str) -> float:
    text = (record.get(column) or "").strip()
    try:
        number = float(text or 0)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{column} is {text!r}, not a number")
    if number < 0 and column != "total_conversion_value":
        raise ValueError(f"{column} is {text!r}, but cannot be negative")
    return number


def score(rows: Iterable[PathRow], method: Method, parameters: BaseModel) -> dict[str, Score]:
    """The credit of every channel in the file, by name; channels that get nothing are there with 0."""
    conversions: defaultdict[str, list[float]] = defaultdict(list)
    value: defaultdict[str, list[float]] = defaultdict(list)
    for row in rows:
        weights = method.weights(Journey(row.channels), parameters)
        total = math.fsum(weights)
        for channel, weight in zip(row.channels, weights, strict=True):
            conversions[channel].append(row.conversions * weight / total)
            value[channel].append(row.value * weight / total)
    return {name: Score(math.fsum(conversions[name]), math.fsum(value[name])) for name in sorted(conversions)}


def warnings(rows: list[PathRow]) -> Iterator[str]:
    """What a reader of the scores should know about the file."""
    converted = math.fsum(row.conversions for row in rows)
    if not rows:
        yield "the file has no rows"
    elif not converted:
        yield "nothing in the file converted"
    elif converted < 30:
        yield f"only {converted:g} conversions: chance decides more than the channels"
    if rows and any(row.value for row in rows if not row.conversions):
        yield "there are rows with a value but no conversion; their value is credited all the same"
