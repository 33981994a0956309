"""A game with everything that a play of it needs."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.kit.problems import Problem, Problems
from loyalty.play import draws
from loyalty.play.days import zone_of
from loyalty.play.game_definition import GameDocument
from loyalty.play.game_part import DOORS, Free, GamePart, read
from loyalty.play.models import Game


@dataclass(frozen=True, slots=True)
class Table:
    """A game, what its document says, and its part."""

    game: Game
    document: GameDocument
    part: GamePart
    parameters: Any
    zone: str

    def today(self, now: datetime) -> date:
        return now.astimezone(ZoneInfo(self.zone)).date()

    @property
    def free(self) -> Free | None:
        return self.part.free(self.parameters)

    @property
    def doors(self) -> bool:
        return self.part.style == DOORS

    @property
    def secret(self) -> bytes:
        return bytes(self.game.secret)


def open_table(key: str) -> Table:
    """The game with that key; raises Problems."""
    game = Game.objects.filter(key=key).first()
    if game is None:
        raise Problems([Problem("game", f"there is no game {key!r}")])
    return table_of(game)


def table_of(game: Game) -> Table:
    """The game with its document read."""
    document, part, parameters = read(game.definition)
    return Table(game, document, part, parameters, zone_of(game.program_id))


def commitment_of(game: Game) -> str:
    """The hash of the game's secret, which is published before anybody plays."""
    return draws.commitment(bytes(game.secret))
