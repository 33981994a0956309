"""What the checkout holds about people: held baskets, vouchers used on purchases, receipts they claimed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from loyalty.kit.erasures import Held, Moved, Pairs, PersonalData, Return, give_back, hand_over, hold_personal_data
from loyalty.kit.sql import execute, fetch_values, sql

_KEYS = {
    "held_basket": "id",
    "sale": "booking_id",
    "unmatched_receipt": "id",
    "claim_attempt": "id",
    "receipt_photo": "id",
    "reward_due": "redemption_id",
}


def erase(customer_ids: Sequence[int]) -> int:
    """Forget who it was and what was said; what the ledger needs to be right stays without a name."""
    ids = sql("{ids}::bigint[]", ids=list(customer_ids))
    return sum(
        execute(sql(query, ids=ids))
        for query in (
            "UPDATE held_basket SET customer_id = NULL, reference = NULL, basket = NULL, holds = '[]',"
            " state = CASE state WHEN 'committed' THEN state ELSE 'released' END WHERE customer_id = ANY({ids})",
            "UPDATE sale SET customer_id = NULL, answer = NULL WHERE customer_id = ANY({ids})",
            "UPDATE unmatched_receipt SET customer_id = NULL, number = NULL, store = NULL, row = NULL, returned = '[]',"
            " code = 'erased-' || id, state = 'claimed' WHERE customer_id = ANY({ids})",
            "DELETE FROM claim_attempt WHERE customer_id = ANY({ids})",
            "DELETE FROM receipt_photo WHERE customer_id = ANY({ids})",
            "UPDATE reward_due SET customer_id = NULL, refund = NULL WHERE customer_id = ANY({ids})",
        )
    )


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """The person's rows by table."""
    queries = {
        "held_basket": "SELECT reference, state, basket, made_at, ends_at FROM held_basket"
        " WHERE customer_id = {id} ORDER BY id",
        "sale": "SELECT b.reference, s.gross, s.discount, s.paid, s.answer, s.at FROM sale s"
        " JOIN booking b ON b.id = s.booking_id WHERE s.customer_id = {id} ORDER BY s.booking_id",
        "unmatched_receipt": "SELECT number, store, occurred_at, amount, row, settled_at FROM unmatched_receipt"
        " WHERE customer_id = {id} ORDER BY id",
        "claim_attempt": "SELECT at FROM claim_attempt WHERE customer_id = {id} ORDER BY id",
        "receipt_photo": "SELECT state, note, sent_at, decided_at, reason, width, height,"
        " encode(picture, 'base64') AS picture_base64 FROM receipt_photo WHERE customer_id = {id} ORDER BY id",
        "reward_due": "SELECT o.money AS amount, o.currency, d.way, d.made_at, d.paid_at, o.payment, d.refunded_at"
        " FROM reward_due d JOIN reward_redemption o ON o.id = d.redemption_id WHERE d.customer_id = {id}"
        " ORDER BY d.redemption_id",
    }
    return {table: fetch_values(sql(query, id=customer_id)) for table, query in queries.items()}


def merge(pairs: Pairs, now: datetime) -> Moved:
    """Everything becomes the winners'."""
    return {table: hand_over(pairs, table, key) for table, key in _KEYS.items()}


def unmerge(given: Return) -> None:
    """Give back what was handed over."""
    for table, key in _KEYS.items():
        give_back(given, table, key)


hold_personal_data(
    PersonalData(
        package="loyalty.checkout",
        erase=erase,
        export=export,
        merge=merge,
        unmerge=unmerge,
        tables=(
            Held(
                "held_basket",
                what=_("Baskets that were held for you at a checkout"),
                purpose=_("So that nobody else takes your points and vouchers while you pay"),
                origin=_("From the shop in which you bought"),
                benefit=_("You pay with points and vouchers"),
                kept=_("As long as the purchase they belong to"),
            ),
            Held(
                "sale",
                what=_("Vouchers and offers that you used, and what they saved you"),
                purpose=_("To give them back when a purchase comes back"),
                origin=_("From the shop in which you bought"),
                benefit=_("You can use your vouchers again after a return"),
                kept=_("As long as the purchase they belong to"),
            ),
            Held(
                "unmatched_receipt",
                what=_("Receipts that you claimed afterwards"),
                purpose=_("To give you the points of purchases at which you had no card with you"),
                origin=_("From the shop in which you bought, and from you"),
                benefit=_("No purchase is lost"),
                kept=_("As long as the purchase they belong to"),
            ),
            Held(
                "claim_attempt",
                what=_("Receipts that you named and that do not exist: only when, not which"),
                purpose=_("So that nobody tries the numbers of other people's receipts"),
                origin=_("From you"),
                benefit=_("Nobody takes your receipts"),
                kept=_("A day matters; they are deleted with your data"),
            ),
            Held(
                "receipt_photo",
                what=_("Photos of receipts that you sent us"),
                purpose=_("To read the receipt and book your points"),
                origin=_("From you"),
                benefit=_("You get points for purchases at which you had no card with you"),
                kept=_("The picture for 30 days after we decided; that it came, as long as the purchase"),
            ),
            Held(
                "reward_due",
                what=_("What you still had to pay for rewards, and when you did"),
                purpose=_("To take the money, and to give it back when an order is cancelled"),
                origin=_("From your order, and from the shop in which you paid"),
                benefit=_("You pay a part with points and a part with money"),
                kept=_("As long as the order it belongs to"),
            ),
        ),
    )
)
