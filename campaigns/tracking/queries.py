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
_versions: dict[int, dict[str, "Links"]] = {}


@dataclass(frozen=True, slots=True)
class HitMessage:
    """What a hit has to know of its message; `tracked`: the person consents to tracking at this moment."""

    customer_id: int
    locale: str | None
    version_id: int
    tracked: bool


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses in one locale of a template, by number; `several`: a mail of it has more than one link."""

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
            """SELECT m.id, m.customer_id, c.locale, d.template_version_id, EXISTS (
                SELECT FROM consent_state s
                WHERE s.customer_id = m.customer_id AND s.channel = 'email' AND s.purpose = 'tracking'
                    AND s.status = 'granted')
            FROM message m JOIN dispatch d ON d.id = m.dispatch_id JOIN customer c ON c.id = m.customer_id
            WHERE m.id = ANY({ids}) ORDER BY c.id FOR KEY SHARE OF c""",
            ids=list(message_ids),
        )
    )
    return {message_id: HitMessage(*rest) for message_id, *rest in rows}


def links(messages: Iterable[HitMessage]) -> dict[HitMessage, Links]:
    """The fixed links of these messages' template versions, in the locale their reader gets."""
    messages = set(messages)
    missing = {message.version_id for message in messages} - _versions.keys()
    if missing:
        if len(_versions) > MOST_REMEMBERED:
            _versions.clear()
        query = sql("SELECT id, compiled FROM template_version WHERE id = ANY({ids})", ids=list(missing))
        _versions.update((version_id, _by_locale(json.loads(compiled))) for version_id, compiled in fetch(query))
    return {message: _in_locale(_versions.get(message.version_id, {}), message.locale) for message in messages}


def _by_locale(compiled: dict[str, Any]) -> dict[str, Links]:
    found = {}
    for locale, content in compiled["locales"].items():
        urls = tuple(content["links"])
        # An address made of data is a call of the filter `_click`, so there may be any number of them.
        made = "_click(" in content["html"] + content["text"]
        found[locale] = Links(urls, several=made or len(urls) > 1)
    return found | {"": found.get(compiled["default"], Links())}


def _in_locale(locales: dict[str, Links], locale: str | None) -> Links:
    """As the renderer chooses: the very locale, else its language, else the template's first."""
    for wanted in (locale or "", (locale or "").partition("-")[0], ""):
        if wanted in locales:
            return locales[wanted]
    return Links()


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
