"""Photos of receipts: checked and drawn anew when they come, booked or refused by people of ours, then deleted."""

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from PIL import Image, ImageOps

from loyalty.checkout import unmatched
from loyalty.checkout.identifying import Reference, reference_of
from loyalty.checkout.models import ReceiptPhoto, Store, UnmatchedReceipt
from loyalty.checkout.selling import hold_person
from loyalty.events import facts, partitions
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.program import purchases
from loyalty.program.receipts import SOURCE, key_of
from loyalty.program.setup import Setup

LARGEST = 12 * 1024 * 1024
# A JPEG is read at a half, a quarter or an eighth of its size; others are unpacked whole, 4 bytes a pixel.
MOST_PIXELS, MOST_UNPACKED = 60_000_000, 25_000_000
FORMATS = ("JPEG", "PNG", "WEBP")
# A long receipt stays readable at this size; about 400 kB.
LONGEST_SIDE, QUALITY = 2400, 80
SMALLEST_SIDE = 200
# What one person may send a day, and have waiting.
A_DAY, WAITING = 5, 10
KEPT = timedelta(days=30)
OLDEST = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture drawn anew: a JPEG without anything of the file it came from but its pixels."""

    data: bytes
    width: int
    height: int


def _no_picture(problem: str, remedy: str) -> Problems:
    return Problems([Problem("photo", problem, remedy)])


def draw(content: bytes) -> Picture:
    """Check what was sent and draw it anew, upright and small enough; place, camera and anything hidden are gone.

    Raises Problems with a sentence each for too large, no picture, too many pixels, too small.
    """
    if len(content) > LARGEST:
        raise _no_picture("is too large", f"send at most {LARGEST // 1024 // 1024} MB")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(content), formats=FORMATS) as opened:
                if opened.width * opened.height > (MOST_PIXELS if opened.format == "JPEG" else MOST_UNPACKED):
                    raise _no_picture("has too many pixels", "send a smaller picture")
                smallest = min(opened.size)
                opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
                small = opened if opened.mode == "RGB" else opened.convert("RGB")
                small.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
                drawn = ImageOps.exif_transpose(small)
    except Problems:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _no_picture("is no picture that can be read", f"send one of {', '.join(FORMATS)}") from error
    if smallest < SMALLEST_SIDE:
        raise _no_picture("is too small to be read", "take it nearer")
    out = BytesIO()
    drawn.save(out, "JPEG", quality=QUALITY, optimize=True)
    return Picture(out.getvalue(), *drawn.size)


def send(*, customer_id: int, program_id: int, content: bytes, note: str | None, now: datetime) -> tuple[int, bool]:
    """Put a photo into the queue: its number, and whether it was there before. Raises Problems."""
    if _enough(customer_id, now):
        raise Problems([_ENOUGH])
    picture = draw(content)
    digest = UUID(hashlib.md5(picture.data, usedforsecurity=False).hexdigest())
    with transaction.atomic():
        hold_person(customer_id)
        known = ReceiptPhoto.objects.filter(customer_id=customer_id, digest=digest).values_list("pk", flat=True).first()
        if known:
            return known, True
        if _enough(customer_id, now):
            raise Problems([_ENOUGH])
        made = ReceiptPhoto.objects.create(
            customer_id=customer_id, program_id=program_id, picture=picture.data, digest=digest, width=picture.width,
            height=picture.height, note=(note or "").strip()[:500] or None, sent_at=now,
        )  # fmt: skip
        return made.pk, False


_ENOUGH = Problem("photo", f"{A_DAY} photos a day are enough", "try again tomorrow")


def _enough(customer_id: int, now: datetime) -> bool:
    """Whether the person sends no more today; asked before a picture is unpacked, and again when it is kept."""
    mine = ReceiptPhoto.objects.filter(customer_id=customer_id)
    today = mine.filter(sent_at__gt=now - timedelta(days=1)).count()
    return today >= A_DAY or mine.filter(state="waiting").count() >= WAITING


@transaction.atomic
def book(
    photo_id: int, *, number: str, day: date, amount: Decimal, store: str | None, setup: Setup, by: str, now: datetime,
    another: bool = False,
) -> int:  # fmt: skip
    """Book the receipt of a photo for who sent it; the booking.

    A receipt that a till kept without a card is claimed; one that was booked already is refused, whoever has it. What
    is printed need not be what the till calls a purchase, so the member's own of the same amount on that day counts as
    this one, unless somebody says that it is `another`. Raises Problems.
    """
    photo, reference = _waiting(photo_id)
    number = number.strip()
    at = _noon(day, setup.zone)
    if at > now + timedelta(days=1) or at < now - OLDEST:
        raise Problems([Problem("day", f"is not within the last {OLDEST.days} days", "look at the day again")])
    kept = unmatched.by_number(number, day=day, amount=amount, setup=setup, store=store)
    if kept is not None:
        claimed = unmatched.claim(
            customer_id=photo.customer_id, reference=reference, setup=setup, now=now, actor=by, code=kept.code
        )  # fmt: skip
        if claimed.repeated:
            raise Problems([Problem("number", "is a receipt that was booked already", "refuse the photo")])
        booking_id = claimed.booking_id
    else:
        _not_booked(number, day, store, setup)
        if not another and _same_amount(photo.customer_id, day, amount, setup):
            told = "was booked for this customer on that day, with the card"
            raise Problems([Problem("amount", told, "compare the receipts; tick that it is another purchase")])
        row = {
            "id": _identifier(number, day, store), "customer": reference, "amount": amount,
            "occurred_at": min(at, now).isoformat(),
        }  # fmt: skip
        done = purchases.commit(rows=[{**row, "store": store} if store else row], setup=setup, now=now)
        if done.rejected or done.bookings[0] is None:
            wrong = done.rejected[0][1] if done.rejected else []
            raise Problems(wrong or [Problem("number", "was booked already")])
        if done.repeated:
            raise Problems([Problem("number", "was booked already", "refuse the photo")])
        booking_id = done.bookings[0]
    _decide(photo, "booked", by, now, booking_id=booking_id)
    return booking_id


@transaction.atomic
def refuse(photo_id: int, *, reason: str, by: str, now: datetime) -> None:
    """Refuse a photo with a reason that the member reads."""
    photo, _reference = _waiting(photo_id)
    _decide(photo, "refused", by, now, reason=reason)
    partitions.ensure(now, now)
    rows = sql(
        "SELECT {customer}::bigint, {now}::timestamptz, {ref}::bigint, jsonb_build_object('reason', {reason}::text)",
        customer=photo.customer_id,
        now=now,
        ref=photo.pk,
        reason=reason,
    )
    facts.write("receipt.refused", rows)


def _waiting(photo_id: int) -> tuple[ReceiptPhoto, Reference]:
    """The photo, locked after its person, and by what the ledger finds the person."""
    first = ReceiptPhoto.objects.filter(pk=photo_id).first()
    if first is None:
        raise Problems([Problem("photo", f"there is no photo {photo_id}")])
    hold_person(first.customer_id)
    photo = ReceiptPhoto.objects.select_for_update().get(pk=photo_id)
    if photo.state != "waiting":
        raise Problems([Problem("photo", f"is decided already: {photo.state}")])
    return photo, reference_of(photo.customer_id, "photo")


def _noon(day: date, zone: str) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone))


def _identifier(number: str, day: date, store: str | None) -> str:
    return f"photo {store or ''} {day.isoformat()} {number}"


def _not_booked(number: str, day: date, store: str | None, setup: Setup) -> None:
    """Refuse the number of a purchase of that day that is in the ledger, that a claim gave to somebody, or that was on
    another photo: of the same store, or one of the two says none."""
    start = _noon(day, setup.zone) - timedelta(hours=12)
    claimed = UnmatchedReceipt.objects.filter(
        number=number, occurred_at__gte=start, occurred_at__lt=start + timedelta(days=1)
    ).exclude(state="open")
    stores = [store, None] if store else [None, *Store.objects.values_list("key", flat=True)]
    names = [number, *(_identifier(number, day, one) for one in stores)]
    if unmatched.find(number) is not None or claimed.exists() or _in_ledger(names):
        raise Problems([Problem("number", "is a receipt that was booked already", "refuse the photo")])


def _same_amount(customer_id: int, day: date, amount: Decimal, setup: Setup) -> bool:
    start = _noon(day, setup.zone) - timedelta(hours=12)
    return bool(
        fetch(
            sql(
                "SELECT FROM booking b JOIN member m ON m.id = b.member_id WHERE m.customer_id = {customer}"
                " AND m.program_id = {program} AND b.kind = 'purchase' AND b.amount = {amount}"
                " AND b.occurred_at >= {start} AND b.occurred_at < {end} LIMIT 1",
                customer=customer_id,
                program=setup.id,
                amount=amount,
                start=start,
                end=start + timedelta(days=1),
            )
        )
    )


def _in_ledger(identifiers: Sequence[str]) -> bool:
    keys = [key_of(SOURCE, one) for one in identifiers]
    return bool(fetch(sql("SELECT FROM booking WHERE key_digest = ANY({keys}::uuid[]) LIMIT 1", keys=keys)))


def _decide(
    photo: ReceiptPhoto, state: str, by: str, now: datetime, *, booking_id: int | None = None, reason: str | None = None
) -> None:
    ReceiptPhoto.objects.filter(pk=photo.pk).update(
        state=state, decided_at=now, decided_by=by, booking_id=booking_id, reason=reason
    )


def clear(*, now: datetime, limit: int) -> int:
    """Delete the pictures of photos that were decided a while ago; how many. The row stays, so that one photo counts
    once."""
    return execute(
        sql(
            "UPDATE receipt_photo SET picture = NULL WHERE id IN (SELECT id FROM receipt_photo"
            " WHERE picture IS NOT NULL AND decided_at < {then} ORDER BY decided_at LIMIT {limit}"
            " FOR UPDATE SKIP LOCKED)",
            then=now - KEPT,
            limit=limit,
        )
    )
