"""Reads what the public pages and the redirect need."""

import json
from dataclasses import dataclass
from typing import Any

from campaigns.channels.names import BY_NUMBER, CHANNELS
from campaigns.delivery.ids import unpack
from loyalty.kit.sql import fetch, fetch_dicts, sql


@dataclass(frozen=True, slots=True)
class Reader:
    """Who opens a public page: `addresses` are hints such as a...@example.com, by channel; `sender` may be empty."""

    customer_id: int
    locale: str | None
    addresses: dict[str, str]
    sender: str


def choices(customer_id: int) -> dict[tuple[str, str], str]:
    """What stands now for this person: (channel, purpose) -> granted or withdrawn."""
    query = sql("SELECT channel, purpose, status FROM consent_state WHERE customer_id = {id}", id=customer_id)
    return {(channel, purpose): status for channel, purpose, status in fetch(query)}


def message_channel(message_id: int) -> str | None:
    """The channel of a message, which its id says."""
    return BY_NUMBER.get(unpack(message_id).channel)


def reader(customer_id: int, message_id: int) -> Reader | None:
    """Whom a public page greets; None when the person was erased."""
    rows = fetch_dicts(
        sql(
            """SELECT c.id, c.locale, c.email, c.phone, (
                SELECT s.settings FROM message m
                JOIN dispatch d ON d.id = m.dispatch_id JOIN sender s ON s.id = d.sender_id
                WHERE m.id = {message} AND m.customer_id = c.id) AS sender
            FROM customer c WHERE c.id = {customer}""",
            customer=customer_id,
            message=message_id,
        )
    )
    return _reader(rows[0]) if rows else None


def _reader(row: dict[str, Any]) -> Reader:
    addresses = {}
    for channel in CHANNELS.values():
        if channel.address and (address := row[channel.address]):
            addresses[channel.key] = masked(address)
    settings = json.loads(row["sender"] or "{}")
    return Reader(row["id"], row["locale"], addresses, str(settings.get("from_name") or ""))


def masked(address: str) -> str:
    """Enough of an address for its owner to know it, too little for anybody else: `a…@example.com`, `…89`."""
    name, at, domain = address.rpartition("@")
    return f"{name[:1]}…@{domain}" if at else f"…{address[-2:]}"


def clicks_wait() -> bool:
    """Whether clicks wait for their verdict, machine or person."""
    return bool(fetch("SELECT 1 FROM hit WHERE machine IS NULL LIMIT 1"))
