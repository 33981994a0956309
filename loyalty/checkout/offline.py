"""What a till rang up while it was offline: many baskets at once, each by itself, with its clock put right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from loyalty.cards import operations as card_operations
from loyalty.cards import queries as cards
from loyalty.checkout.baskets import SKEW_IGNORED, SKEW_MOST, Basket, corrected
from loyalty.checkout.selling import sell
from loyalty.checkout.unmatched import Receipt as Kept
from loyalty.checkout.unmatched import keep
from loyalty.customers.cards import plain
from loyalty.customers.operations import ensure_customers
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import fetch, sql
from loyalty.program import purchases
from loyalty.program.receipts import AHEAD, SOURCE, Receipt, key_of, late_or_early, read
from loyalty.program.setup import Setup

# Baskets with vouchers are priced one after the other.
MOST_WITH_VOUCHERS = 200
_OWN = set(Basket.model_fields) - set(Receipt.model_fields)


@dataclass(slots=True)
class Queue:
    """What became of the rows; `receipts` by index are those kept for somebody to claim."""

    accepted: int = 0
    duplicates: int = 0
    rejected: dict[int, list[Problem]] = field(default_factory=dict)
    receipts: dict[int, Kept] = field(default_factory=dict)


def commit_all(rows: Sequence[Any], *, setup: Setup, now: datetime, sent_at: datetime | None = None) -> Queue:
    """Book baskets as a till queued them: the good ones are booked, the bad ones told; repetitions change nothing.

    `sent_at` is the till's clock as it sends: what it goes wrong is added to the times of its purchases. Raises
    Problems for a clock that is days off: nobody knows then when things were bought.
    """
    skew = _skew(sent_at, now)
    if abs(skew) > SKEW_IGNORED:
        rows = _with_right_times(rows, skew)
    done = Queue()
    nobodys = [place for place, row in enumerate(rows) if isinstance(row, dict) and row.get("customer", 0) is None]
    special = [
        place for place, row in enumerate(rows)
        if isinstance(row, dict) and place not in set(nobodys) and _special(row)
    ]  # fmt: skip
    apart = {*nobodys, *special}
    usual = [place for place in range(len(rows)) if place not in apart]
    _keep([(place, rows[place]) for place in nobodys], setup, now, done)
    _sell([(place, rows[place]) for place in special], setup, now, done)
    _commit([(place, rows[place]) for place in usual], setup, now, done)
    return done


def _skew(sent_at: datetime | None, now: datetime) -> timedelta:
    skew = timedelta(0) if sent_at is None else now - sent_at
    if abs(skew) > SKEW_MOST:
        wrong = f"the till's clock says {sent_at.isoformat() if sent_at else ''}, it is {now.isoformat()}"
        raise Problems([Problem("sent_at", wrong, "set the clock right, correct the times, and send it again")])
    return skew


def _with_right_times(rows: Sequence[Any], skew: timedelta) -> list[Any]:
    """The rows with times by our clock. One that was booked before keeps the time it was booked with: what a clock
    goes wrong is measured anew each time it is sent."""
    times: dict[int, datetime] = {}
    for place, row in enumerate(rows):
        try:
            at = datetime.fromisoformat(row["occurred_at"])
        except (TypeError, ValueError, KeyError):
            continue
        right = corrected(at, skew) if at.tzinfo else None
        if right is not None and isinstance(row.get("id"), str):
            times[place] = right
    query = sql(
        "SELECT key_digest, occurred_at FROM booking WHERE key_digest = ANY({keys}::uuid[]) UNION ALL"
        " SELECT key_digest, occurred_at FROM unmatched_receipt WHERE key_digest = ANY({keys}::uuid[])",
        keys=[key_of(SOURCE, rows[place]["id"]) for place in times],
    )
    stored = dict(fetch(query)) if times else {}
    found = list(rows)
    for place, right in times.items():
        before = stored.get(key_of(SOURCE, rows[place]["id"]))
        known = before is not None and abs(before - right) <= AHEAD
        found[place] = {**rows[place], "occurred_at": (before if known and before else right).isoformat()}
    return found


def _special(row: Mapping[str, Any]) -> bool:
    customer = row.get("customer")
    scanned = isinstance(customer, dict) and ("qr" in customer or "phone" in customer)
    return scanned or bool(row.keys() & _OWN)


def _keep(rows: list[tuple[int, Any]], setup: Setup, now: datetime, done: Queue) -> None:
    good: list[tuple[int, Basket]] = []
    for place, row in rows:
        basket, wrong = read(Basket, row)
        wrong = wrong or late_or_early(basket.occurred_at, now)
        if wrong:
            done.rejected[place] = wrong
        else:
            good.append((place, basket))
    for (place, _), kept in zip(good, keep([one for _, one in good], setup=setup, now=now), strict=True):
        if isinstance(kept, Kept):
            done.receipts[place] = kept
            done.duplicates += kept.repeated
            done.accepted += not kept.repeated
        else:
            done.rejected[place] = kept


def _sell(rows: list[tuple[int, Any]], setup: Setup, now: datetime, done: Queue) -> None:
    if len(rows) > MOST_WITH_VOUCHERS:
        told = f"{len(rows)} of them have vouchers or scanned codes"
        raise Problems([Problem("transactions", told, f"send at most {MOST_WITH_VOUCHERS} such ones a call")])
    for place, row in rows:
        basket, wrong = read(Basket, row)
        if wrong:
            done.rejected[place] = wrong
            continue
        try:
            sold = sell(basket, setup=setup, now=now)
        except Problems as error:
            done.rejected[place] = error.problems
        else:
            done.duplicates += sold.repeated
            done.accepted += not sold.repeated


def _commit(rows: list[tuple[int, Any]], setup: Setup, now: datetime, done: Queue) -> None:
    rows = _by_card(rows, now, done)
    if not rows:
        return
    found = purchases.commit(rows=[row for _, row in rows], setup=setup, now=now)
    for index, problems in found.rejected:
        done.rejected[rows[index][0]] = problems
    done.duplicates += len(found.repeated)
    done.accepted += sum(one is not None for one in found.bookings) - len(found.repeated)


def _by_card(rows: list[tuple[int, Any]], now: datetime, done: Queue) -> list[tuple[int, Any]]:
    """The rows without those whose card is refused; cards from stock get somebody without a name."""
    shown = {
        place: plain(customer["card"])
        for place, row in rows
        if isinstance(row, dict) and isinstance(customer := row.get("customer"), dict)
        and isinstance(customer.get("card"), str)
    }  # fmt: skip
    if not shown:
        return rows
    found = cards.find_all(sorted(set(shown.values())))
    fresh = {
        number for number, card in found.items()
        if card.state == "ready" and card.customer_id is None and card.holder == "member"
    }  # fmt: skip
    if fresh:
        ensure_customers([], [], now=now, identities=[("card", number) for number in sorted(fresh)])
    kept = []
    for place, row in rows:
        number = shown.get(place)
        if number is None:
            kept.append((place, row))
            continue
        card = found.get(number)
        if card is not None and (card.usable or number in fresh):
            kept.append((place, {**row, "customer": {"card": number}}))
            continue
        refused = card_operations.unknown(number) if card is None else card_operations.refusal(card)
        done.rejected[place] = [Problem("customer", refused.problem, refused.remedy)]
    return kept
