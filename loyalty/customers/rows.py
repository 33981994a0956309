"""Pure: reading rows about people, and folding the rows of one batch that are about the same person.

A row is `{"external_id", "email", ..., "attributes": {}, "identities": {}, "consents": []}`. Given fields change, null
clears (of identities: all of the kind), absent stays. Fields of columns may stand at the top or inside `attributes`.
Consents are the caller's business.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loyalty.customers.addresses import BUILT_IN, key
from loyalty.customers.values import PARSERS, Parser, Refused, guess_type, shown
from loyalty.kit.problems import Problem

IDENTITY_KINDS = ("card", "anonymous_id", "device", "telegram", "whatsapp", "partner", "receipt")
COLUMNS = ("external_id", *BUILT_IN)
# Nearly every person has another one: remembering what they were read as would find nothing.
UNREPEATED = ("email", "phone")
IDENTITIES_MAX = 20
ATTRIBUTE_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{0,99}")

NOBODY = Problem("", "does not say who it is about", "give external_id, email, phone or an identity")

Key = tuple[str, str]


@dataclass(slots=True)
class Person:
    """What one or more rows of a batch say about one person.

    `values` holds the given columns (None clears), `attributes` the given others (None removes), `identities` the keys
    to add, `dropped` the kinds of keys to take away first. `customer_id` is the person's, once found or assigned; `new`
    that there is no such customer yet. `row_digest` is the hash of the one row that says all this (see `seen`).
    """

    rows: list[int]
    values: dict[str, str | None] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    identities: list[Key] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    customer_id: int | None = None
    new: bool = False
    row_digest: bytes | None = None

    @property
    def external_id(self) -> str | None:
        """The id under which the caller knows the person."""
        return self.values.get("external_id")

    def known_by(self) -> Iterator[Key]:
        """What the person can be recognized by beside the external id, strongest first."""
        yield from self.identities
        if email := self.values.get("email"):
            yield "email", email.lower()
        if phone := self.values.get("phone"):
            yield "phone", phone

    def take(self, later: "Person") -> None:
        """Add what a later row says; its values win."""
        self.rows += later.rows
        self.row_digest = None
        self.values |= later.values
        self.attributes |= later.attributes
        if later.dropped:
            self.identities = [one for one in self.identities if one[0] not in later.dropped]
            self.dropped += [kind for kind in later.dropped if kind not in self.dropped]
        self.identities += [one for one in later.identities if one not in self.identities]


class Reader:
    """Reads rows against the known fields; collects what it learns about unknown ones.

    `fields` maps a key of `attributes` to (parser, learned type or None); `written` says that values are texts of CSV
    cells; `room` is how many further attributes may be learned. What a refused row brought is not learned.
    """

    def __init__(self, fields: Mapping[str, tuple[Parser, str | None]], *, written: bool, room: int) -> None:
        self._fields = dict(fields)
        self._written = written
        self._room = room
        self._columns: dict[str, Parser] = {name: parser for name, (_, parser) in BUILT_IN.items()}
        # What a text was read as: a chunk of people holds few countries, cities and first names (8 us a row become 5).
        self._texts: dict[str, dict[Any, Any]] = {name: {} for name in BUILT_IN if name not in UNREPEATED}
        self._attribute_texts: dict[str, dict[Any, Any]] = {}
        self._columns["external_id"] = key
        self.learned: dict[str, str] = {}
        self.widened: set[str] = set()

    def read(self, index: int, row: object) -> tuple[Person, list[Problem]]:
        """The row as a person, and everything that is wrong with it."""
        person = Person([index])
        problems: list[Problem] = []
        learned_before = len(self.learned)
        if not isinstance(row, Mapping):
            return person, [Problem("", f"{shown(row)} is not an object")]
        texts = self._texts
        values = person.values
        for name, value in row.items():
            known = texts.get(name)
            if known is not None and type(value) is str and value in known:
                values[name] = known[value]
                continue
            parser = self._columns.get(name)
            if parser is not None:
                try:
                    values[name] = stored = None if value is None or value == "" else parser(value)
                    if known is not None and type(value) is str:
                        known[value] = stored
                except Refused as refused:
                    problems.append(Problem(name, refused.problem, refused.remedy))
            elif name == "attributes":
                self._read_attributes(person, value, problems)
            elif name == "identities":
                _read_identities(person, value, problems)
            elif name != "consents":
                remedy = "put it into attributes" if isinstance(name, str) else ""
                problems.append(Problem(str(name), "unknown field", remedy))
        if not person.values.get("external_id"):
            if "external_id" in row and row["external_id"] is not None and not problems:
                problems.append(Problem("external_id", "is empty", "give the id or leave the field out"))
            elif not problems and next(person.known_by(), None) is None:
                problems.append(NOBODY)
            person.values.pop("external_id", None)
        if problems:
            self._forget(list(self.learned)[learned_before:])
        return person, problems

    def _forget(self, names: Sequence[str]) -> None:
        for name in names:
            del self.learned[name], self._fields[name]
            self._attribute_texts.pop(name, None)
            self._room += 1

    def _read_attributes(self, person: Person, given: object, problems: list[Problem]) -> None:
        if given is None:
            return
        if not isinstance(given, Mapping):
            problems.append(Problem("attributes", f"{shown(given)} is not an object"))
            return
        for name, value in given.items():
            try:
                if (parser := self._columns.get(name)) is not None:
                    if name in person.values or name == "external_id":
                        raise Refused("is given twice", "give it once, at the top or in attributes")
                    person.values[name] = None if value is None or value == "" else parser(value)
                elif type(value) is str:
                    known = self._attribute_texts.setdefault(name, {})
                    if value not in known:
                        known[value] = self._attribute(name, value)
                    person.attributes[name] = known[value]
                else:
                    person.attributes[name] = self._attribute(name, value)
            except Refused as refused:
                problems.append(Problem(f"attributes.{name}", refused.problem, refused.remedy))

    def _attribute(self, name: str, value: Any) -> Any:
        if value is None or value == "":
            return None
        known = self._fields.get(name)
        if known is None:
            known = self._learn(name, value)
        parser, learned = known
        if learned is None:
            return parser(value)
        try:
            return parser(value)
        except Refused:
            # Its type was only a guess from the first value: from now on it is text.
            guess_type(value, written=self._written)
            self.widened.add(name)
            self._fields[name] = (as_it_is, "text")
            self._attribute_texts.pop(name, None)
            return as_it_is(value)

    def _learn(self, name: str, value: Any) -> tuple[Parser, str | None]:
        if not ATTRIBUTE_KEY.fullmatch(name):
            raise Refused("is not a name for an attribute", "use letters, digits, '_', '.', '-', at most 100")
        if self._room <= 0:
            raise Refused("there are too many attributes", "define it, or put such values into events")
        type_ = guess_type(value, written=self._written)
        self._room -= 1
        self.learned[name] = type_
        self._fields[name] = (PARSERS[type_], type_)
        return self._fields[name]


def as_it_is(value: Any) -> Any:
    """A value of an attribute whose values are of several types."""
    return PARSERS[guess_type(value, written=False)](value) if not isinstance(value, str) else PARSERS["text"](value)


def _read_identities(person: Person, given: object, problems: list[Problem]) -> None:
    if given is None:
        return
    if not isinstance(given, Mapping):
        problems.append(Problem("identities", f"{shown(given)} is not an object", 'write {"card": "123"}'))
        return
    for kind, values in given.items():
        where = f"identities.{kind}"
        if kind not in IDENTITY_KINDS:
            problems.append(Problem(where, "unknown kind of identity", f"known: {', '.join(IDENTITY_KINDS)}"))
            continue
        if values is None:
            person.dropped.append(kind)
            continue
        for value in values if isinstance(values, list) else [values]:
            try:
                identity = (kind, key(value))
            except Refused as refused:
                problems.append(Problem(where, refused.problem, refused.remedy))
                continue
            if identity not in person.identities:
                person.identities.append(identity)
    if len(person.identities) > IDENTITIES_MAX:
        problems.append(Problem("identities", f"are {len(person.identities)}", f"at most {IDENTITIES_MAX} a call"))


def fold(people: Sequence[Person]) -> tuple[list[Person], list[tuple[Person, Problem]]]:
    """One person per external id; people without one join whom their keys name. (people, refused with the reason)."""
    folded: list[Person] = []
    by_external_id: dict[str, Person] = {}
    by_key: dict[Key, Person] = {}
    refused: list[tuple[Person, Problem]] = []
    for person in people:
        external_id = person.external_id
        same = by_external_id.get(external_id) if external_id is not None else None
        if same is None:
            same = _recognized(person, by_key)
        clash = _clash(person, same, by_key)
        if clash is not None:
            refused.append((person, clash))
            continue
        if same is None:
            same = person
            folded.append(person)
        else:
            same.take(person)
        if external_id is not None:
            by_external_id[external_id] = same
        for one in person.known_by():
            by_key.setdefault(one, same)
    return folded, refused


def _recognized(person: Person, by_key: Mapping[Key, Person]) -> Person | None:
    """Who in the batch has one of the person's keys and does not contradict its external id."""
    for one in person.known_by():
        other = by_key.get(one)
        if other is not None and (person.external_id is None or other.external_id is None):
            return other
    return None


def _clash(person: Person, same: Person | None, by_key: Mapping[Key, Person]) -> Problem | None:
    for kind, value in person.identities:
        owner = by_key.get((kind, value))
        if owner is not None and owner is not same:
            return taken(kind, value)
    return None


def taken(kind: str, value: str) -> Problem:
    """An identity that somebody else has."""
    return Problem(f"identities.{kind}", f"{shown(value)} belongs to another customer", "correct it, or merge the two")


def reader_of(fields: Mapping[str, Any], *, written: bool, room: int) -> Reader:
    """A reader for the fields of `catalog.attribute_fields()`."""
    own = {
        name: (as_it_is if item.learned and item.type == "text" else item.parser, item.type if item.learned else None)
        for name, item in fields.items()
        if item.column is None
    }
    return Reader(own, written=written, room=room)
