"""The kinds `badge`, `stamp_card`, `challenge`, `game` and `leaderboard`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from loyalty.kit.documents import Change, kinds
from loyalty.kit.problems import Problem, Problems, from_pydantic, with_suggestion
from loyalty.play import operations
from loyalty.play.contests import Leaderboard
from loyalty.play.definition import BadgeDocument, ChallengeDocument, LeaderboardDocument, StampCardDocument
from loyalty.play.models import Badge, Challenge, Definition, Game, StampCard
from loyalty.program.models import Program

D = TypeVar("D", bound=BaseModel)
Declared = dict[str, set[str]]


def _read(shape: type[D], document: dict[str, Any]) -> D:
    try:
        return shape.model_validate(document)
    except ValidationError as error:
        known = tuple(sorted(info.alias or name for name, info in shape.model_fields.items()))
        raise Problems([with_suggestion(problem, known) for problem in from_pydantic(error)]) from None


def _wait_for_program(document: dict[str, Any], declared: Declared) -> None:
    """Say so when the program comes with the same call and is not there because of its own mistakes."""
    named, coming = document.get("program"), declared.get("program", set())
    missing = not Program.objects.exists() if named is None else not Program.objects.filter(key=named).exists()
    if missing and coming and (named is None or named in coming):
        raise Problems([Problem("program", "has mistakes of its own", "correct the program first")])


def _export(model: type[Definition]) -> Iterable[dict[str, Any]]:
    for row in model._default_manager.order_by("key"):
        yield {"kind": row._meta.db_table, "key": row.key, **row.definition}


class BadgeKind:
    """Something to be proud of."""

    rank = 15

    def apply(self, document: dict[str, Any], *, now: datetime, declared: Declared) -> Change:
        given = _read(BadgeDocument, document)
        _wait_for_program(document, declared)
        return operations.save_badge(given, now=now, declared=declared)

    def export(self) -> Iterable[dict[str, Any]]:
        return _export(Badge)


class StampCardKind:
    """So many stamps for a prize."""

    rank = 46

    def apply(self, document: dict[str, Any], *, now: datetime, declared: Declared) -> Change:
        given = _read(StampCardDocument, document)
        _wait_for_program(document, declared)
        return operations.save_stamp_card(given, now=now, declared=declared)

    def export(self) -> Iterable[dict[str, Any]]:
        return _export(StampCard)


class ChallengeKind:
    """Something to reach within a time."""

    rank = 46

    def apply(self, document: dict[str, Any], *, now: datetime, declared: Declared) -> Change:
        given = _read(ChallengeDocument, document)
        _wait_for_program(document, declared)
        return operations.save_challenge(given, now=now, declared=declared)

    def export(self) -> Iterable[dict[str, Any]]:
        return _export(Challenge)


class GameKind:
    """A game of chance with prizes."""

    rank = 46

    def apply(self, document: dict[str, Any], *, now: datetime, declared: Declared) -> Change:
        _wait_for_program(document, declared)
        return operations.save_game(document, now=now, declared=declared)

    def export(self) -> Iterable[dict[str, Any]]:
        return _export(Game)


class LeaderboardKind:
    """Who has the most of something."""

    rank = 46

    def apply(self, document: dict[str, Any], *, now: datetime, declared: Declared) -> Change:
        given = _read(LeaderboardDocument, document)
        _wait_for_program(document, declared)
        return operations.save_leaderboard(given, now=now, declared=declared)

    def export(self) -> Iterable[dict[str, Any]]:
        return _export(Leaderboard)


kinds.add("badge", BadgeKind())
kinds.add("stamp_card", StampCardKind())
kinds.add("challenge", ChallengeKind())
kinds.add("game", GameKind())
kinds.add("leaderboard", LeaderboardKind())
