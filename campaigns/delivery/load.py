"""What a set of messages needs before it can be rendered: dispatches, senders, recipients, contexts. A fixed number of
queries per set."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings as django_settings
from pydantic import ValidationError

from campaigns.channels.models import Sender
from campaigns.channels.names import CHANNELS
from campaigns.channels.provider import Account, Provider, providers
from campaigns.content import context
from campaigns.content.render import Renderer, renderer
from campaigns.content.values import Values, shielded
from campaigns.delivery.claim import Claimed
from campaigns.delivery.ids import ENROLLMENT_SHIFT
from campaigns.delivery.models import Dispatch
from loyalty.kit.registry import UnknownPart
from loyalty.kit.sql import fetch, identifier, sql
from loyalty.offers import queries as offers
from loyalty.program import showing


@dataclass(frozen=True, slots=True)
class Route:
    """Who carries the messages of a sender, or why nobody can: with `trouble` they wait until it is mended. `rate` is
    the limit in messages per second."""

    account: Account | None
    provider: Provider | None
    trouble: str | None = None
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom one message is for; `tracked` says that clicks and opens may be measured."""

    address: str | None
    locale: str | None
    tracked: bool


def dispatches(messages: Sequence[Claimed]) -> dict[int, Dispatch]:
    """The dispatches of these messages by id, with their senders; one query."""
    ids = {message.dispatch_id for message in messages}
    return {item.pk: item for item in Dispatch.objects.select_related("sender").filter(id__in=ids)}


def routes(channel: str) -> dict[int, Route]:
    """How each active sender of a channel is served, by sender; one query. Read anew for every claim, so that a mended
    sender is seen at once."""
    return {item.pk: _route(item) for item in Sender.objects.filter(channel=channel, state=Sender.State.ACTIVE)}


def _route(sender: Sender) -> Route:
    try:
        provider = providers.get(sender.provider)
        settings = provider.settings.model_validate(sender.settings)
    except UnknownPart as error:
        return Route(None, None, str(error))
    except ValidationError as error:
        return Route(None, None, f"{error.error_count()} settings of the sender are wrong")
    rate = sender.limits.get("per_second")
    return Route(Account(sender.key, settings, sender.limits), provider, rate=float(rate) if rate else None)


def renderers(dispatches: Iterable[Dispatch]) -> dict[int, Renderer | None]:
    """The renderers of these dispatches' template versions, kept by the process; None for a version that is gone."""
    return {version_id: _renderer(version_id) for version_id in {item.template_version_id for item in dispatches}}


def _renderer(version_id: int) -> Renderer | None:
    try:
        return renderer(version_id)
    except LookupError:
        return None


def recipients(messages: Sequence[Claimed], channel: str) -> dict[int, Recipient]:
    """Address, locale and consent to tracking by customer; one query. Erased customers are missing."""
    rows = fetch(
        sql(
            """SELECT c.id, c.{address}, c.locale, coalesce(t.status = 'granted', false)
            FROM customer c LEFT JOIN consent_state t ON t.customer_id = c.id AND t.channel = 'email'
                AND t.purpose = 'tracking'
            WHERE c.id = ANY({ids})""",
            address=identifier(CHANNELS[channel].address or "email"),
            ids=list({message.customer_id for message in messages}),
        )
    )
    return {customer_id: Recipient(address, locale, tracked) for customer_id, address, locale, tracked in rows}


def contexts(
    messages: Sequence[Claimed], dispatches: Mapping[int, Dispatch], at: datetime
) -> dict[int, dict[str, Any]]:
    """What the template of each message sees, by message id; erased customers' messages are missing. Four queries."""
    customers = context.customer_values(list({message.customer_id for message in messages}))
    events = _events(messages)
    points = showing.of_customers(customers)
    vouchers = offers.of_origins({message.id >> ENROLLMENT_SHIFT for message in messages})
    shared = {key: _shared(dispatch, at) for key, dispatch in dispatches.items()}
    return {
        message.id: {
            **shared[message.dispatch_id],
            **_own(events.get(message.id >> ENROLLMENT_SHIFT)),
            **_issued(vouchers.get(message.id >> ENROLLMENT_SHIFT)),
            **({"points": shielded(points[message.customer_id])} if message.customer_id in points else {}),
            "customer": customers[message.customer_id],
        }
        for message in messages
        if message.customer_id in customers
    }


def _own(event: dict[str, Any] | None) -> dict[str, Any]:
    """What one message sees of its event; the link of a confirmation stands by itself."""
    values: dict[str, Any] = {"event": context.event_values(event)}
    if event and "confirm_url" in event:
        values["confirm_url"] = str(event["confirm_url"])
    return values


def _issued(voucher: dict[str, Any] | None) -> dict[str, Any]:
    """The voucher that the flow issued for the person, under both of its names."""
    return {} if voucher is None else dict.fromkeys(("voucher", "offer"), shielded(voucher))


def _shared(dispatch: Dispatch, at: datetime) -> dict[str, Any]:
    """What all messages of a dispatch have in common."""
    sender, imprint = context.sender_values(dispatch.sender.settings)
    return {
        "sender": sender,
        "imprint": imprint,
        "flow": Values(key=dispatch.flow_key or "", name=dispatch.flow_key or ""),
        "campaign": Values(key=dispatch.campaign_key or "", name=dispatch.campaign_key or ""),
        "now": at.isoformat(),
        "_default_zone": django_settings.TIME_ZONE,
    }


def _events(messages: Sequence[Claimed]) -> dict[int, Any]:
    """The triggering events by enrollment, where there was one; one query."""
    enrollments = list({message.id >> ENROLLMENT_SHIFT for message in messages})
    query = sql("SELECT origin_id, event::text FROM message_context WHERE origin_id = ANY({ids})", ids=enrollments)
    return {origin: _flat(json.loads(event)) for origin, event in fetch(query)}


def _flat(event: dict[str, Any]) -> dict[str, Any]:
    """The event with its properties beside its name, so that they are made safe for templates only once (25 us)."""
    properties = event.pop("properties", None)
    return {**properties, **event} if isinstance(properties, dict) else event
