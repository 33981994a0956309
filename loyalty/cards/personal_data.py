"""What cards hold about people: whose a card was, and what happened to it. Whose one is stands among the identities."""

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
from loyalty.kit.sql import execute, fetch_values, identifier, sql


def erase(customer_ids: Sequence[int]) -> int:
    """Forget whose cards these were, and their numbers: the plastic in a drawer leads to nobody and nothing."""
    ids = sql("{ids}::bigint[]", ids=list(customer_ids))
    cards = sql(
        "UPDATE card c SET number = 'erased-' || c.id, customer_id = NULL, label = NULL, state = 'ended',"
        " reason = 'returned' WHERE c.customer_id = ANY({ids}) OR c.number IN (SELECT i.value FROM customer_identity i"
        " WHERE i.kind = 'card' AND i.customer_id = ANY({ids}))",
        ids=ids,
    )
    gone = ("card_change", "wallet_pass", "wallet_device")
    tables = [sql("DELETE FROM {table} WHERE customer_id = ANY({ids})", table=identifier(one), ids=ids) for one in gone]
    return execute(cards) + sum(execute(one) for one in tables)


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """The person's rows by table."""
    mine = sql(
        "(c.customer_id = {id} OR c.number IN (SELECT value FROM customer_identity"
        " WHERE kind = 'card' AND customer_id = {id}))",
        id=customer_id,
    )
    return {
        "card": fetch_values(
            sql(
                "SELECT c.number, c.state, c.reason, c.label, c.issued_at, c.assigned_at, c.changed_at FROM card c"
                " WHERE {mine} ORDER BY c.id",
                mine=mine,
            )
        ),
        "card_change": fetch_values(
            sql(
                "SELECT c.number, h.act, h.at, h.reason FROM card_change h JOIN card c ON c.id = h.card_id"
                " WHERE h.customer_id = {id} ORDER BY h.id",
                id=customer_id,
            )
        ),
        "wallet_pass": fetch_values(
            sql("SELECT updated_at FROM wallet_pass WHERE customer_id = {id}", id=customer_id),
        ),
        "wallet_device": fetch_values(
            sql(
                "SELECT device, push_token, registered_at FROM wallet_device WHERE customer_id = {id} ORDER BY id",
                id=customer_id,
            )
        ),
    }


def merge(pairs: Pairs, now: datetime) -> Moved:
    """Former cards and their history become the winners'; usable ones follow their identities."""
    moved = {"card": hand_over(pairs, "card"), "card_change": hand_over(pairs, "card_change")}
    return moved | share(pairs, "wallet_pass", []) | share(pairs, "wallet_device", ["device"])


def unmerge(given: Return) -> None:
    """Give back what was handed over."""
    give_back(given, "card")
    give_back(given, "card_change")
    unshare(given, "wallet_pass")
    unshare(given, "wallet_device")


hold_personal_data(
    PersonalData(
        package="loyalty.cards",
        erase=erase,
        export=export,
        merge=merge,
        unmerge=unmerge,
        tables=(
            Held(
                "card",
                what=_("Your cards: number, when you got them, and whether they were lost or replaced"),
                purpose=_("So that tills know you, and refuse a card that you have lost"),
                origin=_("We issue the cards"),
                benefit=_("You get your points everywhere with one card"),
                kept=_("Until your data is deleted"),
                rows="customer_id = ANY({ids}) OR number IN (SELECT value FROM customer_identity"
                " WHERE kind = 'card' AND customer_id = ANY({ids}))",
            ),
            Held(
                "card_change",
                what=_("What happened to your cards: given out, blocked, replaced"),
                purpose=_("To answer questions about a lost card"),
                origin=_("From those who work with the cards, and from you"),
                benefit=_("A lost card harms nobody"),
                kept=_("Until your data is deleted"),
            ),
            Held(
                "wallet_pass",
                what=_("When the card in your phone changed last"),
                purpose=_("So that your phone gets it again only when there is something new"),
                origin=_("Noted when your phone asked"),
                benefit=_("The card in your phone shows your points"),
                kept=_("Until you remove the card from your phone"),
            ),
            Held(
                "wallet_device",
                what=_("Phones that hold your card: what they call themselves, and since when"),
                purpose=_("So that your phone can ask whether the card has changed"),
                origin=_("Told by your phone when you added the card"),
                benefit=_("The card in your phone shows your points"),
                kept=_("Until you remove the card from your phone"),
            ),
        ),
    )
)
