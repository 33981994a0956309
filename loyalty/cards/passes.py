"""Passes in people's phones: made when somebody asks for one, and made anew when their phone asks for news.

A pass is the customer's, not the card's: after a replacement it shows the new number. Its serial number is an opaque
token of ours, so nothing is kept of who only looked at one.
"""

import hmac
import logging
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext

from loyalty.cards import pass_accounts, pass_files, queries
from loyalty.cards.models import WalletDevice, WalletPass
from loyalty.cards.pass_accounts import Apple, BadAccount, Google
from loyalty.cards.pass_files import Face, Issuer
from loyalty.customers.models import Customer
from loyalty.kit.tokens import BadToken, seal, unseal
from loyalty.program import queries as program
from loyalty.program.models import Member
from loyalty.program.setup import load_all

log = logging.getLogger(__name__)

SERIAL, TOKEN, LINK = "wallet-serial", "wallet-token", "wallet-link"
LINK_LASTS = timedelta(minutes=30)
# Of one phone; nobody is a member so often.
MOST_PASSES = 20
GOOGLE_PAGE = "https://pay.google.com/gp/v/save/"
_ID = struct.Struct(">Q")
_LINKED = struct.Struct(">QI")


def _secrets() -> tuple[str, ...]:
    return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


def serial_of(customer_id: int) -> str:
    """The serial number of the customer's pass."""
    return seal(_ID.pack(customer_id), purpose=SERIAL, secret=settings.SECRET_KEY)


def token_of(customer_id: int) -> str:
    """What the pass itself shows to be given news."""
    return seal(_ID.pack(customer_id), purpose=TOKEN, secret=settings.SECRET_KEY)


def owner_of(serial: str) -> int | None:
    """The customer of a serial number of ours."""
    try:
        return int(_ID.unpack(unseal(serial, purpose=SERIAL, secrets=_secrets()))[0])
    except (BadToken, struct.error):
        return None


def may_ask(customer_id: int, token: str) -> bool:
    """Whether the token is that of the customer's pass, made with any of our secrets."""
    made = [seal(_ID.pack(customer_id), purpose=TOKEN, secret=secret) for secret in _secrets()]
    return any(hmac.compare_digest(one.encode(), token.encode()) for one in made)


def link_token(customer_id: int, *, now: datetime) -> str:
    """What stands in a link to a customer's pass, for half an hour."""
    ends = int((now + LINK_LASTS).timestamp())
    return seal(_LINKED.pack(customer_id, ends), purpose=LINK, secret=settings.SECRET_KEY)


def linked(token: str, *, now: datetime) -> int | None:
    """The customer of such a link, None for one that is not ours or has run out."""
    try:
        customer_id, ends = _LINKED.unpack(unseal(token, purpose=LINK, secrets=_secrets()))
    except (BadToken, struct.error):
        return None
    return int(customer_id) if now.timestamp() <= ends else None


def face_of(customer_id: int, *, now: datetime) -> Face | None:
    """What the customer's pass says now; None for who never had a card, or is no member anywhere."""
    person = Customer.objects.filter(pk=customer_id).first()
    member = Member.objects.filter(customer_id=customer_id).order_by("state", "id").first()
    if person is None or member is None:
        return None
    cards = queries.cards_of(customer_id)
    if not cards:
        return None
    setup = load_all([member.program])[0]
    document = setup.document
    paying = next((one for one in document.wallets if one.spendable), document.wallets[0])
    found = {one["wallet"]: one for one in program.balances(member.pk, setup=setup, now=now)}
    tier = next((one for one in setup.tiers if one.pk == member.tier_id), None)
    language = (person.locale or settings.LANGUAGE_CODE).replace("_", "-").partition("-")[0].lower()
    with translation.override(language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE):
        return Face(
            club=_local(document.name, document.key), number=cards[0].number, printed=cards[0].printed,
            points=int(found[paying.key]["available"]) if paying.key in found else 0,
            unit=_local(paying.name, gettext("points")), tier=_local(tier.name, tier.key) if tier else "",
            holder=" ".join(part for part in (person.first_name, person.last_name) if part),
            words={
                "card": gettext("Customer card"), "tier": gettext("Tier"), "holder": gettext("Name"),
                "number": gettext("Card number"), "page": gettext("Your account"),
            },
            page=f"{settings.PUBLIC_URL}/member/", usable=cards[0].usable and member.state == "active",
        )  # fmt: skip


def _local(names: dict[str, str], fallback: str) -> str:
    language = (translation.get_language() or "en").partition("-")[0]
    return names.get(language) or names.get("en") or next(iter(names.values()), "") or fallback


def apple_file(customer_id: int, face: Face, account: Apple) -> bytes:
    """The customer's pass for Apple Wallet."""
    color = pass_accounts.color()
    service = f"{settings.PUBLIC_URL}/passes/apple/" if settings.PUBLIC_URL.startswith("https://") else ""
    made = pass_files.pass_json(
        face, Issuer(account.pass_type, account.team, color, service), serial=serial_of(customer_id),
        token=token_of(customer_id),
    )  # fmt: skip
    return pass_files.bundle(made, color, account.sign)


def google_link(customer_id: int, face: Face, account: Google, *, now: datetime) -> str:
    """The address that puts the customer's pass into Google Wallet."""
    barcode = {"type": "QR_CODE", "value": face.number, "alternateText": face.printed}
    card: dict[str, Any] = {
        "id": f"{account.issuer}.{serial_of(customer_id)}",
        "classId": account.pass_class,
        "state": "ACTIVE" if face.usable else "INACTIVE",
        "accountId": face.printed,
        "loyaltyPoints": {"label": face.unit, "balance": {"int": face.points}},
        "barcode": barcode,
    }
    if face.holder:
        card["accountName"] = face.holder
    if face.tier:
        card["secondaryLoyaltyPoints"] = {"label": face.words["tier"], "balance": {"string": face.tier}}
    content = {
        "iss": account.email, "aud": "google", "typ": "savetowallet", "iat": int(now.timestamp()),
        "origins": [settings.PUBLIC_URL], "payload": {"loyaltyObjects": [card]},
    }  # fmt: skip
    return GOOGLE_PAGE + account.sign(content)


@dataclass(frozen=True, slots=True)
class Links:
    """Where a customer gets the pass; empty where the account is not set up."""

    apple: str = ""
    google: str = ""


def links_for(customer_id: int, *, now: datetime) -> Links:
    """The links for a customer; none that would not work."""
    try:
        apple, google = pass_accounts.apple(), pass_accounts.google()
        pass_accounts.color()
    except BadAccount as error:
        log.warning("passes.account", extra={"fields": {"why": str(error)}})
        return Links()
    if apple is None and google is None:
        return Links()
    face = face_of(customer_id, now=now)
    if face is None or not face.usable:
        return Links()
    token = link_token(customer_id, now=now)
    return Links(
        f"{settings.PUBLIC_URL}/passes/apple/{token}.pkpass" if apple and apple.ends_at > now else "",
        google_link(customer_id, face, google, now=now) if google else "",
    )


@transaction.atomic
def register(customer_id: int, *, device: str, push_token: str, now: datetime) -> bool:
    """A phone has the pass and wants news; whether that is new."""
    _row, made = WalletDevice.objects.update_or_create(
        device=device, customer_id=customer_id, defaults={"push_token": push_token},
        create_defaults={"push_token": push_token, "registered_at": now},
    )  # fmt: skip
    updated_since(customer_id, now=now)
    return made


@transaction.atomic
def unregister(customer_id: int, *, device: str) -> None:
    """The phone has thrown the pass away; of the last one nothing is kept."""
    WalletDevice.objects.filter(device=device, customer_id=customer_id).delete()
    if not WalletDevice.objects.filter(customer_id=customer_id).exists():
        WalletPass.objects.filter(customer_id=customer_id).delete()


def updated_since(customer_id: int, *, now: datetime) -> datetime | None:
    """Since when the customer's pass says what it says; None for who has none."""
    face = face_of(customer_id, now=now)
    if face is None:
        return None
    with transaction.atomic():
        row, _made = WalletPass.objects.select_for_update(no_key=True).get_or_create(
            customer_id=customer_id, defaults={"digest": face.digest, "updated_at": now}
        )
        if bytes(row.digest) != face.digest:
            row.digest, row.updated_at = face.digest, now
            row.save(update_fields=["digest", "updated_at"])
    return row.updated_at


def passes_of(device: str, *, now: datetime) -> Sequence[tuple[int, datetime]]:
    """The customers whose passes a phone has, and since when each says what it says."""
    ids = WalletDevice.objects.filter(device=device).order_by("id").values_list("customer_id", flat=True)
    found = [(customer_id, updated_since(customer_id, now=now)) for customer_id in ids[:MOST_PASSES]]
    return [(customer_id, at) for customer_id, at in found if at is not None]
