"""One play of a game: the person's right to play, the draw, the prize, all in one transaction."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a play. `prize` is the prize's name by language, `reference` a code where there is one at once.

    `repeated`: this call had come before; nothing was drawn again.
    """

    play_id: int
    outcome: str
    prize_key: str | None
    prize: dict[str, str] | None
    sentence: str
    reference: str | None
    plays_left: int
    repeated: bool = False


def play(
    key: str,
    *,
    customer_id: int,
    now: datetime,
    door: int | None = None,
    request_id: str | None = None,
    of_age: bool = False,
) -> Played:
    """Play once. `door` is needed by an advent calendar; `request_id` makes a repeated call harmless; `of_age` is the
    person's declaration. Raises Problems with all that stands against it, and then nothing was drawn."""
    raise NotImplementedError


def rules_of(key: str, *, language: str, now: datetime) -> dict[str, Any]:
    """The rules page of a game: title, sections [{heading, paragraphs}], commitment, secret (once it is over)."""
    raise NotImplementedError
