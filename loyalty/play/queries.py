"""Reads what people see of challenges, stamp cards, badges and games, and what they won."""

from datetime import datetime
from typing import Any


def challenges(customer_id: int, *, now: datetime, program_id: int | None = None) -> list[dict[str, Any]]:
    """The challenges this person sees, with how far they are; hidden ones only when they are under way or done.

    Each: key, name, description (localized texts by language), image, state (open, done, lapsed, available), joinable,
    progress, target, unit, streak, best, share (0..1), started_at, ends_at, closed_at, done (times), prizes (sentences).
    """
    raise NotImplementedError


def stamp_cards(customer_id: int, *, now: datetime, program_id: int | None = None) -> list[dict[str, Any]]:
    """The stamp cards with this person's open sheet.

    Each: key, name, description, image, stamps, size, expires_at, complete (sheets), prizes (sentences).
    """
    raise NotImplementedError


def badges(customer_id: int) -> list[dict[str, Any]]:
    """The badges this person has: key, name, description, image, times, since."""
    raise NotImplementedError


def games(customer_id: int, *, now: datetime, program_id: int | None = None) -> list[dict[str, Any]]:
    """The games this person may play now or soon.

    Each: key, type, name, description, image, starts_at, ends_at, plays_left, free_left, next_free_at, age (or None),
    needs_age (whether the person has to declare the age first), doors (advent calendar: [{door, state: open, ready,
    closed or missed, won}]), rules (path of the public page), prizes [{key, name, odds, left}].
    """
    raise NotImplementedError


def prizes_won(customer_id: int, *, limit: int = 50) -> list[dict[str, Any]]:
    """What this person won, newest first: id, origin, of (name), prize (sentence), state, reference, won_at."""
    raise NotImplementedError
