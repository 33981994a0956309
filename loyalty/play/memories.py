"""Pure: a round of memory: cards in pairs, two turned in a move."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import Field, model_validator

from loyalty.kit.problems import Problem, Problems
from loyalty.play.game_definition import Plays
from loyalty.program.definition import Names, Strict


class Picture(Strict):
    """What is on a pair of cards: a short sign, and its name by language."""

    sign: Annotated[str, Field(min_length=1, max_length=4)]
    name: Names


class MemoryParameters(Plays):
    """`pairs` of cards, `moves` at most; `pictures` of your own in place of the usual signs."""

    pairs: Annotated[int, Field(ge=2, le=12)] = 6
    moves: Annotated[int, Field(ge=2, le=200)] | None = None
    pictures: Annotated[list[Picture], Field(max_length=12)] = []

    @model_validator(mode="after")
    def _enough(self) -> "MemoryParameters":
        if self.pictures and len(self.pictures) < self.pairs:
            raise ValueError(f"pictures: there are {len(self.pictures)} for {self.pairs} pairs")
        if self.moves is not None and self.moves < self.pairs:
            raise ValueError(f"moves: {self.pairs} pairs take at least {self.pairs} moves")
        return self

    @property
    def most(self) -> int:
        """Moves of a round: four for each pair where nothing is said."""
        return self.moves or self.pairs * 4


@dataclass(frozen=True, slots=True)
class Round:
    """How a round stands: cards of `found` pairs, the `first` card of the move, the `last` two that were no pair."""

    moves: int = 0
    found: tuple[int, ...] = ()
    first: int | None = None
    last: tuple[int, ...] = ()

    @classmethod
    def of(cls, progress: dict[str, Any]) -> "Round":
        return cls(
            progress.get("moves", 0), tuple(progress.get("found", ())), progress.get("first"),
            tuple(progress.get("last", ())),
        )  # fmt: skip

    def progress(self) -> dict[str, Any]:
        return {"moves": self.moves, "found": [*self.found], "first": self.first, "last": [*self.last]}

    def seen(self) -> set[int]:
        """The cards that lie open."""
        return {*self.found, *self.last, *(() if self.first is None else (self.first,))}


def layout(pairs: int, order: Sequence[int]) -> list[int]:
    """The picture of each card; `order` is a drawn order of all cards."""
    cards = [0] * (pairs * 2)
    for place, card in enumerate(order):
        cards[card] = place // 2
    return cards


def turned(now: Round, cards: Sequence[int], card: int) -> Round:
    """The round after a card was turned; raises Problems."""
    if not 0 <= card < len(cards):
        raise Problems([Problem("card", f"there is no card {card + 1}", f"cards are 1 to {len(cards)}")])
    if card in now.found or card == now.first:
        raise Problems([Problem("card", f"card {card + 1} lies open already", "turn another one")])
    if now.first is None:
        return replace(now, first=card, last=())
    after = replace(now, moves=now.moves + 1, first=None)
    if cards[card] == cards[now.first]:
        return replace(after, found=(*now.found, now.first, card), last=())
    return replace(after, last=(now.first, card))


def over(now: Round, parameters: MemoryParameters) -> bool:
    """Whether all pairs are found, or the moves are used up."""
    return len(now.found) == parameters.pairs * 2 or now.moves >= parameters.most


def score(now: Round, parameters: MemoryParameters) -> int | None:
    """The moves it took; None for who did not find all pairs."""
    return now.moves if len(now.found) == parameters.pairs * 2 else None
