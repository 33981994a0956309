"""Challenges, stamp cards, badges and games over HTTP."""

from dataclasses import asdict
from hashlib import md5
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest
from ninja import Router

from loyalty.access.auth import ApiAuth
from loyalty.customers import queries as customers
from loyalty.events import queue
from loyalty.kit import clock
from loyalty.kit.problems import Problem, Problems
from loyalty.play import (
    board_queries,
    boards,
    game_queries,
    playing,
    queries,
    rounds,
    rules,
    stamping,
    starting,
    tables,
    tickets,
)
from loyalty.play.admission import plays_left
from loyalty.play.contests import Leaderboard
from loyalty.play.drawing import Played
from loyalty.play.models import Challenge, Game, StampCard
from loyalty.play.shapes import (
    BadgesOut,
    BegunOut,
    BoardsOut,
    ChallengesOut,
    GamesOut,
    NicknameIn,
    PlayIn,
    PlayOut,
    PrizesOut,
    RoundOut,
    RulesOut,
    StampCardsOut,
    StampsIn,
    StampsOut,
    TicketsIn,
    TicketsOut,
    TurnIn,
    WhoIn,
)  # fmt: skip

router = Router(tags=["loyalty"])
READ, WRITE = ApiAuth("loyalty:read"), ApiAuth("loyalty:write")


def _customer(reference: str | dict[str, str]) -> int:
    found = customers.resolve([reference])[0]
    if found is None:
        raise Problems([Problem("customer", "nobody is known by this", "create the customer first")])
    return found


def _person(external_id: str) -> int:
    found = customers.resolve([external_id])[0]
    if found is None:
        raise Http404(f"There is no customer {external_id!r}.")
    return found


def _key(*parts: object) -> UUID:
    text = ":".join(map(str, parts))
    return UUID(md5(text.encode(), usedforsecurity=False).hexdigest())


def _of_key(rows: list[dict[str, Any]], key: str) -> dict[str, Any] | None:
    return next((row for row in rows if row["key"] == key), None)


@router.get("/loyalty/challenges", auth=READ, response=ChallengesOut, summary="A person's challenges")
def read_challenges(request: HttpRequest, customer: str) -> dict[str, Any]:
    """What the person (external id) can take part in, is at, or has done. Hidden ones show once they are under way."""
    return {"challenges": queries.challenges(_person(customer), now=clock.now())}


@router.post("/loyalty/challenges/{key}/join", auth=WRITE, response=BegunOut, summary="Take up a challenge")
def join_challenge(request: HttpRequest, key: str, body: WhoIn) -> dict[str, Any]:
    """Needed where a challenge is not automatic. `begun` is 0 for who is at it already or has had it."""
    if not Challenge.objects.filter(key=key).exists():
        raise Http404(f"There is no challenge {key!r}.")
    customer_id, now = _customer(body.customer), clock.now()
    begun = starting.join(key, customer_ids=[customer_id], now=now)
    queue.wake()
    return {"begun": begun, "challenge": _of_key(queries.challenges(customer_id, now=now), key)}


@router.get("/loyalty/stamp_cards", auth=READ, response=StampCardsOut, summary="A person's stamp cards")
def read_stamp_cards(request: HttpRequest, customer: str) -> dict[str, Any]:
    return {"stamp_cards": queries.stamp_cards(_person(customer), now=clock.now())}


@router.post("/loyalty/stamp_cards/{key}/stamps", auth=WRITE, response=StampsOut, summary="Give stamps")
def give_stamps(request: HttpRequest, key: str, body: StampsIn) -> dict[str, Any]:
    """For what is no event of the timeline. A full sheet brings its prizes, and the next one begins."""
    card = StampCard.objects.filter(key=key).first()
    if card is None:
        raise Http404(f"There is no stamp card {key!r}.")
    customer_id, now = _customer(body.customer), clock.now()
    given = stamping.give_to(card, customer_id, body.count, _key("stamp", card.pk, "api", body.id), now=now)
    queue.wake()
    return {"given": given, "stamp_card": _of_key(queries.stamp_cards(customer_id, now=now), key)}


@router.get("/loyalty/badges", auth=READ, response=BadgesOut, summary="A person's badges")
def read_badges(request: HttpRequest, customer: str) -> dict[str, Any]:
    return {"badges": queries.badges(_person(customer))}


@router.get("/loyalty/games", auth=READ, response=GamesOut, by_alias=True, summary="The games a person can play now")
def read_games(request: HttpRequest, customer: str) -> dict[str, Any]:
    return {"games": game_queries.games(_person(customer), now=clock.now())}


def _game(key: str) -> Game:
    game = Game.objects.filter(key=key).first()
    if game is None:
        raise Http404(f"There is no game {key!r}.")
    return game


@router.post("/loyalty/games/{key}/play", auth=WRITE, response=PlayOut, summary="Play once")
def play_game(request: HttpRequest, key: str, body: PlayIn) -> dict[str, Any]:
    """Takes a play (or opens a door), draws on the server, and hands over what was won."""
    _game(key)
    played = playing.play(
        key,
        customer_id=_customer(body.customer),
        now=clock.now(),
        door=body.door,
        answers=body.answers,
        request_id=body.id,
        of_age=body.of_age,
    )
    queue.wake()
    return _told(played)


def _told(played: Played) -> dict[str, Any]:
    return asdict(played) | {"play": played.play_id, "prize": played.prize_key, "name": played.prize}


@router.post("/loyalty/games/{key}/turn", auth=WRITE, response=RoundOut, summary="Turn a card of a memory")
def turn_card(request: HttpRequest, key: str, body: TurnIn) -> dict[str, Any]:
    """The first card takes a play. Two cards are a move; the last move answers what was won."""
    _game(key)
    shown = rounds.turn(key, customer_id=_customer(body.customer), card=body.card, now=clock.now(), of_age=body.of_age)
    queue.wake()
    return asdict(shown) | {"played": _told(shown.played) if shown.played else None}


@router.post("/loyalty/games/{key}/plays", auth=WRITE, response=TicketsOut, summary="Give plays")
def give_plays(request: HttpRequest, key: str, body: TicketsIn) -> dict[str, Any]:
    """For what is no event of the timeline: somebody who takes part by letter, say."""
    game = _game(key)
    customer_id, now = _customer(body.customer), clock.now()
    given = tickets.Given(customer_id, body.plays, _key("ticket", game.pk, "api", body.id))
    done = tickets.give(game, [given], source="api", now=now)
    left = plays_left(tables.table_of(game), customer_id, now)
    return {"given": done.get(customer_id, 0), "plays_left": left}


@router.get("/loyalty/games/{key}/rules", auth=READ, response=RulesOut, summary="The rules of a game")
def read_rules(request: HttpRequest, key: str, language: str = "en") -> dict[str, Any]:
    """As on the public page, in German or English."""
    _game(key)
    return asdict(rules.rules_of(key, language=language, now=clock.now()))


@router.get("/loyalty/prizes", auth=READ, response=PrizesOut, summary="What a person won")
def read_prizes(request: HttpRequest, customer: str) -> dict[str, Any]:
    """Newest first, at most 50."""
    return {"prizes": queries.prizes_won(_person(customer))}


@router.get("/loyalty/leaderboards", auth=READ, response=BoardsOut, summary="Leaderboards, and where a person stands")
def read_leaderboards(request: HttpRequest, customer: str) -> dict[str, Any]:
    """Nicknames only; who did not ask for it stands on none."""
    return _boards(_person(customer))


def _boards(customer_id: int) -> dict[str, Any]:
    return {"leaderboards": board_queries.leaderboards(customer_id, now=clock.now())}


def _known_board(key: str) -> None:
    if not Leaderboard.objects.filter(key=key).exists():
        raise Http404(f"There is no leaderboard {key!r}.")


@router.post("/loyalty/leaderboards/{key}/join", auth=WRITE, response=BoardsOut, summary="Stand on a leaderboard")
def join_leaderboard(request: HttpRequest, key: str, body: NicknameIn) -> dict[str, Any]:
    """Under a nickname, or under another one than before."""
    _known_board(key)
    customer_id = _customer(body.customer)
    boards.join(key, customer_id=customer_id, nickname=body.nickname, now=clock.now())
    return _boards(customer_id)


@router.post("/loyalty/leaderboards/{key}/leave", auth=WRITE, response=BoardsOut, summary="Leave a leaderboard")
def leave_leaderboard(request: HttpRequest, key: str, body: WhoIn) -> dict[str, Any]:
    """Harmless for who is not on it."""
    _known_board(key)
    customer_id = _customer(body.customer)
    boards.leave(key, customer_id=customer_id)
    return _boards(customer_id)
