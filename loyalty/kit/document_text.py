"""Pure: documents as text: YAML or JSON in, with the line of every place; YAML out.

YAML is read in the sense of its JSON schema, so that text means what it says: `NO` is a country, `09:30` a time,
`01067` a postcode and `2026-11-21` a date as people write it, all of them text; only `true false null ~` and plain JSON
numbers are not. Aliases, tags, double keys and deep nesting are refused.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from loyalty.kit.problems import Problem

SIZE_MAX_BYTES = 5_000_000
DEPTH_MAX = 60

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?")
_STRING_TAGS = (None, "!", "tag:yaml.org,2002:str")


@dataclass(frozen=True, slots=True)
class Mistake:
    """A problem and where to find it: the line of `file`, and the document's kind and key as far as they are known."""

    file: str
    line: int
    problem: Problem
    kind: str = ""
    key: str = ""

    def __str__(self) -> str:
        document = f"{self.kind} {self.key}".strip()
        return f"{self.file}:{self.line}: " + (f"{document}: " if document else "") + str(self.problem)


@dataclass(frozen=True, slots=True)
class Written:
    """One document as it stands in a file; `lines` gives the line of every place in it (`rule.all[0]`), '' is its
    start."""

    file: str
    value: Any
    lines: dict[str, int] = field(default_factory=dict)

    def line_of(self, where: str) -> int:
        """The line of a place, or of the nearest place around it that is there."""
        while where and where not in self.lines:
            where = where[: max(where.rfind("."), where.rfind("["), 0)]
        return self.lines.get(where, 1)

    def mistake(self, problem: Problem) -> Mistake:
        """The problem with its line and this document's name."""
        names = self.value if isinstance(self.value, dict) else {}
        kind, key = (str(names[name]) if isinstance(names.get(name), str) else "" for name in ("kind", "key"))
        return Mistake(self.file, self.line_of(problem.where), problem, kind, key)


def read(raw: bytes, file: str) -> tuple[list[Written], list[Mistake]]:
    """The documents of a file and what is wrong with its text; a top-level list holds one document per item."""
    if len(raw) > SIZE_MAX_BYTES:
        problem = Problem("", f"is larger than {SIZE_MAX_BYTES // 1_000_000} MB", "split it into several files")
        return [], [Mistake(file, 1, problem)]
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        return [], [Mistake(file, line, Problem("", "is not UTF-8 text", "save the file as UTF-8"))]
    reader = _Reader(file)
    values: list[Written] = []
    unreadable: list[Mistake] = []
    try:
        for written in reader.documents(text):
            values.append(written)
    except _Unreadable as error:
        unreadable = [Mistake(file, error.line, error.problem)]
    if file.endswith(".json"):
        return _as_json(text, file, values, reader.mistakes)
    return _single_documents(values), reader.mistakes + unreadable


class _Unreadable(Exception):
    def __init__(self, line: int, problem: str, remedy: str = "") -> None:
        self.line, self.problem = line, Problem("", problem, remedy)
        super().__init__(problem)


class _Reader:
    """Builds plain values from YAML's event stream, which knows lines and, unlike the loader, shows aliases and
    doubles."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.mistakes: list[Mistake] = []
        self._lines: dict[str, int] = {}

    def documents(self, text: str) -> Iterator[Written]:
        """Raises _Unreadable where the text is no YAML."""
        events: Iterator[Any] = iter(yaml.parse(text, Loader=_LOADER))
        try:
            for event in events:
                if isinstance(event, yaml.DocumentStartEvent):
                    self._lines = {}
                    value = self._value(next(events), events, "", 0)
                    yield Written(self.file, value, self._lines)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            raise _Unreadable(line, f"cannot be read: {error.problem or error.context}") from None
        except yaml.YAMLError as error:
            raise _Unreadable(1, f"cannot be read: {str(error).splitlines()[0]}") from None

    def _value(self, event: Any, events: Iterator[Any], where: str, depth: int) -> Any:
        line = event.start_mark.line + 1
        self._lines.setdefault(where, line)
        if depth > DEPTH_MAX:
            raise _Unreadable(line, f"is nested deeper than {DEPTH_MAX} levels")
        if isinstance(event, yaml.AliasEvent):
            raise _Unreadable(line, f"uses the alias *{event.anchor}", "write the value out; aliases are not read")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, line)
        if event.tag not in (None, "!"):
            raise _Unreadable(line, f"uses the tag {event.tag}", "remove it; only plain values are read")
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, where, depth)
        return self._mapping(events, where, depth)

    def _sequence(self, events: Iterator[Any], where: str, depth: int) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            values.append(self._value(event, events, f"{where}[{len(values)}]", depth + 1))
        return values

    def _mapping(self, events: Iterator[Any], where: str, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent):
                raise _Unreadable(line, "has a field name that is not text", "write `name: value`")
            key = event.value
            place = f"{where}.{key}" if where else key
            if key in values:
                first = self._lines[place]
                problem = Problem(place, f"stands here twice, first in line {first}", "keep one of them")
                self.mistakes.append(Mistake(self.file, line, problem))
            self._lines.setdefault(place, line)
            values[key] = self._value(next(events), events, place, depth + 1)
        return values

    def _scalar(self, event: Any, line: int) -> Any:
        if event.tag not in _STRING_TAGS:
            raise _Unreadable(line, f"uses the tag {event.tag}", "remove it; only plain values are read")
        return plain(event.value) if event.implicit[0] else event.value


def plain(text: str) -> Any:
    """What an unquoted scalar means."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        number = float(text)
        return number if abs(number) != float("inf") else text
    return text


def _single_documents(values: Iterable[Written]) -> list[Written]:
    """Lists taken apart, empty documents left out."""
    single = []
    for written in values:
        if isinstance(written.value, list):
            for number, value in enumerate(written.value):
                prefix = f"[{number}]"
                lines = {
                    place[len(prefix) :].lstrip("."): line
                    for place, line in written.lines.items()
                    if place == prefix or place.startswith((prefix + ".", prefix + "["))
                }
                single.append(Written(written.file, value, lines))
        elif written.value is not None:
            single.append(written)
    return single


def _as_json(
    text: str, file: str, as_yaml: list[Written], doubles: list[Mistake]
) -> tuple[list[Written], list[Mistake]]:
    """The same text read strictly as JSON; lines and double names come from YAML, of which JSON is nearly a subset."""

    def constant(name: str) -> Any:
        raise ValueError(f"holds {name}, which is no JSON number")

    try:
        value = json.loads(text, parse_constant=constant)
    except json.JSONDecodeError as error:
        return [], [Mistake(file, error.lineno, Problem("", f"cannot be read: {error.msg}"))]
    except (ValueError, RecursionError) as error:
        reason = "is nested too deeply" if isinstance(error, RecursionError) else str(error)
        return [], [Mistake(file, 1, Problem("", reason))]
    lines = as_yaml[0].lines if as_yaml else {"": 1}
    return _single_documents([Written(file, value, lines)]), doubles
