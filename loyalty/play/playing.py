"""One play of a game: the person's right to play, the draw, the prize, all in one transaction."""

from dataclasses import dataclass
from datetime import date, datetime
from hashlib import md5
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from loyalty.events import facts, partitions
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, execute, fetch, sql
from loyalty.play import awards, draws, names, people, tickets
from loyalty.play.days import zone_of
from loyalty.play.definition import GameDocument
from loyalty.play.game_part import Free, GamePart, read
from loyalty.play.models import Game
from loyalty.play.prize import sentence

# No prize needs a place of its own beside a consolation.
_PLACE = 0


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a play. `prize` is the prize's name by language, `sentence` the prize in words, `reference` a code
    where there is one at once.

    `repeated`: this call had come before; nothing was drawn again.
    """

    play_id: int
    outcome: str
    prize_key: str | None
    prize: dict[str, str] | None
    sentence: str
    reference: str | None
    plays_left: int | None
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A game with everything that a play needs."""

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
    table = open_table(key)
    digest = None
    if request_id is not None:
        text = f"play:{table.game.pk}:{customer_id}:{request_id}"
        digest = UUID(md5(text.encode(), usedforsecurity=False).hexdigest())
    with transaction.atomic():
        if not people.lock([customer_id]):
            raise Problems([Problem("customer", "was forgotten or joined with another just now")])
        player = _sit_down(table.game.pk, customer_id)
        found = _earlier(digest)
        play_id, award_ids = found or 0, list[int]()
        if found is None:
            _refuse(table, player, customer_id, now=now, door=door, of_age=of_age)
            partitions.ensure(now, now)
            free = _pay(table, player, customer_id, now)
            play_id, award_ids = _draw(table, player, customer_id, free, door, digest, now)
    if award_ids:
        # By itself: what is won stays won when handing it over fails now, and comes later.
        awards.give_due(now=now, ids=award_ids)
    return _told(table, play_id, customer_id, now, repeated=found is not None)


@dataclass(frozen=True, slots=True)
class Player:
    """A player's counters; the row is locked."""

    plays: int
    earned: int
    used: int
    free_period: date | None
    free_used: int
    of_age: bool


def _sit_down(game_id: int, customer_id: int) -> Player:
    execute(
        sql(
            "INSERT INTO game_player (customer_id, game_id) VALUES ({customer}, {game}) ON CONFLICT DO NOTHING",
            customer=customer_id,
            game=game_id,
        )
    )
    row = fetch(
        sql(
            "SELECT plays, earned, used, free_period, free_used, of_age_at IS NOT NULL FROM game_player"
            " WHERE customer_id = {customer} AND game_id = {game} FOR UPDATE",
            customer=customer_id,
            game=game_id,
        )
    )[0]
    return Player(*row)


def _earlier(digest: UUID | None) -> int | None:
    if digest is None:
        return None
    rows = fetch(sql("SELECT id FROM game_play WHERE key_digest = {digest}", digest=digest))
    return rows[0][0] if rows else None


def period_of(free: Free, today: date) -> date:
    """The first day of the period in which free plays are counted."""
    if free.per == "week":
        return date.fromordinal(today.toordinal() - today.weekday())
    return {
        "day": today,
        "month": today.replace(day=1),
        "year": today.replace(month=1, day=1),
    }.get(free.per, date(2000, 1, 1))


def free_left(free: Free | None, free_period: date | None, free_used: int, today: date) -> int:
    """How many free plays are left in this period."""
    if free is None:
        return 0
    return max(0, free.most - (free_used if free_period == period_of(free, today) else 0))


def age_on(birth_date: date, today: date) -> int:
    """Years of age; who was born on February 29 has the birthday on March 1 in other years."""
    return today.year - birth_date.year - ((today.month, today.day) < (birth_date.month, birth_date.day))


def _refuse(table: Table, player: Player, customer_id: int, *, now: datetime, door: int | None, of_age: bool) -> None:
    document, today = table.document, table.today(now)
    problems = []
    if table.game.state != "active":
        problems.append(Problem("game", "is paused", "try again later"))
    if today < document.start:
        problems.append(Problem("game", f"begins on {document.start.isoformat()}", "come back then"))
    if today > document.end:
        problems.append(Problem("game", f"ended on {document.end.isoformat()}"))
    may = people.may_take_part(sql("{id}::bigint", id=customer_id), table.game.program_id, document.audience)
    rows = fetch(sql("SELECT {may}, birth_date FROM customer WHERE id = {id}", may=may, id=customer_id))
    if not rows[0][0]:
        problems.append(Problem("customer", "is no member of those who can play", "let the customer join first"))
    problems += _too_young(document, rows[0][1], player, today, customer_id, table.game.pk, of_age, now)
    if table.part.doors or door is not None:
        problems += _door_problems(table, door, customer_id, today)
    elif not player.used < player.earned and not free_left(table.free, player.free_period, player.free_used, today):
        problems.append(Problem("plays", "there are none left", "earn another one, or come back when one is free"))
    if problems:
        raise Problems(problems)


def _too_young(
    document: GameDocument, birth_date: date | None, player: Player, today: date, customer_id: int, game_id: int,
    of_age: bool, now: datetime,
) -> list[Problem]:  # fmt: skip
    """What a person's age has against it. A known date of birth counts more than a declaration."""
    if not document.age:
        return []
    if birth_date is not None:
        young = age_on(birth_date, today) < document.age
        return [Problem("age", f"one has to be {document.age} to play")] if young else []
    if document.age_check == "birth_date":
        return [Problem("age", "the date of birth is not known", f"add it: one has to be {document.age} to play")]
    if player.of_age:
        return []
    if not of_age:
        return [Problem("of_age", f"one has to be {document.age} to play", "let the person declare it: of_age = true")]
    execute(
        sql(
            "UPDATE game_player SET of_age_at = {now} WHERE customer_id = {customer} AND game_id = {game}",
            now=now,
            customer=customer_id,
            game=game_id,
        )
    )
    return []


def _door_problems(table: Table, door: int | None, customer_id: int, today: date) -> list[Problem]:
    if door is None:
        return [Problem("door", "is missing", "say which door is opened")]
    if problem := table.part.door_problem(table.parameters, table.document, door, today):
        return [problem]
    opened = execute(
        sql(
            "SELECT FROM game_play WHERE customer_id = {customer} AND game_id = {game} AND door = {door}",
            customer=customer_id,
            game=table.game.pk,
            door=door,
        )
    )
    return [Problem("door", f"door {door} was opened before", "open another one")] if opened else []


def _pay(table: Table, player: Player, customer_id: int, now: datetime) -> bool:
    """Take the play: a free one first, for it cannot be kept; whether it was free."""
    free, today = table.free, table.today(now)
    if table.part.doors:
        return True
    if free is None or not free_left(free, player.free_period, player.free_used, today):
        return not tickets.use_one(table.game.pk, customer_id)
    period = period_of(free, today)
    execute(
        sql(
            "UPDATE game_player SET free_period = {period}::date, free_used = {used}"
            " WHERE customer_id = {customer} AND game_id = {game}",
            period=period,
            used=1 + (player.free_used if player.free_period == period else 0),
            customer=customer_id,
            game=table.game.pk,
        )
    )
    return True


def _draw(
    table: Table, player: Player, customer_id: int, free: bool, door: int | None, digest: UUID | None, now: datetime
) -> tuple[int, list[int]]:
    """Draw, take the prize out of the stock and write everything down: the play and what was won."""
    number = player.plays + 1
    nonce = draws.nonce(customer_id, number)
    drawn = draws.draw(bytes(table.game.secret), nonce)
    chosen = draws.pick(drawn, [(one, one.odds) for one in table.part.prizes(table.parameters, table.document, door)])
    prize_id = _take(table.game.pk, customer_id, chosen.key, chosen.per_person) if chosen else None
    prize = chosen.prize if chosen and prize_id else table.document.consolation
    outcome = names.WON if prize_id else names.CONSOLATION if prize else names.NOTHING
    rows = fetch(
        sql(
            "WITH counted AS (UPDATE game_player SET plays = {number} WHERE customer_id = {customer}"
            " AND game_id = {game}), played AS (INSERT INTO game_play (game_id, customer_id, number, door, played_at,"
            " free, nonce, draw, prize_id, outcome, key_digest) VALUES ({game}, {customer}, {number},"
            " {door}::smallint, {now}, {free}, {nonce}, {drawn}, {prize}::int, {outcome}, {digest}::uuid)"
            " RETURNING id, customer_id, played_at), {fact} SELECT id FROM played",
            number=number,
            customer=customer_id,
            game=table.game.pk,
            door=door,
            now=now,
            free=free,
            nonce=nonce,
            drawn=drawn,
            prize=prize_id,
            outcome=outcome,
            digest=digest,
            fact=facts.ctes(
                "fact",
                "game.played",
                sql(
                    "SELECT customer_id, played_at, id, jsonb_build_object('game', {key}::text, 'outcome',"
                    " {outcome}::text, 'prize', {prize}::text) FROM played",
                    key=table.game.key,
                    outcome=outcome,
                    prize=chosen.key if chosen and prize_id else None,
                ),
                ask=False,
            ),
        )
    )
    play_id = rows[0][0]
    origin = awards.Origin(names.GAME, table.game.pk, table.game.key, table.game.program_id)
    won = [(_PLACE, prize)] if prize else []
    return play_id, awards.write(origin, won, [awards.Win(play_id, customer_id, now)], now=now)


def _take(game_id: int, customer_id: int, key: str, per_person: int | None) -> int | None:
    """Take one out of the prize's stock; None when there is none left, or the person has had as many as one can.

    The row is locked until the play is written, so the last one is won once, however many play at this moment.
    """
    fair = Sql("TRUE")
    if per_person is not None:
        fair = sql(
            "(SELECT count(*) FROM game_play g WHERE g.customer_id = {customer} AND g.game_id = {game}"
            " AND g.prize_id = p.id) < {most}",
            customer=customer_id,
            game=game_id,
            most=per_person,
        )
    rows = fetch(
        sql(
            "UPDATE game_prize p SET won = won + 1 WHERE game_id = {game} AND key = {key}"
            " AND (stock IS NULL OR won < stock) AND {fair} RETURNING id",
            game=game_id,
            key=key,
            fair=fair,
        )
    )
    return rows[0][0] if rows else None


def _told(table: Table, play_id: int, customer_id: int, now: datetime, *, repeated: bool) -> Played:
    outcome, prize_key, prize, reference = fetch(
        sql(
            "SELECT y.outcome, p.key, a.prize::text, a.reference FROM game_play y"
            " LEFT JOIN game_prize p ON p.id = y.prize_id"
            " LEFT JOIN prize_award a ON a.origin = {origin} AND a.ref = y.id WHERE y.id = {id}",
            origin=names.GAME,
            id=play_id,
        )
    )[0]
    won = next((one for one in table.document.prizes if one.key == prize_key), None)
    given = won.prize if won else table.document.consolation
    return Played(
        play_id=play_id,
        outcome=outcome,
        prize_key=prize_key,
        prize=dict(won.name) if won else None,
        sentence=sentence(given) if given and prize else "",
        reference=reference,
        plays_left=plays_left(table, customer_id, now),
        repeated=repeated,
    )


def plays_left(table: Table, customer_id: int, now: datetime) -> int | None:
    """How many plays the person has now; None for a game with doors."""
    if table.part.doors:
        return None
    row = fetch(
        sql(
            "SELECT earned - used, free_period, free_used FROM game_player WHERE customer_id = {customer}"
            " AND game_id = {game}",
            customer=customer_id,
            game=table.game.pk,
        )
    )
    earned, period, used = row[0] if row else (0, None, 0)
    return int(earned) + free_left(table.free, period, used, table.today(now))
