"""What the tables beside the ledger hold about people, for the erasing, exporting and merging of the program."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from loyalty.kit.erasures import Held
from loyalty.kit.sql import Sql, execute, fetch_values, sql

_MINE = "member_id IN (SELECT id FROM member WHERE customer_id = ANY({ids}))"
_WHOLE = ("household_member", "referral_code", "member_pin")


def erase(customer_ids: Sequence[int], member_ids: Sequence[int]) -> int:
    """Remove these people's rows; what others have of them (a referral) goes too. The rows."""
    members = sql("{ids}::bigint[]", ids=list(member_ids))
    rows = execute(sql("DELETE FROM points_order WHERE customer_id = ANY({ids}::bigint[])", ids=list(customer_ids)))
    homes = sql("SELECT household_id FROM household_member WHERE member_id = ANY({ids})", ids=members)
    left_behind = [row["household_id"] for row in fetch_values(sql("{homes} AND role = 'owner'", homes=homes))]
    rows += execute(
        sql(
            "UPDATE household SET name = NULL WHERE id IN ({homes} AND role = 'owner')",
            homes=homes,
        )
    )
    for table in (*_WHOLE, "member_review"):
        rows += execute(sql("DELETE FROM {table} WHERE member_id = ANY({ids})", table=Sql(table), ids=members))
    _pass_on(left_behind)
    return rows + execute(
        sql("DELETE FROM referral WHERE referrer_id = ANY({ids}) OR friend_id = ANY({ids})", ids=members)
    )


def _pass_on(household_ids: Sequence[int]) -> None:
    """Households whose owner is gone: the adult who has been in it longest owns it now; without one it ends."""
    if not household_ids:
        return
    ids = sql("{ids}::bigint[]", ids=list(household_ids))
    execute(
        sql(
            "UPDATE household_member SET role = 'owner' WHERE member_id IN ("
            " SELECT DISTINCT ON (household_id) member_id FROM household_member"
            " WHERE household_id = ANY({ids}) AND role = 'adult' ORDER BY household_id, joined_at, member_id)",
            ids=ids,
        )
    )
    ended = sql(
        "household_id = ANY({ids}) AND household_id NOT IN (SELECT household_id FROM household_member"
        " WHERE role = 'owner')",
        ids=ids,
    )
    execute(sql("DELETE FROM household_member WHERE {ended}", ended=ended))
    execute(
        sql(
            "DELETE FROM household WHERE id = ANY({ids}) AND id NOT IN (SELECT household_id FROM household_member)",
            ids=ids,
        )
    )


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """The person's rows by table; secrets are not shown."""
    mine = sql("(SELECT id FROM member WHERE customer_id = {id})", id=customer_id)
    queries = {
        "points_order": sql(
            "SELECT kind, points, reason, source, wanted_at, settled_at, refusal FROM points_order"
            " WHERE customer_id = {id} ORDER BY id",
            id=customer_id,
        ),
        "household_member": sql(
            "SELECT h.household_id, g.name AS household, h.role, h.joined_at FROM household_member h"
            " JOIN household g ON g.id = h.household_id WHERE h.member_id IN {mine}",
            mine=mine,
        ),
        "referral_code": sql("SELECT code, created_at FROM referral_code WHERE member_id IN {mine}", mine=mine),
        "member_pin": sql("SELECT set_at FROM member_pin WHERE member_id IN {mine}", mine=mine),
        "referral": sql(
            "SELECT CASE WHEN referrer_id IN {mine} THEN 'you referred a friend' ELSE 'a friend referred you' END AS"
            " side, state, came_at, decided_at FROM referral WHERE referrer_id IN {mine} OR friend_id IN {mine}"
            " ORDER BY id",
            mine=mine,
        ),
        "member_review": sql(
            "SELECT cap, counted, opened_at, state, decided_at FROM member_review WHERE member_id IN {mine}"
            " ORDER BY id",
            mine=mine,
        ),
    }
    return {table: fetch_values(query) for table, query in queries.items()}


def fold(these: Sql) -> None:
    """Rows of members who become another one: `these` is `... AS f (loser, winner, customer)`. Where both have a row
    the winner's stays; a referral between the two is none."""
    for table in _WHOLE:
        for statement in (
            # The order of ids: two losers of one winner would both move.
            "UPDATE {table} t SET member_id = f.winner FROM (SELECT DISTINCT ON (f.winner) f.winner, f.loser"
            " FROM {these} JOIN {table} x ON x.member_id = f.loser ORDER BY f.winner, f.loser) f"
            " WHERE t.member_id = f.loser AND NOT EXISTS (SELECT FROM {table} o WHERE o.member_id = f.winner)",
            "DELETE FROM {table} t USING {these} WHERE t.member_id = f.loser",
        ):
            execute(sql(statement, table=Sql(table), these=these))
    execute(
        sql("DELETE FROM member_review t USING {these} WHERE t.member_id = f.loser AND t.state = 'open'", these=these)
    )
    execute(
        sql("UPDATE member_review t SET member_id = f.winner FROM {these} WHERE t.member_id = f.loser", these=these)
    )
    execute(
        sql(
            "DELETE FROM referral r USING {these} WHERE (r.referrer_id, r.friend_id) IN ((f.loser, f.winner),"
            " (f.winner, f.loser)) OR (r.friend_id = f.loser AND EXISTS (SELECT FROM referral o"
            " WHERE o.friend_id = f.winner))",
            these=these,
        )
    )
    execute(sql("UPDATE referral r SET referrer_id = f.winner FROM {these} WHERE r.referrer_id = f.loser", these=these))
    execute(sql("UPDATE referral r SET friend_id = f.winner FROM {these} WHERE r.friend_id = f.loser", these=these))


_KEPT = _("as long as you are a member")
TABLES = (
    Held(
        "points_order",
        _("Points and tiers that a campaign ordered for you"),
        _("to give you what a campaign promised"),
        _("made by our campaigns"),
        _("nothing that was promised gets lost"),
        _KEPT,
    ),
    Held(
        "household_member",
        _("The household with which you collect together"),
        _("to let a household spend its points together"),
        _("told by you or the household's owner"),
        _("you can spend points together"),
        _KEPT,
        rows=_MINE,
    ),
    Held(
        "referral_code",
        _("Your code for friends"),
        _("to thank you for friends who come"),
        _("made when you ask for it"),
        _("points for you and your friends"),
        _KEPT,
        rows=_MINE,
    ),
    Held(
        "member_pin",
        _("That you have a PIN, as a hash from which nobody reads it"),
        _("to let nobody but you spend your points"),
        _("chosen by you"),
        _("your points are safe when your card is lost"),
        _KEPT,
        rows=_MINE,
    ),
    Held(
        "referral",
        _("Friends who came with your code, or whose code you came with"),
        _("to thank both, and to see that nobody refers themselves"),
        _("told by you when you join"),
        _("points for you and your friends"),
        _KEPT,
        rows="friend_id IN (SELECT id FROM member WHERE customer_id = ANY({ids}))"
        " OR referrer_id IN (SELECT id FROM member WHERE customer_id = ANY({ids}))",
    ),
    Held(
        "member_review",
        _("Bookings that came unusually fast, and what was decided"),
        _("to keep your points safe from strangers"),
        _("counted from your bookings"),
        _("somebody looks before points are lost"),
        _KEPT,
        rows=_MINE,
    ),
)
