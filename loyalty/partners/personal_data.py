"""What partners hold and were told about people."""

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
from loyalty.partners import settlement


def erase(customer_ids: Sequence[int]) -> int:
    """Forget these people; first settle their purchases, which are about to forget where they were."""
    ids = sql("{ids}::bigint[]", ids=list(customer_ids))
    settlement.of_members_of(customer_ids)
    rows = execute(sql("DELETE FROM partner_link WHERE customer_id = ANY({ids})", ids=ids))
    rows += execute(sql("DELETE FROM partner_consent WHERE customer_id = ANY({ids})", ids=ids))
    rows += execute(sql("DELETE FROM partner_transfer WHERE customer_id = ANY({ids})", ids=ids))
    return rows + execute(sql("DELETE FROM foreign_account WHERE customer_id = ANY({ids})", ids=ids))


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """Everything about the person, with the recipients by name."""
    return {
        "partner_link": fetch_values(
            sql(
                "SELECT p.key AS partner, l.enrolled, l.since FROM partner_link l JOIN partner p ON p.id = l.partner_id"
                " WHERE l.customer_id = {id} ORDER BY l.id",
                id=customer_id,
            )
        ),
        "partner_consent": fetch_values(
            sql(
                "SELECT p.key AS partner, c.granted, c.at, c.recorded_at, c.source, c.text_version"
                " FROM partner_consent c JOIN partner p ON p.id = c.partner_id WHERE c.customer_id = {id}"
                " ORDER BY c.id",
                id=customer_id,
            )
        ),
        "partner_transfer": fetch_values(
            sql(
                "SELECT p.key AS partner, t.at, t.fields, t.occasion FROM partner_transfer t"
                " JOIN partner p ON p.id = t.partner_id WHERE t.customer_id = {id} ORDER BY t.id",
                id=customer_id,
            )
        ),
        "foreign_account": fetch_values(
            sql(
                "SELECT f.key AS program, a.number, a.balance, a.moved, a.as_of FROM foreign_account a"
                " JOIN foreign_program f ON f.id = a.foreign_id WHERE a.customer_id = {id} ORDER BY a.id",
                id=customer_id,
            )
        ),
    }


def merge(pairs: Pairs, now: datetime) -> Moved:
    """The losers' rows are the winners'; being known to a partner is kept once."""
    return {
        **share(pairs, "partner_link", ("partner_id",)),
        **{table: hand_over(pairs, table) for table in ("partner_consent", "partner_transfer", "foreign_account")},
    }


def unmerge(given: Return) -> None:
    """The loser has its rows again."""
    unshare(given, "partner_link")
    for table in ("partner_consent", "partner_transfer", "foreign_account"):
        give_back(given, table)


TABLES = (
    Held(
        "partner_link",
        _("Which partners of the program know you, and whether you joined through them"),
        _("to know which partner may see which of your data"),
        _("you joined or showed your card there"),
        _("one card works at all partners"),
        _("as long as your profile"),
    ),
    Held(
        "partner_consent",
        _("Whether you agreed that a partner gets your data"),
        _("to prove what you agreed to"),
        _("you declared it"),
        _("nobody gets more of your data than you want"),
        _("as long as your profile"),
    ),
    Held(
        "partner_transfer",
        _("Which of your data were passed on to partners, when and on what occasion"),
        _("to be able to tell you who got what"),
        _("noted when it was passed on"),
        _("you can see who got what"),
        _("as long as your profile"),
    ),
    Held(
        "foreign_account",
        _("Your account in another loyalty program: its number and balance"),
        _("to let you keep your points when you change over"),
        _("the other program told us"),
        _("your points move over with you"),
        _("as long as your profile"),
    ),
)

hold_personal_data(PersonalData("loyalty.partners", erase, export, merge, unmerge, TABLES))
