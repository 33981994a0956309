"""Follows the timeline: what happened counts for challenges, stamps and plays."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from loyalty.events import queue
from loyalty.kit.sql import Sql, fetch, sql
from loyalty.play import boards, challenges, people, stamping, tickets
from loyalty.play.contests import Leaderboard
from loyalty.play.definition import ChallengeDocument
from loyalty.play.game_part import read
from loyalty.play.models import Challenge, Game, StampCard
from loyalty.play.names import CONSUMER

# Events taken at once: about a second's work with a few challenges.
BATCH = 5_000
# An attempt that others begin is looked at once more when its fact is committed: what happened meanwhile was taken by a
# batch that could not see the attempt yet.
STARTED = "challenge.started"


def wanted_events() -> set[str]:
    """The names of all events that something active counts."""
    found = {ChallengeDocument.model_validate(one.definition).event for one in Challenge.objects.filter(state="active")}
    found |= {STARTED} if found else set()
    for card in StampCard.objects.filter(state="active"):
        found |= {source.event for source in stamping.document_of(card).earn}
    for game in Game.objects.filter(state="active"):
        _document, part, parameters = read(game.definition)
        found |= {source.event for source in part.earn(parameters)}
    return found | {str(one.definition["event"]) for one in Leaderboard.objects.filter(state="active")}


def listen() -> None:
    """Subscribe to those events, and to no others."""
    wanted = wanted_events()
    query = sql(
        "SELECT t.name FROM event_subscription s JOIN event_type t ON t.id = s.type_id WHERE s.consumer = {c}",
        c=CONSUMER,
    )
    have = {row[0] for row in fetch(query)}
    if wanted - have:
        queue.subscribe(CONSUMER, wanted - have)
    if have - wanted:
        queue.unsubscribe(CONSUMER, have - wanted)


def follow(*, now: datetime, limit: int = BATCH) -> int:
    """Take waiting events and count them everywhere; how many were taken.

    One at a time in the whole installation: two batches with the same people would begin the same attempts.
    """
    with transaction.atomic():
        if not fetch(Sql("SELECT pg_try_advisory_xact_lock(hashtext('play.follow'))"))[0][0]:
            return 0
        taken = queue.take(CONSUMER, limit, hold=True)
        if not taken:
            return 0
        rows = fetch(
            Sql(
                "SELECT e.customer_id, t.name, max(e.occurred_at) FROM taken_event e"
                " JOIN event_type t ON t.id = e.type_id GROUP BY 1, 2"
            )
        )
        known = people.lock({row[0] for row in rows})
        gone = {row[0] for row in rows} - known
        if gone:
            fetch(sql("DELETE FROM taken_event WHERE customer_id = ANY({ids}::bigint[]) RETURNING 1", ids=sorted(gone)))
        _count([row for row in rows if row[0] in known], now)
    return taken


def _count(rows: Collection[tuple[int, str, datetime]], now: datetime) -> None:
    if not rows:
        return
    names = {name for _, name, _ in rows}
    until = max(now, *(at for _, _, at in rows)) if rows else now
    cards = [one for one in StampCard.objects.filter(state="active").order_by("id") if names & _names_of_card(one)]
    games = [one for one in Game.objects.filter(state="active").order_by("id") if names & _names_of_game(one)]
    open_ones = [(one, str(one.definition["event"])) for one in Challenge.objects.filter(state="active").order_by("id")]
    active = [(one, event) for one, event in open_ones if {event, STARTED} & names]
    standing = [
        one for one in Leaderboard.objects.filter(state="active").order_by("id") if one.definition["event"] in names
    ]
    programs = {one.program_id for one in [*cards, *games, *(one for one, _ in active)]}
    people.welcome([(customer_id, name) for customer_id, name, _ in rows], programs, now=now)
    for card in cards:
        stamping.from_events(card, now=now)
    for game in games:
        tickets.from_events(game, now=now)
    for challenge, event in active:
        chosen = {customer_id for customer_id, name, _ in rows if name in (event, STARTED)}
        challenges.advance(challenge, chosen, now=now, until=until)
    for board in standing:
        chosen = {customer_id for customer_id, name, _ in rows if name == board.definition["event"]}
        boards.count(board, chosen, now=now)


def _names_of_card(card: StampCard) -> set[str]:
    return {source.event for source in stamping.document_of(card).earn}


def _names_of_game(game: Game) -> set[str]:
    _document, part, parameters = read(game.definition)
    return {source.event for source in part.earn(parameters)}
