"""Pure: what the documents of games say: what all games have in common, and their prizes."""

from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from loyalty.play.definition import Key, Source, Timed
from loyalty.program.definition import Names, Strict
from loyalty.program.rule_definition import Times


class GamePrizeDocument(Strict):
    """What can be won: `odds` is the chance of one play; `stock` how many there are.

    `doors` limits it to some doors of a calendar; `right` is how many right answers of a quiz it takes; `moves` is the
    most moves of a memory. A prize draw has no odds: they follow from the number of tickets.
    """

    key: Key
    name: Names = {}
    odds: Annotated[Decimal, Field(gt=0, le=1, max_digits=12, decimal_places=10)] | None = None
    stock: Annotated[int, Field(ge=0, le=100_000_000)] | None = None
    per_person: Annotated[int, Field(ge=1)] | None = None
    doors: list[Annotated[int, Field(ge=1, le=366)]] = []
    right: Annotated[int, Field(ge=1, le=50)] | None = None
    moves: Annotated[int, Field(ge=1, le=200)] | None = None
    prize: dict[str, Any]

    @property
    def chance(self) -> Decimal:
        """The odds of a play that has reached what the prize takes; certain where nothing is said."""
        return Decimal(1) if self.odds is None else self.odds


class Organizer(Strict):
    """Who runs the game and can be asked; the rules page names them."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    address: Annotated[str, Field(min_length=1, max_length=500)]
    contact: Annotated[str, Field(min_length=1, max_length=200)]


class GameDocument(Timed):
    """What all games have; `type` names the file in `games/`, whose parameters stand beside these.

    `age` is the least age; `age_check` whether the person declares it or the date of birth must be known.
    `free_entry` tells how to take part without buying anything; `note` adds to the rules.
    """

    kind: Literal["game"] = "game"
    type: str
    start: Annotated[date, Field(alias="from")]
    end: Annotated[date, Field(alias="to")]
    age: Annotated[int, Field(ge=0, le=99)] = 18
    age_check: Literal["declared", "birth_date"] = "declared"
    free_entry: Names = {}
    note: Names = {}
    organizer: Organizer
    prizes: Annotated[list[GamePrizeDocument], Field(max_length=50)] = []
    consolation: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _prizes(self) -> "GameDocument":
        keys = [prize.key for prize in self.prizes]
        if len(set(keys)) < len(keys):
            raise ValueError("prizes: two of them have the same key")
        doors = {door for prize in self.prizes for door in prize.doors} | {0}
        for door in sorted(doors):
            sums: dict[tuple[int | None, int | None], Decimal] = defaultdict(Decimal)
            for prize in self.prizes:
                if not prize.doors or door in prize.doors:
                    sums[prize.right, prize.moves] += prize.odds or 0
            place = f" behind door {door}" if door else ""
            for total in sums.values():
                if total > 1:
                    raise ValueError(f"prizes: their odds{place} add up to {total}, more than 1")
        return self


class Plays(Strict):
    """`free`: plays for nothing in each period; `earn`: events that give plays."""

    free: Times | None = None
    earn: Annotated[list[Source], Field(max_length=20)] = []


GAME_COMMON = frozenset({*GameDocument.model_fields, "from", "to"} - {"start", "end"})
