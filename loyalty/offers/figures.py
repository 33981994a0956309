"""What pools and offers did, for the admin: by day, in all; bounded looks."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from loyalty.kit.sql import Sql, fetch, fetch_dicts, sql

DAYS = 30
SHOWN = 20


def by_day(column: str, identifier: int, *, now: datetime) -> list[tuple[date, int, Decimal]]:
    """(day, uses redeemed, discount and gift money) for each of the last 30 days; `column` is pool_id or offer_id."""
    rows = fetch(
        sql(
            "SELECT d::date, count(u.id), coalesce(sum(u.amount + u.paid), 0)"
            " FROM generate_series({first}::date, {last}::date, interval '1 day') AS d LEFT JOIN offer_use u"
            " ON u.{column} = {id} AND u.state = 'redeemed' AND u.at >= d AND u.at < d + interval '1 day'"
            " GROUP BY 1 ORDER BY 1",
            first=(now - timedelta(days=DAYS - 1)).date(),
            last=now.date(),
            column=Sql(column),
            id=identifier,
        )
    )
    return [(day, count, amount) for day, count, amount in rows]


def by_state(column: str, identifier: int) -> dict[str, dict[str, Any]]:
    """Uses and money by state."""
    rows = fetch_dicts(
        sql(
            "SELECT state, count(*) AS n, sum(amount) AS amount, sum(paid) AS paid, count(DISTINCT customer_id) AS"
            " people FROM offer_use WHERE {column} = {id} GROUP BY 1",
            column=Sql(column),
            id=identifier,
        )
    )
    return {row.pop("state"): row for row in rows}


def uses_of_voucher(voucher_id: int) -> list[dict[str, Any]]:
    """The latest uses of one code."""
    return fetch_dicts(
        sql(
            "SELECT u.at, u.state, u.amount, u.paid, r.reference, r.store, r.channel, r.currency, u.customer_id"
            " FROM offer_use u JOIN offer_reservation r ON r.id = u.reservation_id WHERE u.voucher_id = {id}"
            " ORDER BY u.id DESC LIMIT {most}",
            id=voucher_id,
            most=SHOWN,
        )
    )


def entries_of_card(voucher_id: int) -> list[dict[str, Any]]:
    """The latest entries of a gift card."""
    return fetch_dicts(
        sql(
            "SELECT at, from_account, to_account, amount FROM gift_entry WHERE voucher_id = {id}"
            " ORDER BY id DESC LIMIT {most}",
            id=voucher_id,
            most=SHOWN,
        )
    )


def money_on_cards() -> Decimal:
    """What all gift cards together still hold; the partial index of cards with money serves it."""
    return fetch("SELECT coalesce(sum(available + held), 0) FROM voucher WHERE available > 0 OR held > 0")[0][0]
