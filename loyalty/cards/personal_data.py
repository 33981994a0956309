"""What cards hold about people: whose a card was, and what happened to it. Whose one is stands among the identities."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from loyalty.kit.erasures import Held, Moved, Pairs, PersonalData, Return, give_back, hand_over, hold_personal_data
from loyalty.kit.sql import execute, fetch_values, sql


def erase(customer_ids: Sequence[int]) -> int:
    """Forget whose cards these were, and their numbers: the plastic in a drawer leads to nobody and nothing."""
    ids = sql("{ids}::bigint[]", ids=list(customer_ids))
    cards = sql(
        "UPDATE card c SET number = 'erased-' || c.id, customer_id = NULL, label = NULL, state = 'ended',"
        " reason = 'returned' WHERE c.customer_id = ANY({ids}) OR c.number IN (SELECT i.value FROM customer_identity i"
        " WHERE i.kind = 'card' AND i.customer_id = ANY({ids}))",
        ids=ids,
    )
    return execute(cards) + execute(sql("DELETE FROM card_change WHERE customer_id = ANY({ids})", ids=ids))


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
    }


def merge(pairs: Pairs, now: datetime) -> Moved:
    """Former cards and their history become the winners'; usable ones follow their identities."""
    return {"card": hand_over(pairs, "card"), "card_change": hand_over(pairs, "card_change")}


def unmerge(given: Return) -> None:
    """Give back what was handed over."""
    give_back(given, "card")
    give_back(given, "card_change")


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
        ),
    )
)
