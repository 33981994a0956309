"""Writes what stamp cards, challenges, badges and games are (documents)."""

import secrets
from datetime import datetime
from typing import Any, TypeVar

from django.db import transaction

from loyalty.kit.audiences import unknown
from loyalty.kit.documents import Change
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, sql
from loyalty.play import prize
from loyalty.play.contests import GameRound, Leaderboard
from loyalty.play.definition import (
    BadgeDocument,
    ChallengeDocument,
    LeaderboardDocument,
    StampCardDocument,
    Timed,
    plain,
)
from loyalty.play.follow import listen
from loyalty.play.game_definition import GameDocument
from loyalty.play.game_part import read as read_game
from loyalty.play.models import Badge, Challenge, Definition, Game, GamePlay, GamePrize, StampCard
from loyalty.program.models import Program, Tier

D = TypeVar("D", bound=Definition)
Declared = dict[str, set[str]]


def _program(key: str | None, problems: list[Problem]) -> tuple[int | None, str | None]:
    """(id, key) of the program: the only one where none is named, none where there is none."""
    found = list(Program.objects.order_by("id").values_list("id", "key"))
    chosen = [one for one in found if key in (None, one[1])]
    if len(chosen) == 1:
        return chosen[0]
    known = ", ".join(one[1] for one in found) or "none"
    if key is not None:
        problems.append(Problem("program", f"there is no program {key!r}", f"known: {known}"))
    elif found:
        problems.append(Problem("program", "there are several programs", f"name one of: {known}"))
    return None, None


def _audience(document: Timed, program_id: int | None, declared: Declared) -> list[Problem]:
    strange = unknown(document.audience.segments) - declared.get("segment", set())
    problems = [
        Problem("audience.segments", f"there is no segment {key!r}", "apply it first") for key in sorted(strange)
    ]
    known = (
        set(Tier.objects.filter(program_id=program_id or 0).values_list("key", flat=True))
        if document.audience.tiers
        else {}
    )
    problems += [
        Problem(f"audience.tiers[{place}]", f"there is no tier {key!r}", f"known: {', '.join(sorted(known)) or 'none'}")
        for place, key in enumerate(document.audience.tiers)
        if key not in known and key not in declared.get("tier", ())
    ]
    return problems


def _prizes(documents: list[dict[str, Any]], where: str, declared: Declared) -> list[Problem]:
    return [
        problem
        for place, document in enumerate(documents)
        for problem in prize.check(document, f"{where}[{place}]", declared)
    ]


def _save(model: type[D], kind: str, key: str, after: dict[str, Any], fields: dict[str, Any], now: datetime) -> Change:
    found = model._default_manager.select_for_update().filter(key=key).first()
    before = found.definition if found else None
    verdict = "created" if before is None else "unchanged" if before == after else "updated"
    change = Change(kind=kind, key=key, verdict=verdict, before=before, after=after)
    if verdict != "unchanged":
        written = {**fields, "definition": after, "updated_at": now}
        model._default_manager.update_or_create(
            key=key, defaults=written, create_defaults={**written, "created_at": now}
        )
    return change


def _fields(document: Any, program_id: int | None) -> dict[str, Any]:
    return {"program_id": program_id, "state": document.state, "name": document.name}


def _after(kind: str, document: Any, program: str | None, **rest: Any) -> dict[str, Any]:
    named = {} if program is None else {"program": program}
    return {"kind": kind, "key": document.key, **named, **plain(document), **rest}


@transaction.atomic
def save_badge(document: BadgeDocument, *, now: datetime, declared: Declared) -> Change:
    """Create the badge or change it; raises Problems."""
    problems: list[Problem] = []
    program_id, program = _program(document.program, problems)
    if problems:
        raise Problems(problems)
    after = _after("badge", document, program)
    return _save(Badge, "badge", document.key, after, _fields(document, program_id), now)


@transaction.atomic
def save_stamp_card(document: StampCardDocument, *, now: datetime, declared: Declared) -> Change:
    """Create the stamp card or change it; sheets that are begun keep their size. Raises Problems."""
    problems: list[Problem] = []
    program_id, program = _program(document.program, problems)
    problems += _audience(document, program_id, declared)
    problems += _prizes(document.prizes, "prizes", declared)
    for place, step in enumerate(document.steps):
        problems += _prizes(step.prizes, f"steps[{place}].prizes", declared)
    if problems:
        raise Problems(problems)
    after = _after("stamp_card", document, program)
    change = _save(StampCard, "stamp_card", document.key, after, _fields(document, program_id), now)
    listen()
    return change


@transaction.atomic
def save_challenge(document: ChallengeDocument, *, now: datetime, declared: Declared) -> Change:
    """Create the challenge or change it; attempts that are begun keep their target and end. Raises Problems."""
    problems: list[Problem] = []
    program_id, program = _program(document.program, problems)
    problems += _audience(document, program_id, declared)
    problems += _prizes(document.prizes, "prizes", declared)
    if problems:
        raise Problems(problems)
    after = _after("challenge", document, program)
    change = _save(Challenge, "challenge", document.key, after, _fields(document, program_id), now)
    listen()
    return change


@transaction.atomic
def save_leaderboard(document: LeaderboardDocument, *, now: datetime, declared: Declared) -> Change:
    """Create the leaderboard or change it; who is on it is counted anew with the next event. Raises Problems."""
    problems: list[Problem] = []
    program_id, program = _program(document.program, problems)
    problems += _audience(document, program_id, declared)
    if problems:
        raise Problems(problems)
    after = _after("leaderboard", document, program)
    change = _save(Leaderboard, "leaderboard", document.key, after, _fields(document, program_id), now)
    listen()
    return change


@transaction.atomic
def save_game(document: dict[str, Any], *, now: datetime, declared: Declared) -> Change:
    """Create the game or change it. Raises Problems.

    Once somebody has played, only what is fair to those who have can be changed: names and texts, more stock, a later
    end, the state.
    """
    game, _part, parameters = read_game(document)
    problems: list[Problem] = []
    program_id, program = _program(game.program, problems)
    problems += _audience(game, program_id, declared)
    for place, one in enumerate(game.prizes):
        problems += prize.check(one.prize, f"prizes[{place}].prize", declared)
    if game.consolation is not None:
        problems += prize.check(game.consolation, "consolation", declared)
    after = _after("game", game, program, **plain(parameters))
    found = Game.objects.filter(key=game.key).first()
    if found and not problems and _begun(found.pk):
        problems += _unfair(found.definition, after)
    if problems:
        raise Problems(problems)
    fields = {**_fields(game, program_id), "type": game.type}
    if found is None:
        fields["secret"] = secrets.token_bytes(32)
    change = _save(Game, "game", game.key, after, fields, now)
    if change.verdict != "unchanged":
        _write_prizes(Game.objects.get(key=game.key).pk, game)
        listen()
    return change


@transaction.atomic
def set_state(row: Definition, state: str, *, now: datetime) -> None:
    """Pause it or let it go on; its document says so too."""
    row.definition = {key: value for key, value in row.definition.items() if key != "state"}
    if state != "active":
        row.definition["state"] = state
    row.state, row.updated_at = state, now
    row.save(update_fields=["definition", "state", "updated_at"])
    listen()


def _begun(game_id: int) -> bool:
    """Whether somebody has played, or is in the middle of it."""
    return any(model.objects.filter(game_id=game_id).exists() for model in (GamePlay, GameRound))


_FREE_TO_CHANGE = ("name", "description", "image", "note", "state", "audience", "free_entry", "organizer")


def _unfair(before: dict[str, Any], after: dict[str, Any]) -> list[Problem]:
    old, new = ({key: one[key] for key in one if key not in _FREE_TO_CHANGE} for one in (before, after))
    problems = []
    if new["to"] < old["to"]:
        problems.append(Problem("to", "cannot come earlier: people have played", f"keep {old['to']}, or a later day"))
    old_prizes, new_prizes = ({one["key"]: one for one in part.pop("prizes")} for part in (old, new))
    for part in (old, new):
        part.pop("to")
    for key, was in old_prizes.items():
        now = new_prizes.get(key)
        fixed = [{k: v for k, v in (one or {}).items() if k not in ("name", "stock")} for one in (was, now)]
        less = now is not None and now.get("stock") is not None and now["stock"] < was.get("stock", 2**31)
        if now is None or fixed[0] != fixed[1] or less:
            problems.append(Problem("prizes", f"{key} cannot become worse or other: people have played", "put it back"))
    if new_prizes.keys() - old_prizes.keys():
        problems.append(Problem("prizes", "none can be added: people have played", "make another game"))
    problems += [
        Problem(key, "cannot be changed any more: people have played", "put it back, or make another game")
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]
    return problems


def _write_prizes(game_id: int, game: GameDocument) -> None:
    execute(
        sql(
            "DELETE FROM game_prize WHERE game_id = {game} AND key <> ALL({keys}::text[])",
            game=game_id,
            keys=[one.key for one in game.prizes],
        )
    )
    GamePrize.objects.bulk_create(
        [
            GamePrize(game_id=game_id, key=one.key, position=place, stock=one.stock, definition=plain(one))
            for place, one in enumerate(game.prizes)
        ],
        update_conflicts=True,
        unique_fields=["game_id", "key"],
        update_fields=["position", "stock", "definition"],
    )
