"""Who may play: the person's counters, the days and ages of the game, the play that is taken."""

from dataclasses import dataclass
from datetime import date, datetime

from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.play import people, tickets
from loyalty.play.game_definition import GameDocument
from loyalty.play.game_part import Free
from loyalty.play.tables import Table


@dataclass(frozen=True, slots=True)
class Player:
    """A player's counters; the row is locked."""

    plays: int
    earned: int
    used: int
    free_period: date | None
    free_used: int
    of_age: bool


def sit_down(game_id: int, customer_id: int) -> Player:
    """The person's counters, locked until the transaction ends."""
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


def closed(table: Table, now: datetime) -> list[Problem]:
    """Why nobody can play at this moment."""
    document, today = table.document, table.today(now)
    problems = []
    if table.game.state != "active":
        problems.append(Problem("game", "is paused", "try again later"))
    if today < document.start:
        problems.append(Problem("game", f"begins on {document.start.isoformat()}", "come back then"))
    if today > document.end:
        problems.append(Problem("game", f"ended on {document.end.isoformat()}"))
    return problems


def refuse(
    table: Table, player: Player, customer_id: int, *, now: datetime, door: int | None, of_age: bool,
    more: list[Problem],
) -> None:  # fmt: skip
    """Raise Problems with all that stands against a play of this person, `more` of them known before."""
    document, today = table.document, table.today(now)
    problems = closed(table, now)
    may = people.may_take_part(sql("{id}::bigint", id=customer_id), table.game.program_id, document.audience)
    rows = fetch(sql("SELECT {may}, birth_date FROM customer WHERE id = {id}", may=may, id=customer_id))
    if not rows[0][0]:
        problems.append(Problem("customer", "is no member of those who can play", "let the customer join first"))
    problems += _too_young(document, rows[0][1], player, today, customer_id, table.game.pk, of_age, now)
    if table.doors or door is not None:
        problems += _door_problems(table, door, customer_id, today)
    elif not player.used < player.earned and not free_left(table.free, player.free_period, player.free_used, today):
        problems.append(Problem("plays", "there are none left", "earn another one, or come back when one is free"))
    problems += more
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


def pay(table: Table, player: Player, customer_id: int, now: datetime) -> bool:
    """Take the play: a free one first, for it cannot be kept; whether it was free."""
    free, today = table.free, table.today(now)
    if table.doors:
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


def plays_left(table: Table, customer_id: int, now: datetime) -> int | None:
    """How many plays the person has now; None for a game with doors."""
    if table.doors:
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
