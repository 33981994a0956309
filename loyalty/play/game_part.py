"""Pure: what a game's file brings, and their registry.

A part says when somebody may play and which prizes a play is about; the draw, the stock, the age and the log are the
same for all games (`playing.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar, Protocol

from pydantic import ValidationError

from loyalty.kit.problems import Problem, Problems, from_pydantic, with_suggestion
from loyalty.kit.registry import Registry, UnknownPart
from loyalty.play.definition import Source
from loyalty.play.game_definition import GAME_COMMON, GameDocument, GamePrizeDocument
from loyalty.program.definition import Strict

# How a game is played: a play shows its prize at once; behind a door; by answering questions; by turning cards, in
# several steps; or with tickets that are drawn later.
AT_ONCE, DOORS, QUESTIONS, CARDS, TICKETS = "at_once", "doors", "questions", "cards", "tickets"


@dataclass(frozen=True, slots=True)
class Turn:
    """What a play was: which door, how many right answers or moves."""

    door: int | None = None
    score: int | None = None


@dataclass(frozen=True, slots=True)
class Free:
    """So many plays for nothing in each period (day, week, month, ever)."""

    most: int
    per: str


class GamePart(Protocol):
    """One file in `games/`; its key is the file name.

    `style` is how it is played. `door_problem` says why this door cannot be opened on that day (None: it can).
    `prizes` are those that this turn is about, in their order. `free` and `earn` say where plays come from; a game with
    doors needs none, each door is one.
    """

    parameters: ClassVar[type[Strict]]
    style: ClassVar[str]

    def problems(self, parameters: Any, document: GameDocument) -> list[Problem]: ...

    def free(self, parameters: Any) -> Free | None: ...

    def earn(self, parameters: Any) -> Sequence[Source]: ...

    def door_count(self, parameters: Any) -> int: ...

    def door_problem(self, parameters: Any, document: GameDocument, door: int, today: date) -> Problem | None: ...

    def prizes(self, parameters: Any, document: GameDocument, turn: Turn) -> list[GamePrizeDocument]: ...

    def sentences(self, parameters: Any, document: GameDocument) -> list[str]: ...


game_parts: Registry[GamePart] = Registry("game type", package="loyalty.play.games")


def read(document: dict[str, Any]) -> tuple[GameDocument, GamePart, Any]:
    """The three sides of a game's document; raises Problems, all at once."""
    problems: list[Problem] = []
    game = part = parameters = None
    own = {name: value for name, value in document.items() if name not in GAME_COMMON}
    try:
        game = GameDocument.model_validate({name: document[name] for name in document if name in GAME_COMMON})
    except ValidationError as error:
        problems += from_pydantic(error)
    kind = document.get("type")
    if isinstance(kind, str):
        try:
            part = game_parts.get(kind)
        except UnknownPart as error:
            problems.append(Problem("type", str(error.args[0])))
    if part is not None:
        try:
            parameters = part.parameters.model_validate(own)
        except ValidationError as error:
            known = tuple(sorted({*part.parameters.model_fields, *GAME_COMMON}))
            problems += [with_suggestion(problem, known) for problem in from_pydantic(error)]
        if game is not None and parameters is not None:
            problems += part.problems(parameters, game)
    if problems or game is None or part is None:
        raise Problems(problems)
    return game, part, parameters
