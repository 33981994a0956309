"""What paid memberships hold about people: contracts, fees, what they declared, letters."""

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
)
from loyalty.kit.sql import execute, fetch, fetch_values, sql
from loyalty.subscriptions import closing, names

TABLES_BY_CUSTOMER = ("subscription", "subscription_declaration", "subscription_notice")


def erase(customer_ids: Sequence[int]) -> int:
    """End what runs, and take everything out that tells whose it was; amounts stay for the books."""
    mine = sql("customer_id = ANY({ids}::bigint[])", ids=list(customer_ids))
    now = fetch("SELECT clock_timestamp()")[0][0]
    running = fetch(
        sql(
            "SELECT id FROM subscription WHERE {mine} AND state = ANY({states}::text[]) ORDER BY id FOR NO KEY UPDATE",
            mine=mine,
            states=list(names.RUNNING),
        )
    )
    closing.close([row[0] for row in running], state=names.ENDED, reason="erased", now=now)
    contracts = sql("SELECT id FROM subscription WHERE {mine}", mine=mine)
    charges = sql("SELECT id FROM subscription_charge WHERE subscription_id IN ({c})", c=contracts)
    execute(
        sql(
            "UPDATE subscription_report SET reason = NULL, actor = NULL, reference = 'erased-' || id"
            " WHERE charge_id IN ({c})",
            c=charges,
        )
    )
    execute(
        sql(
            "UPDATE subscription_charge SET reference = NULL, reason = NULL WHERE subscription_id IN ({c})"
            " AND (reference IS NOT NULL OR reason IS NOT NULL)",
            c=contracts,
        )
    )
    execute(sql("UPDATE subscription_benefit SET reference = NULL WHERE subscription_id IN ({c})", c=contracts))
    rows = execute(
        sql(
            "UPDATE subscription_declaration SET customer_id = NULL, subscription_id = NULL, name = NULL, email = NULL,"
            " contract = NULL, reason = NULL, note = NULL, locale = NULL, settled_by = NULL,"
            " state = CASE WHEN state IN ('waiting', 'unmatched') THEN 'settled' ELSE state END"
            " WHERE {mine} OR subscription_id IN ({contracts}) OR (state = 'waiting' AND lower(email) IN"
            " (SELECT lower(email) FROM customer WHERE id = ANY({ids}::bigint[])))",
            ids=list(customer_ids),
            mine=mine,
            contracts=contracts,
        )
    )
    rows += execute(sql("DELETE FROM subscription_notice WHERE {mine}", mine=mine))
    return rows + execute(
        sql(
            "UPDATE subscription SET customer_id = NULL, evidence = '{{}}', key_digest = NULL,"
            " number = 'erased-' || id WHERE {mine}",
            mine=mine,
        )
    )


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """The person's rows by table."""
    queries = {
        "subscription": sql(
            "SELECT s.number, p.key AS plan, s.state, s.ordered_at, s.fee, s.currency, s.months, s.trial_ends_at,"
            " s.first_term_ends_at, s.term_ends_at, s.cancelled_at, s.ends_at, s.ended_at, s.end_reason, s.evidence,"
            " s.terms, s.source FROM subscription s JOIN plan p ON p.id = s.plan_id WHERE s.customer_id = {id}"
            " ORDER BY s.id",
            id=customer_id,
        ),
        "subscription_charge": sql(
            "SELECT s.number AS contract, c.kind, c.period_start, c.period_end, c.amount, c.currency, c.due_at,"
            " c.state, c.paid_at, c.reference FROM subscription_charge c JOIN subscription s"
            " ON s.id = c.subscription_id WHERE s.customer_id = {id} ORDER BY c.id",
            id=customer_id,
        ),
        "subscription_report": sql(
            "SELECT s.number AS contract, r.outcome, r.reference, r.reason, r.at FROM subscription_report r"
            " JOIN subscription_charge c ON c.id = r.charge_id JOIN subscription s ON s.id = c.subscription_id"
            " WHERE s.customer_id = {id} ORDER BY r.id",
            id=customer_id,
        ),
        "subscription_benefit": sql(
            "SELECT s.number AS contract, b.kind, b.quantity, b.worth, b.at FROM subscription_benefit b"
            " JOIN subscription s ON s.id = b.subscription_id WHERE s.customer_id = {id} ORDER BY b.id",
            id=customer_id,
        ),
        "subscription_declaration": sql(
            "SELECT kind, state, received_at, name, email, contract, extraordinary, reason, wished_end, settled_at,"
            " note FROM subscription_declaration WHERE customer_id = {id} ORDER BY id",
            id=customer_id,
        ),
        "subscription_notice": sql(
            "SELECT kind, created_at, sent_at FROM subscription_notice WHERE customer_id = {id} ORDER BY id",
            id=customer_id,
        ),
    }
    return {table: fetch_values(query) for table, query in queries.items()}


def merge(pairs: Pairs, now: datetime) -> Moved:
    """The winners have the losers' contracts; two that run go on until one is cancelled."""
    return {table: hand_over(pairs, table) for table in TABLES_BY_CUSTOMER}


def unmerge(given: Return) -> None:
    """Contracts, declarations and letters go back to whose they were."""
    for table in TABLES_BY_CUSTOMER:
        give_back(given, table)


_PURPOSE = _("to keep the contract of your paid membership")
_BOOKS = _("amounts stay without a name, because the books must add up")
_MINE = "(SELECT id FROM subscription WHERE customer_id = ANY({ids}))"
_KEPT = _("as long as you are a customer")
TABLES = (
    Held(
        "subscription", _("Paid memberships that you ordered"), _PURPOSE, _("told by you when you ordered"),
        _("you have what you pay for, and can prove what was agreed"), _KEPT, reason=_BOOKS,
    ),
    Held(
        "subscription_charge", _("Fees, and what was paid back"), _PURPOSE, _("computed from the contract"),
        _("you see what you paid for"), _KEPT, rows=f"subscription_id IN {_MINE}", reason=_BOOKS,
    ),
    Held(
        "subscription_report", _("Payments that came or failed"), _PURPOSE, _("told by who collects the payments"),
        _("no payment is counted twice"), _KEPT,
        rows=f"charge_id IN (SELECT id FROM subscription_charge WHERE subscription_id IN {_MINE})", reason=_BOOKS,
    ),
    Held(
        "subscription_benefit", _("What your membership brought you"), _PURPOSE, _("noted with each month"),
        _("you see whether it is worth its fee"), _KEPT, rows=f"subscription_id IN {_MINE}", reason=_BOOKS,
    ),
    Held(
        "subscription_declaration", _("Cancellations and withdrawals that you declared"), _PURPOSE,
        _("told by you on the page for it"), _("they count from the moment they came in"), _KEPT,
        reason=_("that there was one stays as a number without a name"),
    ),
    Held(
        "subscription_notice", _("Letters about your membership"), _PURPOSE, _("noted with each letter"),
        _("you are told in time"), _KEPT,
    ),
)  # fmt: skip

hold_personal_data(PersonalData("loyalty.subscriptions", erase, export, merge, unmerge, TABLES))
