"""Reads what the public pages and the redirect need."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from campaigns.channels.names import BY_NUMBER, CHANNELS
from campaigns.delivery.ids import unpack
from loyalty.kit.sql import fetch, fetch_dicts, sql

# Links of a published version never change, so they are remembered; one entry is a few hundred bytes.
MOST_REMEMBERED = 10_000
_links: dict[int, "Links"] = {}


@dataclass(frozen=True, slots=True)
class HitMessage:
    """What a hit has to know of its message; `tracked`: the person consents to tracking at this moment."""

    customer_id: int
    version_id: int
    tracked: bool


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses in a template version, by number; `several`: a mail of it may have more than one link."""

    urls: tuple[str, ...] = ()
    several: bool = False


@dataclass(frozen=True, slots=True)
class Reader:
    """Who opens a public page: `addresses` are hints such as a...@example.com, by channel; `sender` may be empty."""

    customer_id: int
    locale: str | None
    addresses: dict[str, str]
    sender: str


def hit_messages(message_ids: Iterable[int]) -> dict[int, HitMessage]:
    """The messages by id, their customers locked against erasure until the transaction ends."""
    rows = fetch(
        sql(
            """SELECT m.id, m.customer_id, d.template_version_id, EXISTS (
                SELECT FROM consent_state s
                WHERE s.customer_id = m.customer_id AND s.channel = 'email' AND s.purpose = 'tracking'
                    AND s.status = 'granted')
            FROM message m JOIN dispatch d ON d.id = m.dispatch_id JOIN customer c ON c.id = m.customer_id
            WHERE m.id = ANY({ids}) ORDER BY c.id FOR KEY SHARE OF c""",
            ids=list(message_ids),
        )
    )
    return {message_id: HitMessage(*rest) for message_id, *rest in rows}


def links(version_ids: Iterable[int]) -> dict[int, Links]:
    """The fixed links of these template versions; versions that do not exist are left out."""
    wanted = set(version_ids)
    missing = wanted - _links.keys()
    if missing:
        if len(_links) > MOST_REMEMBERED:
            _links.clear()
        # An address made of data is a call of the filter `_click`, so there may be any number of them.
        query = sql(
            """SELECT id, compiled -> 'links', compiled::text LIKE '%_click(%' FROM template_version
            WHERE id = ANY({ids})""",
            ids=list(missing),
        )
        for version_id, found, made in fetch(query):
            urls = tuple(json.loads(found))
            _links[version_id] = Links(urls, several=made or len(urls) > 1)
    return {version_id: _links[version_id] for version_id in wanted if version_id in _links}


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
