"""Checking in at a place: a screen there shows a code that changes every few seconds, a member scans it.

A code is sealed and says which place, which generation of its screen, and which stretch of time; nothing is stored for
it. It is taken while it is shown and as long again, so that slow hands come through, and never later: a photograph of
yesterday is worth nothing. A check-in is a `qr_checkin` event, once a day for each person and place.
"""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from loyalty.customers import queries as customers
from loyalty.events import operations as events
from loyalty.events import queue
from loyalty.kit.documents import Change
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import fetch, sql
from loyalty.kit.tokens import BadToken, seal, unseal
from loyalty.program.deeds import CHECK_IN
from loyalty.program.definition import PlaceDocument
from loyalty.program.earning_tables import CheckInPlace
from loyalty.program.setup import Setup, load, load_all

CODE, SCREEN = "check-in", "check-in screen"
SOURCE = "check-ins"
# Place, generation, number of the stretch of time since 1970.
_CODE, _SCREEN = ">IHI", ">IH"


@dataclass(frozen=True, slots=True)
class CheckedIn:
    """`again`: the person had checked in there today already, and nothing was written."""

    place: CheckInPlace
    at: datetime
    again: bool


@transaction.atomic
def save(document: PlaceDocument, *, now: datetime) -> Change:
    """Create the place or change it; raises Problems."""
    setup = load(document.program)
    found = CheckInPlace.objects.select_for_update().filter(key=document.key).first()
    before = found.definition if found else None
    after = {"kind": "check_in_place", "key": document.key, "program": setup.key, **document.plain()}
    if before == after:
        return Change("check_in_place", document.key, "unchanged", before, after)
    written = {"program_id": setup.id, "name": document.name, "definition": after, "updated_at": now}
    CheckInPlace.objects.update_or_create(
        key=document.key, defaults=written, create_defaults={**written, "created_at": now}
    )
    return Change("check_in_place", document.key, "updated" if found else "created", before, after)


def document_of(place: CheckInPlace) -> PlaceDocument:
    """What was written about the place."""
    return PlaceDocument.model_validate(place.definition)


def code_of(place: CheckInPlace, *, now: datetime) -> tuple[str, datetime]:
    """The code that the screen shows now, and when the next one comes."""
    seconds = document_of(place).rotates
    number = int(now.timestamp()) // seconds
    code = seal(struct.pack(_CODE, place.pk, place.generation, number), purpose=CODE, secret=settings.SECRET_KEY)
    return code, datetime.fromtimestamp((number + 1) * seconds, UTC)


def screen_of(place: CheckInPlace) -> str:
    """The token in the address of the place's screen."""
    return seal(struct.pack(_SCREEN, place.pk, place.generation), purpose=SCREEN, secret=settings.SECRET_KEY)


def place_of_screen(token: str) -> CheckInPlace | None:
    """Whose screen it is; None for an address that is void."""
    try:
        place_id, generation = struct.unpack(_SCREEN, _unsealed(token, SCREEN))
    except (BadToken, struct.error):
        return None
    return CheckInPlace.objects.filter(pk=place_id, generation=generation).first()


def renew(*, place_id: int) -> None:
    """Void the screen's address and all codes; the place gets a new address."""
    with transaction.atomic():
        place = CheckInPlace.objects.select_for_update().get(pk=place_id)
        # Two bytes carry it; after 65,535 it begins anew.
        place.generation = place.generation % 32_767 + 1
        place.save(update_fields=["generation"])


def read_code(text: str, *, now: datetime) -> CheckInPlace:
    """The place of a code, which may come as the address that the QR code holds; raises Problems for what is no code,
    is old, or belongs to a screen that is void."""
    code = text.strip().rstrip("/").rpartition("/")[2].rpartition("=")[2]
    try:
        place_id, generation, number = struct.unpack(_CODE, _unsealed(code, CODE))
    except (BadToken, struct.error):
        raise Problems([Problem("code", "is no code of a place", "scan the code on the screen")]) from None
    place = CheckInPlace.objects.select_related("program").filter(pk=place_id).first()
    if place is None or place.generation != generation:
        raise Problems([Problem("code", "comes from a screen that is no longer used", "scan the screen at the place")])
    document = document_of(place)
    if document.state != "active":
        raise Problems([Problem("code", "nobody can check in here at the moment", "ask the staff")])
    until = datetime.fromtimestamp((number + 1) * document.rotates, UTC)
    if now >= until + timedelta(seconds=document.rotates):
        told = f"was shown until {until.astimezone(ZoneInfo(_setup(place).zone)):%Y-%m-%d %H:%M:%S} and is void since"
        raise Problems([Problem("code", told, "scan the code that the screen shows now")])
    if now < until - timedelta(seconds=2 * document.rotates):
        raise Problems([Problem("code", "comes from the future", "set the clocks of the servers right")])
    return place


def check_in(*, code: str, customer: str | dict[str, str] | int, now: datetime) -> CheckedIn:
    """Write that the customer (external id, one identity, or our own number) is there now; raises Problems.

    Points are given by the rules for `qr_checkin` within seconds.
    """
    place = read_code(code, now=now)
    customer_id = customer if isinstance(customer, int) else customers.resolve([customer])[0]
    reference = _reference(customer_id) if isinstance(customer, int) else customer
    if customer_id is None or reference is None:
        raise Problems([Problem("customer", "nobody is known by this", "create the customer first")])
    day = now.astimezone(ZoneInfo(_setup(place).zone)).date()
    told = {"place": place.key, "store": document_of(place).store}
    event = {
        "id": f"{place.pk}:{customer_id}:{day.isoformat()}",
        "customer": reference,
        "name": CHECK_IN,
        "occurred_at": now.isoformat(),
        "properties": {name: value for name, value in told.items() if value is not None},
    }
    done = events.intake(events=[event], now=now, source=SOURCE)
    if done.rejected:
        raise Problems(done.rejected[0][1])
    queue.wake()
    return CheckedIn(place, now, again=not done.accepted)


def _unsealed(token: str, purpose: str) -> bytes:
    return unseal(token, purpose=purpose, secrets=(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


def _setup(place: CheckInPlace) -> Setup:
    return load_all([place.program])[0]


def _reference(customer_id: int | None) -> Any:
    """One way to name the customer to the timeline."""
    rows = fetch(
        sql(
            "SELECT c.external_id, c.email, c.phone, i.kind, i.value FROM customer c LEFT JOIN LATERAL ("
            " SELECT kind, value FROM customer_identity WHERE customer_id = c.id ORDER BY id LIMIT 1) i ON TRUE"
            " WHERE c.id = {id}",
            id=customer_id,
        )
    )
    if not rows:
        return None
    external_id, email, phone, kind, value = rows[0]
    named = [("email", email), ("phone", phone), (kind, value)]
    return external_id or next(({key: one} for key, one in named if one), None)
