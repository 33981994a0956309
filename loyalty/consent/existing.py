"""Existing customers: advertising by mail for similar goods without consent, where the law's conditions are recorded.

A basis is one row per person, channel and product group, made from a purchase, with the notice of the right to object
that was given with it. It serves only while EXISTING_CUSTOMER_ADS is on, only templates that say
`basis: existing_customer`, and never against a withdrawal, which is the objection.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from loyalty.kit.sql import execute, fetch, fetch_dicts, sql

CHANNELS = ("email", "sms")


@dataclass(frozen=True, slots=True)
class Basis:
    """A purchase in which the person gave the address and was told of the right to object."""

    customer_id: int
    product_group: str
    purchased_at: datetime
    notice: str
    source: str
    channel: str = "email"
    reference: str | None = None


@transaction.atomic
def record_bases(bases: Sequence[Basis], *, now: datetime) -> int:
    """Keep these bases; the number of new or newer ones. Of one product group the latest purchase is kept.

    Rows about people who are gone, or who objected on the channel, are left out.
    """
    if not bases:
        return 0
    ids = sorted({basis.customer_id for basis in bases})
    fetch(sql("SELECT FROM customer WHERE id = ANY({ids}) ORDER BY id FOR UPDATE", ids=ids))
    # Of several purchases of a group in one call the latest, for one statement touches a row once.
    latest: dict[tuple[int, str, str], Basis] = {}
    for basis in sorted(bases, key=lambda item: item.purchased_at):
        latest[basis.customer_id, basis.channel, basis.product_group] = basis
    given = list(latest.values())
    return execute(
        sql(
            """INSERT INTO existing_customer AS x
                (customer_id, channel, product_group, purchased_at, source, reference, notice, recorded_at)
            SELECT g.customer_id, g.channel, g.product_group, g.purchased_at, g.source, g.reference, g.notice, {now}
            FROM unnest({customers}::bigint[], {channels}::text[], {groups}::text[], {times}::timestamptz[],
                {sources}::text[], {references}::text[], {notices}::text[])
                AS g (customer_id, channel, product_group, purchased_at, source, reference, notice)
            JOIN customer c ON c.id = g.customer_id
            WHERE NOT EXISTS (SELECT FROM consent_state k WHERE k.customer_id = g.customer_id
                AND k.channel = g.channel AND k.purpose = 'marketing' AND k.status = 'withdrawn')
            ORDER BY g.customer_id, g.channel, g.product_group
            ON CONFLICT (customer_id, channel, product_group) DO UPDATE SET purchased_at = excluded.purchased_at,
                source = excluded.source, reference = excluded.reference, notice = excluded.notice,
                recorded_at = excluded.recorded_at
            WHERE excluded.purchased_at > x.purchased_at""",
            customers=[basis.customer_id for basis in given],
            channels=[basis.channel for basis in given],
            groups=[basis.product_group for basis in given],
            times=[basis.purchased_at for basis in given],
            sources=[basis.source for basis in given],
            references=[basis.reference for basis in given],
            notices=[basis.notice for basis in given],
            now=now,
        )
    )


def bases_of(customer_id: int) -> list[dict[str, Any]]:
    """What is recorded for a person, and since when an objection ends it (`objected_at`, else None)."""
    return fetch_dicts(
        sql(
            """SELECT x.channel, x.product_group, x.purchased_at, x.source, x.reference, x.notice, x.recorded_at,
                k.since AS objected_at
            FROM existing_customer x LEFT JOIN consent_state k ON k.customer_id = x.customer_id
                AND k.channel = x.channel AND k.purpose = 'marketing' AND k.status = 'withdrawn'
            WHERE x.customer_id = {id} ORDER BY x.channel, x.product_group""",
            id=customer_id,
        )
    )


def is_on() -> bool:
    """Whether this basis is used at all."""
    return bool(settings.EXISTING_CUSTOMER_ADS)
