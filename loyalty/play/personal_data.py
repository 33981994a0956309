"""What challenges, stamp cards and games hold about people. The log of plays outlives them, as nobody's."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from loyalty.kit.erasures import (
    Held,
    Moved,
    Pairs,
    PersonalData,
    Return,
    by_loser,
    give_back,
    hand_over,
    hold_personal_data,
    pairs_sql,
    put_back,
    share,
    take_out,
    unshare,
)
from loyalty.kit.sql import Sql, execute, fetch, fetch_values, identifier, sql
from loyalty.play import stamping
from loyalty.play.models import StampCard

_GONE = ("stamp", "stamp_sheet", "challenge_run", "customer_badge", "game_player", "game_ticket", "game_round",
         "leaderboard_entry")  # fmt: skip


def erase(customer_ids: Sequence[int]) -> int:
    """Forget how far these people were; what was played and won stays as nobody's, for it was drawn among others."""
    ids = sql("{ids}::bigint[]", ids=list(customer_ids))
    rows = sum(
        execute(sql("DELETE FROM {table} WHERE customer_id = ANY({ids})", table=identifier(table), ids=ids))
        for table in _GONE
    )
    rows += execute(
        sql(
            "UPDATE game_play SET customer_id = NULL, nonce = '', key_digest = NULL, detail = NULL"
            " WHERE customer_id = ANY({ids})",
            ids=ids,
        )
    )
    return rows + execute(
        sql(
            "UPDATE prize_award SET customer_id = NULL, reference = NULL, reason = NULL,"
            " state = CASE state WHEN 'due' THEN 'refused' ELSE state END WHERE customer_id = ANY({ids})",
            ids=ids,
        )
    )


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """The person's rows by table."""
    queries = {
        "stamp": "SELECT c.key AS stamp_card, s.at, s.count, s.source FROM stamp s"
        " JOIN stamp_card c ON c.id = s.card_id WHERE s.customer_id = {id} ORDER BY s.id",
        "stamp_sheet": "SELECT c.key AS stamp_card, s.number, s.state, s.stamps, s.size, s.started_at, s.expires_at,"
        " s.closed_at FROM stamp_sheet s JOIN stamp_card c ON c.id = s.card_id WHERE s.customer_id = {id}"
        " ORDER BY s.id",
        "challenge_run": "SELECT c.key AS challenge, r.number, r.state, r.started_at, r.ends_at, r.target, r.progress,"
        " r.best, r.closed_at FROM challenge_run r JOIN challenge c ON c.id = r.challenge_id"
        " WHERE r.customer_id = {id} ORDER BY r.id",
        "customer_badge": "SELECT b.key AS badge, c.times, c.since FROM customer_badge c"
        " JOIN badge b ON b.id = c.badge_id WHERE c.customer_id = {id} ORDER BY c.id",
        "game_player": "SELECT g.key AS game, p.plays, p.earned, p.used, p.of_age_at FROM game_player p"
        " JOIN game g ON g.id = p.game_id WHERE p.customer_id = {id} ORDER BY g.id",
        "game_ticket": "SELECT g.key AS game, t.at, t.plays, t.source FROM game_ticket t"
        " JOIN game g ON g.id = t.game_id WHERE t.customer_id = {id} ORDER BY t.id",
        "game_play": "SELECT g.key AS game, p.number, p.door, p.played_at, p.free, p.nonce, p.draw, p.outcome,"
        " p.score, p.detail FROM game_play p JOIN game g ON g.id = p.game_id WHERE p.customer_id = {id} ORDER BY p.id",
        "game_round": "SELECT g.key AS game, r.started_at, r.moved_at, r.progress FROM game_round r"
        " JOIN game g ON g.id = r.game_id WHERE r.customer_id = {id} ORDER BY g.id",
        "leaderboard_entry": "SELECT b.key AS leaderboard, e.nickname, e.hidden, e.score, e.joined_at"
        " FROM leaderboard_entry e JOIN leaderboard b ON b.id = e.board_id WHERE e.customer_id = {id} ORDER BY e.id",
        "prize_award": "SELECT origin, kind, prize, state, reference, created_at, given_at FROM prize_award"
        " WHERE customer_id = {id} ORDER BY id",
    }
    return {table: fetch_values(sql(text, id=customer_id)) for table, text in queries.items()}


def merge(pairs: Pairs, now: datetime) -> Moved:
    """The winners get everything. Two open sheets of a card become one, with the stamps of both; of two open attempts
    the winner's stays, which counts the events of both from then on. A round that a loser is at ends, and its play
    comes back; undone, the round goes on."""
    rounds = _end_rounds(pairs)
    sheets = _take_doubles(pairs, "stamp_sheet", "card_id")
    runs = _take_doubles(pairs, "challenge_run", "challenge_id")
    moved: Moved = {
        "game_round": rounds,
        "stamp": hand_over(pairs, "stamp"),
        "stamp_sheet-": sheets,
        "challenge_run-": runs,
        "stamp_sheet": _renumber(pairs, "stamp_sheet", "card_id"),
        "challenge_run": _renumber(pairs, "challenge_run", "challenge_id"),
        **share(pairs, "customer_badge", ["badge_id"]),
        "game_ticket": hand_over(pairs, "game_ticket"),
        "game_play": _renumber(pairs, "game_play", "game_id", doors=True),
        "game_player": _add_players(pairs),
        "prize_award": hand_over(pairs, "prize_award"),
        **share(pairs, "leaderboard_entry", ["board_id"]),
    }
    _lay_on(pairs, sheets, now)
    return {table: keys for table, keys in moved.items() if keys}


def _end_rounds(pairs: Pairs) -> dict[int, list[Any]]:
    taken = take_out(pairs, "game_round")
    _pay_back([row for rows in taken.values() for row in rows], -1)
    return taken


def _pay_back(rounds: Sequence[Any], plays: int) -> None:
    """Give the plays of these rounds back (-1), or take them again (1)."""
    if rounds:
        execute(
            sql(
                "UPDATE game_player p SET used = CASE WHEN g.free THEN p.used ELSE least(p.earned,"
                " greatest(0, p.used + {plays})) END,"
                " free_used = CASE WHEN g.free THEN greatest(0, p.free_used + {plays}) ELSE p.free_used END"
                " FROM jsonb_populate_recordset(NULL::game_round, {rows}::jsonb) g"
                " WHERE p.customer_id = g.customer_id AND p.game_id = g.game_id",
                plays=plays,
                rows=json.dumps(list(rounds)),
            )
        )


def _take_doubles(pairs: Pairs, table: str, owner: str) -> dict[int, list[Any]]:
    """Delete the losers' open rows of what their winners, or other losers of them, have open too; whole rows."""
    query = sql(
        "WITH ranked AS (SELECT t.id, pairs.loser, row_number() OVER (PARTITION BY coalesce(pairs.winner,"
        " t.customer_id), t.{owner} ORDER BY pairs.loser IS NOT NULL, t.id) AS place"
        " FROM {table} t LEFT JOIN {pairs} ON pairs.loser = t.customer_id"
        " WHERE t.state = 'open' AND t.customer_id = ANY({people}::bigint[])),"
        " gone AS (DELETE FROM {table} t USING ranked r WHERE t.id = r.id AND r.loser IS NOT NULL AND r.place > 1"
        " RETURNING r.loser, to_jsonb(t) AS row)"
        " SELECT loser, jsonb_agg(row) FROM gone GROUP BY loser",
        table=identifier(table),
        owner=identifier(owner),
        pairs=pairs_sql(pairs),
        people=[*pairs, *pairs.values()],
    )
    return by_loser(fetch(query))


def _renumber(pairs: Pairs, table: str, owner: str, *, doors: bool = False) -> dict[int, list[Any]]:
    """Hand rows over that are numbered for each person: those of the losers come after those of the winners."""
    door = Sql("")
    if doors:
        # A door that both had opened stays opened by the winner; what the loser won behind it stays won.
        door = sql(
            ", door = CASE WHEN n.doors > 1 AND NOT n.first THEN NULL ELSE t.door END",
        )
    query = sql(
        "WITH numbered AS (SELECT t.id, pairs.loser, pairs.winner,"
        " (SELECT coalesce(max(number), 0) FROM {table} w WHERE w.customer_id = pairs.winner AND w.{owner} = t.{owner})"
        " + row_number() OVER (PARTITION BY pairs.winner, t.{owner} ORDER BY t.id) AS number{counted}"
        " FROM {table} t JOIN {pairs} ON pairs.loser = t.customer_id WHERE t.customer_id = ANY({losers}::bigint[])),"
        " moved AS (UPDATE {table} t SET customer_id = n.winner, number = n.number{door} FROM numbered n"
        " WHERE t.id = n.id RETURNING n.loser, t.id)"
        " SELECT loser, jsonb_agg(id ORDER BY id) FROM moved GROUP BY loser",
        table=identifier(table),
        owner=identifier(owner),
        counted=sql(
            ", (SELECT count(*) FROM game_play w WHERE w.door = t.door AND w.game_id = t.game_id AND (w.customer_id ="
            " pairs.winner OR w.customer_id IN (SELECT o.loser FROM {pairs_too} WHERE o.winner = pairs.winner)))"
            " AS doors, t.id = (SELECT w.id FROM game_play w WHERE w.door = t.door AND w.game_id = t.game_id AND"
            " (w.customer_id = pairs.winner OR w.customer_id IN (SELECT o.loser FROM {pairs_too}"
            " WHERE o.winner = pairs.winner)) ORDER BY w.customer_id <> pairs.winner, w.id LIMIT 1) AS first",
            pairs_too=sql(
                "unnest({losers}::bigint[], {winners}::bigint[]) AS o (loser, winner)",
                losers=list(pairs),
                winners=list(pairs.values()),
            ),
        )
        if doors
        else Sql(""),
        door=door,
        pairs=pairs_sql(pairs),
        losers=list(pairs),
    )
    return by_loser(fetch(query))


def _add_players(pairs: Pairs) -> dict[int, list[Any]]:
    taken = take_out(pairs, "game_player")
    if taken:
        execute(
            sql(
                "INSERT INTO game_player AS p (customer_id, game_id, plays, earned, used, free_period, free_used,"
                " of_age_at) SELECT f.winner, f.game_id, sum(f.plays), sum(f.earned), sum(f.used), max(f.free_period),"
                " max(f.free_used), max(f.of_age_at) FROM (SELECT pairs.winner, r.* FROM {pairs} JOIN"
                " jsonb_populate_recordset(NULL::game_player, {rows}::jsonb) r ON r.customer_id = pairs.loser) f"
                " GROUP BY 1, 2 ON CONFLICT (customer_id, game_id) DO UPDATE SET plays = p.plays + excluded.plays,"
                " earned = p.earned + excluded.earned, used = p.used + excluded.used,"
                " of_age_at = coalesce(p.of_age_at, excluded.of_age_at)",
                pairs=pairs_sql(pairs),
                rows=json.dumps([row for rows in taken.values() for row in rows]),
            )
        )
    return taken


def _lay_on(pairs: Pairs, sheets: dict[int, list[Any]], now: datetime) -> None:
    """Lay the stamps of sheets that could not stay onto those of the winners; a few statements for each card."""
    by_card: dict[int, dict[int, int]] = {}
    for loser, rows in sheets.items():
        for row in rows:
            people = by_card.setdefault(row["card_id"], {})
            people[pairs[loser]] = people.get(pairs[loser], 0) + row["stamps"]
    for card in StampCard.objects.filter(pk__in=by_card).order_by("id"):
        stamping.lay_on(card, {who: [(now, count)] for who, count in by_card[card.pk].items() if count}, now)


def unmerge(given: Return) -> None:
    """Give back what came from the loser; stamps of a sheet that has been filled with them since are gone."""
    for table in ("stamp", "game_ticket", "prize_award", "game_play"):
        give_back(given, table)
    for table in ("stamp_sheet", "challenge_run"):
        give_back(given, table)
        if rows := given.moved.get(f"{table}-"):
            back = _lift(given.winner, rows) if table == "stamp_sheet" else rows
            put_back(replace(given, moved={table: back}), table)
    _players_back(given)
    put_back(given, "game_round")
    _pay_back(given.moved.get("game_round", []), 1)
    unshare(given, "customer_badge")
    unshare(given, "leaderboard_entry")


def _players_back(given: Return) -> None:
    if rows := given.moved.get("game_player"):
        execute(
            sql(
                "UPDATE game_player p SET used = greatest(0, p.used - r.used),"
                " earned = greatest(p.earned - r.earned, greatest(0, p.used - r.used))"
                " FROM jsonb_populate_recordset(NULL::game_player, {rows}::jsonb) r"
                " WHERE p.customer_id = {winner} AND p.game_id = r.game_id",
                rows=json.dumps(list(rows)),
                winner=given.winner,
            )
        )
        # What the winner only had from the loser is nothing any more.
        execute(
            sql(
                "DELETE FROM game_player p USING jsonb_populate_recordset(NULL::game_player, {rows}::jsonb) r"
                " WHERE p.customer_id = {winner} AND p.game_id = r.game_id AND p.used = 0 AND p.earned = 0"
                " AND NOT EXISTS (SELECT FROM game_play y WHERE y.customer_id = p.customer_id"
                " AND y.game_id = p.game_id)",
                rows=json.dumps(list(rows)),
                winner=given.winner,
            )
        )
        put_back(given, "game_player")
        # Numbers were given anew, and the next play must not have one of them.
        execute(
            sql(
                "UPDATE game_player p SET plays = greatest(p.plays, (SELECT coalesce(max(number), 0) FROM game_play y"
                " WHERE y.customer_id = p.customer_id AND y.game_id = p.game_id)) WHERE p.customer_id = {loser}",
                loser=given.loser,
            )
        )


def _lift(winner: int, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Take the stamps of these sheets off the winner's again, as far as those are still open; the sheets as they can
    come back."""
    lifted = dict(
        fetch(
            sql(
                "UPDATE stamp_sheet s SET stamps = s.stamps - r.stamps"
                " FROM jsonb_populate_recordset(NULL::stamp_sheet, {rows}::jsonb) r WHERE s.customer_id = {winner}"
                " AND s.card_id = r.card_id AND s.state = 'open' AND s.stamps >= r.stamps RETURNING r.id, r.stamps",
                rows=json.dumps(list(rows)),
                winner=winner,
            )
        )
    )
    return [row | {"stamps": lifted.get(row["id"], 0)} for row in rows]


_PLAY = _("To let you take part in challenges, stamp cards and games that you like.")
_ORIGIN = _("From what you did, and from what you were given.")
_BENEFIT = _("Prizes, and knowing how far you are.")
_KEPT = _("As long as you are a customer.")
_LOG = _("To show later that every draw was fair, without your name.")

hold_personal_data(
    PersonalData(
        package="loyalty.play",
        erase=erase,
        export=export,
        merge=merge,
        unmerge=unmerge,
        tables=(
            Held("stamp", _("Stamps"), _PLAY, _ORIGIN, _BENEFIT, _KEPT),
            Held("stamp_sheet", _("Sheets of stamps"), _PLAY, _ORIGIN, _BENEFIT, _KEPT),
            Held("challenge_run", _("Attempts at challenges"), _PLAY, _ORIGIN, _BENEFIT, _KEPT),
            Held("customer_badge", _("Badges"), _PLAY, _ORIGIN, _BENEFIT, _KEPT),
            Held("game_player", _("Games you play"), _PLAY, _ORIGIN, _BENEFIT, _KEPT),
            Held("game_ticket", _("Plays you were given"), _PLAY, _ORIGIN, _BENEFIT, _KEPT),
            Held("game_play", _("What you played"), _PLAY, _ORIGIN, _BENEFIT, _KEPT, reason=_LOG),
            Held("game_round", _("Games you are in the middle of"), _PLAY, _ORIGIN, _BENEFIT, _KEPT),
            Held("leaderboard_entry", _("Leaderboards you stand on"), _PLAY, _ORIGIN, _BENEFIT, _KEPT),
            Held("prize_award", _("What you won"), _PLAY, _ORIGIN, _BENEFIT, _KEPT, reason=_LOG),
        ),
    )
)
