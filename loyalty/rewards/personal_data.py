"""What the shop holds about people: what they redeemed, where it went, what they wish for."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from loyalty.kit.erasures import (
    Held,
    Moved,
    Pairs,
    PersonalData,
    Return,
    give_back,
    hand_over,
    hold_personal_data,
    share,
    unshare,
)
from loyalty.kit.sql import execute, fetch, fetch_values, sql
from loyalty.rewards import fulfillment


def erase(customer_ids: Sequence[int]) -> int:
    """Cancel what is on its way, and take everything out of redemptions that could tell whose they were."""
    mine = sql("customer_id = ANY({ids}::bigint[])", ids=list(customer_ids))
    # Business time: nothing of this is told to anybody, but stock and steps have an instant.
    now = fetch("SELECT clock_timestamp()")[0][0]
    fulfillment.abandon(mine, now=now)
    execute(
        sql(
            "UPDATE reward_code SET code = '' WHERE redemption_id IN (SELECT id FROM reward_redemption WHERE {mine})",
            mine=mine,
        )
    )
    execute(
        sql(
            "UPDATE reward_redemption_step SET actor = NULL WHERE actor IS NOT NULL"
            " AND redemption_id IN (SELECT id FROM reward_redemption WHERE {mine})",
            mine=mine,
        )
    )
    # What a supplier answered may name whom it was for.
    execute(
        sql(
            "UPDATE supplier_order SET last_error = NULL WHERE last_error IS NOT NULL"
            " AND redemption_id IN (SELECT id FROM reward_redemption WHERE {mine})",
            mine=mine,
        )
    )
    rows = execute(
        sql(
            "UPDATE reward_redemption SET customer_id = NULL, address = NULL, note = NULL, tracking = NULL,"
            " payment = NULL, reason = NULL, key_digest = NULL, content_digest = NULL WHERE {mine}",
            mine=mine,
        )
    )
    return rows + execute(sql("DELETE FROM wish WHERE {mine}", mine=mine))


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """The person's rows by table."""
    queries = {
        "reward_redemption": sql(
            "SELECT o.id, r.key AS reward, o.quantity, o.state, o.ordered_at, o.state_since, o.points, o.money,"
            " o.currency, o.payment, o.address, o.tracking, o.note, o.reason, o.won, o.source FROM reward_redemption o"
            " JOIN reward r ON r.id = o.reward_id WHERE o.customer_id = {id} ORDER BY o.id",
            id=customer_id,
        ),
        "reward_redemption_step": sql(
            "SELECT s.redemption_id, s.state, s.at FROM reward_redemption_step s JOIN reward_redemption o"
            " ON o.id = s.redemption_id WHERE o.customer_id = {id} ORDER BY s.id",
            id=customer_id,
        ),
        "supplier_order": sql(
            "SELECT t.redemption_id, s.name AS supplier, t.created_at, t.last_at, t.state, t.last_error"
            " FROM supplier_order t JOIN supplier s ON s.id = t.supplier_id JOIN reward_redemption o"
            " ON o.id = t.redemption_id WHERE o.customer_id = {id} ORDER BY t.redemption_id",
            id=customer_id,
        ),
        "reward_code": sql(
            "SELECT c.redemption_id, c.code, c.expires_at FROM reward_code c JOIN reward_redemption o"
            " ON o.id = c.redemption_id WHERE o.customer_id = {id} ORDER BY c.id",
            id=customer_id,
        ),
        "wish": sql(
            "SELECT r.key AS reward, w.since, w.reached_at FROM wish w JOIN reward r ON r.id = w.reward_id"
            " WHERE w.customer_id = {id} ORDER BY w.program_id",
            id=customer_id,
        ),
    }
    return {table: fetch_values(query) for table, query in queries.items()}


def merge(pairs: Pairs, now: datetime) -> Moved:
    """The winners redeemed what the losers did; who has no wish takes over the other's."""
    moved = {"reward_redemption": hand_over(pairs, "reward_redemption")}
    return moved | share(pairs, "wish", ["program_id"])


def unmerge(given: Return) -> None:
    """Redemptions and the wish go back to whose they were."""
    give_back(given, "reward_redemption")
    unshare(given, "wish")


_PURPOSE = _("to give you what you redeem your points for")
_BY_YOU = _("told by you when you redeemed")
_ROWS = "redemption_id IN (SELECT id FROM reward_redemption WHERE customer_id = ANY({ids}))"
_NUMBER = _("what was redeemed stays as a number without a name, because accounts and stock must add up")
TABLES = (
    Held(
        "reward_redemption",
        _("Rewards that you redeemed, and where they were sent"),
        _PURPOSE,
        _BY_YOU,
        _("you get them, can follow them, cancel them and get your points back"),
        _("as long as you are a customer"),
        reason=_NUMBER,
    ),
    Held(
        "reward_redemption_step",
        _("When a reward was ordered, packed, shipped and delivered"),
        _PURPOSE,
        _("noted with each step"),
        _("you see how far it is"),
        _("as long as you are a customer"),
        rows=_ROWS,
        reason=_NUMBER,
    ),
    Held(
        "supplier_order",
        _("Which of your rewards a supplier was asked to send"),
        _PURPOSE,
        _("noted when the order went to the supplier"),
        _("it arrives"),
        _("as long as you are a customer"),
        rows=_ROWS,
        reason=_NUMBER,
    ),
    Held(
        "reward_code",
        _("Codes that you got for your points"),
        _PURPOSE,
        _("given to you when you redeemed"),
        _("you find them again"),
        _("as long as you are a customer"),
        rows=_ROWS,
        reason=_("the place of the code stays, the code itself is deleted, so that nobody gets it again"),
    ),
    Held(
        "wish",
        _("The reward that you save points for"),
        _("to tell you how far you are"),
        _("chosen by you"),
        _("you are told when there are points enough, or when it is back in stock"),
        _("until you choose another or redeem it"),
    ),
)

hold_personal_data(PersonalData("loyalty.rewards", erase, export, merge, unmerge, TABLES))
