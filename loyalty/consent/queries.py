"""Reading consent."""

from collections.abc import Sequence
from typing import Any

from loyalty.kit.sql import Sql, fetch, fetch_dicts, sql


def states(customer_ids: Sequence[int]) -> dict[int, dict[tuple[str, str], str]]:
    """By customer: (channel, purpose) -> granted or withdrawn; nothing was declared where there is no key."""
    found: dict[int, dict[tuple[str, str], str]] = {}
    query = sql(
        "SELECT customer_id, channel, purpose, status FROM consent_state WHERE customer_id = ANY({ids})",
        ids=list(customer_ids),
    )
    for customer_id, channel, purpose, status in fetch(query):
        found.setdefault(customer_id, {})[(channel, purpose)] = status
    return found


def current(customer_id: int) -> list[dict[str, Any]]:
    """What the person's consents are now, one for each channel and purpose of which anything was declared."""
    query = sql(
        "SELECT channel, purpose, status, since FROM consent_state WHERE customer_id = {id} ORDER BY channel, purpose",
        id=customer_id,
    )
    return fetch_dicts(query)


def history(customer_id: int) -> list[dict[str, Any]]:
    """All that the person declared, latest first."""
    query = sql(
        "SELECT channel, purpose, status, occurred_at, recorded_at, source, text_version, evidence FROM consent_entry"
        " WHERE customer_id = {id} ORDER BY occurred_at DESC, id DESC",
        id=customer_id,
    )
    return fetch_dicts(query)


def granted(channel: str, purpose: str, customer_id: Sql) -> Sql:
    """SQL: whether the customer's consent to this purpose on this channel holds."""
    return sql(
        "EXISTS (SELECT FROM consent_state k WHERE k.customer_id = {id} AND k.channel = {channel}"
        " AND k.purpose = {purpose} AND k.status = 'granted')",
        id=customer_id,
        channel=channel,
        purpose=purpose,
    )


def suppressed(channel: str, purpose: str, digest: Sql) -> Sql:
    """SQL: whether the address with this hash is suppressed on this channel for this purpose."""
    return sql(
        "EXISTS (SELECT FROM suppression p WHERE p.channel = {channel} AND p.digest = {digest}"
        " AND p.purpose IN ('', {purpose}))",
        channel=channel,
        digest=digest,
        purpose=purpose,
    )
