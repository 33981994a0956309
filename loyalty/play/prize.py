"""The contract of a prize kind, and their registry: `{type: points, points: 50}`.

Whatever people win is written down first (`awards`), then handed over in sets, each set of one kind with the same
parameters. A kind gives; that a prize is given only once is up to the award's row and its key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Protocol
from uuid import UUID

from pydantic import ValidationError

from loyalty.kit.problems import Problem, Problems, from_pydantic, with_suggestion
from loyalty.kit.registry import Registry, UnknownPart
from loyalty.program.definition import Strict


@dataclass(frozen=True, slots=True)
class Winner:
    """Somebody who gets the prize. `key` is the same whenever it is tried again."""

    award_id: int
    customer_id: int
    key: UUID


class PrizeKind(Protocol):
    """One file in `prizes/`; its key is the file name.

    `give` hands the prize to these people (a fixed number of queries) and answers what it became by award; who is
    missing has not got it yet and is tried again. It may raise Problems, then nobody got it. `by_hand` kinds are handed
    over by people. `problems` is asked when a document is saved.
    """

    parameters: ClassVar[type[Strict]]
    by_hand: ClassVar[bool]

    def problems(self, parameters: Any, declared: dict[str, set[str]]) -> list[Problem]: ...

    def sentence(self, parameters: Any) -> str: ...

    def give(
        self, parameters: Any, winners: Sequence[Winner], *, program_id: int | None, now: datetime
    ) -> dict[int, str | None]: ...


prize_kinds: Registry[PrizeKind] = Registry("prize", package="loyalty.play.prizes")


def read(document: dict[str, Any]) -> tuple[PrizeKind, Any]:
    """The kind and the parameters of a prize as it stands in a document; raises Problems, all at once."""
    name = document.get("type")
    if not isinstance(name, str):
        raise Problems([Problem("type", "is missing", f"known: {', '.join(prize_kinds)}")])
    try:
        kind = prize_kinds.get(name)
    except UnknownPart as error:
        raise Problems([Problem("type", str(error.args[0]))]) from None
    own = {key: value for key, value in document.items() if key != "type"}
    try:
        return kind, kind.parameters.model_validate(own)
    except ValidationError as error:
        known = tuple(sorted(kind.parameters.model_fields))
        raise Problems([with_suggestion(one, known) for one in from_pydantic(error)]) from None


def check(document: dict[str, Any], where: str, declared: dict[str, set[str]]) -> list[Problem]:
    """Every mistake in a prize, seen from the document around it."""
    try:
        kind, parameters = read(document)
    except Problems as error:
        return [one.within(where) for one in error.problems]
    return [one.within(where) for one in kind.problems(parameters, declared)]


def sentence(document: dict[str, Any]) -> str:
    """The prize in words, in the active language; its type where it cannot be read any more."""
    try:
        kind, parameters = read(document)
    except Problems:
        return str(document.get("type", ""))
    return kind.sentence(parameters)
