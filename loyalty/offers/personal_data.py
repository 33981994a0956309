"""What offers hold about people. Uses stay as numbers without a name: limits and budgets count them."""

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
from loyalty.kit.sql import execute, fetch_values, sql

_HANDED = ("offer_reservation", "offer_use", "voucher")


def erase(customer_ids: Sequence[int]) -> int:
    """Wallets go, vouchers are withdrawn, uses belong to nobody; a gift card with money stays good."""
    ids = sql("{ids}::bigint[]", ids=list(customer_ids))
    rows = execute(
        sql(
            "UPDATE offer_reservation SET customer_id = NULL, reference = NULL, content_digest = NULL, store = NULL,"
            " channel = NULL, answer = '{{}}'::jsonb WHERE customer_id = ANY({ids})",
            ids=ids,
        )
    )
    rows += execute(
        sql(
            "UPDATE offer_use SET customer_id = NULL, lines = '{{}}'::jsonb WHERE customer_id = ANY({ids})",
            ids=ids,
        )
    )
    rows += execute(
        sql(
            "UPDATE voucher SET customer_id = NULL, origin_id = NULL, source = NULL,"
            " state = CASE WHEN available + held > 0 THEN state ELSE 2 END,"
            " code = CASE WHEN available + held > 0 THEN code END WHERE customer_id = ANY({ids})",
            ids=ids,
        )
    )
    rows += execute(sql("DELETE FROM offer_personal WHERE customer_id = ANY({ids})", ids=ids))
    return rows + execute(sql("DELETE FROM offer_wallet WHERE customer_id = ANY({ids})", ids=ids))


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """The person's rows by table."""
    queries = {
        "voucher": sql(
            "SELECT p.key AS pool, v.code, v.state, v.uses, v.valid_from, v.valid_until, v.issued_at, v.source,"
            " v.available FROM voucher v JOIN voucher_pool p ON p.id = v.pool_id WHERE v.customer_id = {id}"
            " ORDER BY v.id",
            id=customer_id,
        ),
        "offer_wallet": sql(
            "SELECT o.key AS offer, w.given_at, w.activated_at FROM offer_wallet w JOIN offer o ON o.id = w.offer_id"
            " WHERE w.customer_id = {id} ORDER BY o.key",
            id=customer_id,
        ),
        "offer_personal": sql(
            "SELECT o.key AS offer, r.given_at, r.ends_at, p.held_out, p.size, p.usual, p.threshold, p.category,"
            " p.reached, p.redeemed, p.revenue FROM offer_personal p JOIN offer_round r ON r.id = p.round_id"
            " JOIN offer o ON o.id = r.offer_id WHERE p.customer_id = {id} ORDER BY r.given_at, o.key",
            id=customer_id,
        ),
        "offer_reservation": sql(
            "SELECT reference, state, made_at, settled_at, currency, total, discount, paid, store, channel, answer"
            " FROM offer_reservation WHERE customer_id = {id} ORDER BY id",
            id=customer_id,
        ),
        "offer_use": sql(
            "SELECT p.key AS pool, o.key AS offer, u.state, u.at, u.amount, u.paid, u.lines FROM offer_use u"
            " LEFT JOIN voucher_pool p ON p.id = u.pool_id LEFT JOIN offer o ON o.id = u.offer_id"
            " WHERE u.customer_id = {id} ORDER BY u.id",
            id=customer_id,
        ),
    }
    return {table: fetch_values(query) for table, query in queries.items()}


def merge(pairs: Pairs, now: datetime) -> Moved:
    """The winners have the losers' vouchers and uses, and their offers where they had none of their own."""
    moved: Moved = {table: hand_over(pairs, table) for table in _HANDED}
    return moved | share(pairs, "offer_wallet", ["offer_id"]) | share(pairs, "offer_personal", ["round_id"])


def unmerge(given: Return) -> None:
    """The losers have again what was theirs and is still there."""
    for table in _HANDED:
        give_back(given, table)
    unshare(given, "offer_wallet")
    unshare(given, "offer_personal")


_KEPT = _("as long as your profile")
_COUNTED = _("the number stays without your name, because limits and budgets must add up")
TABLES = (
    Held(
        "voucher",
        _("Vouchers and gift cards that you got"),
        _("so that only you can use what was given to you"),
        _("made when we gave you a voucher"),
        _("discounts, gifts and money to spend"),
        _KEPT,
        reason=_("a gift card stays good for whoever holds it, without your name"),
    ),
    Held(
        "offer_wallet",
        _("Offers in your wallet and which of them you activated"),
        _("to show you offers and to use them when you pay"),
        _("chosen by you, or given to you by us"),
        _("offers work at the till without a code"),
        _KEPT,
    ),
    Held(
        "offer_personal",
        _("Offers made for you from what you bought, and whether you were in the group without them"),
        _("to offer you what fits, and to see whether that is worth it"),
        _("made from your purchases"),
        _("offers that fit what you buy"),
        _("400 days after the offer was over"),
    ),
    Held(
        "offer_reservation",
        _("Checkouts in which you used vouchers or offers"),
        _("so that a voucher is used once, and comes back with a return"),
        _("told by the till or the shop"),
        _("the right discount on each purchase"),
        _KEPT,
        reason=_COUNTED,
    ),
    Held(
        "offer_use",
        _("Which vouchers and offers you used, and what they saved you"),
        _("to count how often each can be used"),
        _("made with each checkout"),
        _("you can see what you saved"),
        _KEPT,
        reason=_COUNTED,
    ),
)

hold_personal_data(PersonalData("loyalty.offers", erase, export, merge, unmerge, TABLES))
