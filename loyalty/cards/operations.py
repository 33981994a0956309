"""Cards are issued, given to people, blocked, replaced and merged.

Customers are locked before their cards, in the order of ids, as in merging and erasing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import transaction

from loyalty.cards import numbers, queries
from loyalty.cards.models import Card, CardBatch, CardChange, CardSeries
from loyalty.cards.queries import CardShown
from loyalty.customers import joining
from loyalty.customers.cards import plain
from loyalty.customers.correcting import correct_customer
from loyalty.events import facts, partitions
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import fetch, sql

LARGEST_BATCH = 100_000
SOURCE = "cards"
KIND = "card"
P = ParamSpec("P")
R = TypeVar("R")


def _until_settled(work: Callable[P, R]) -> Callable[P, R]:
    """Decorator: start over where somebody else got the card between looking and locking."""

    @wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, joining.ATTEMPTS + 1):
            try:
                return work(*args, **kwargs)
            except joining.Overtaken:
                if attempt == joining.ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    return run


@dataclass(frozen=True, slots=True)
class Issued:
    """A batch of new cards."""

    batch_id: int
    amount: int


def _series(key: str | None, holder: str = "member") -> CardSeries:
    found = CardSeries.objects.filter(key=key).first() if key else queries.default_series(holder)
    if found is None:
        known = ", ".join(CardSeries.objects.order_by("key").values_list("key", flat=True)) or "none"
        wrong = f"there is no card series {key!r}" if key else f"there is no card series for {holder}s"
        raise Problems([Problem("series", wrong, f"known: {known}; apply a document of kind card_series")])
    return found


@transaction.atomic
def issue(
    *, series: str | None, amount: int, by: str, now: datetime, note: str = "", customer_ids: Sequence[int] = (),
) -> Issued:  # fmt: skip
    """Make a batch of cards to print: `amount` anonymous ones, or one for each of these customers, with their names.

    Raises Problems for a series without room, too many at once, and customers who are gone.
    """
    chosen = _series(series)
    amount = len(set(customer_ids)) or amount
    if not 0 < amount <= LARGEST_BATCH:
        raise Problems([Problem("amount", f"{amount} cards cannot be issued at once", f"1 to {LARGEST_BATCH:,}")])
    CardSeries.objects.select_for_update().get(pk=chosen.pk)
    numbers.check_room(chosen, amount)
    people = _lock(customer_ids)
    if missing := len(set(customer_ids)) - len(people):
        raise Problems([Problem("customers", f"{missing} of them are gone", "look who they were joined to")])
    batch = CardBatch.objects.create(
        series=chosen, amount=amount, note=note, personal=bool(people), created_by=by, created_at=now
    )
    made = numbers.draw(chosen, amount, batch_id=batch.pk, label=None, now=now)
    if people:
        _hand_out(dict(zip(made, people, strict=True)), by=by, now=now)
    return Issued(batch.pk, amount)


def ensure_card(*, customer_id: int, now: datetime, by: str = "system", series: str | None = None) -> str:
    """The number of a card that the customer can show: one they have, else a new digital one. Raises Problems."""
    found = queries.card_of(customer_id)
    if found is not None:
        return found
    chosen = _series(series)
    with transaction.atomic():
        if not _lock([customer_id]):
            raise Problems([Problem("customer", "is gone", "look who it was joined to")])
        # Somebody else may have been faster.
        return queries.card_of(customer_id) or _fresh(chosen, customer_id, by=by, now=now)


def _fresh(series: CardSeries, customer_id: int, *, by: str, now: datetime) -> str:
    numbers.check_room(series, 1)
    number = numbers.draw(series, 1, batch_id=None, label=None, now=now)[0]
    _hand_out({number: customer_id}, by=by, now=now)
    return number


def _hand_out(given: dict[str, int], *, by: str, now: datetime) -> None:
    """Give new cards (number -> customer, locked) to people: identity, history and fact, one statement each."""
    partitions.ensure(now, now)
    pairs = sql(
        "unnest({numbers}::text[], {people}::bigint[]) AS given (number, customer_id)",
        numbers=list(given),
        people=list(given.values()),
    )
    fetch(
        sql(
            "WITH identified AS (INSERT INTO customer_identity (customer_id, kind, value, created_at)"
            " SELECT customer_id, 'card', number, {now} FROM {pairs} ORDER BY number),"
            " assigned AS (UPDATE card c SET assigned_at = {now} FROM {pairs}"
            " WHERE c.number = given.number RETURNING c.id, given.customer_id),"
            " marked AS (INSERT INTO customer_change (customer_id) SELECT DISTINCT customer_id FROM {pairs})"
            " INSERT INTO card_change (card_id, act, customer_id, at, actor)"
            " SELECT id, 'assigned', customer_id, {now}, {by} FROM assigned ORDER BY id RETURNING card_id",
            pairs=pairs,
            now=now,
            by=by,
        )
    )
    _tell("card.assigned", list(given), now=now)


@_until_settled
def assign(*, number: str, customer_id: int, by: str, now: datetime, reason: str | None = None) -> CardShown:
    """Give a card from stock to a customer; what was bought with it before anybody was known comes along.

    Again, it changes nothing. Raises Problems for a card that is unknown, blocked, ended or somebody else's.
    """
    with transaction.atomic():
        card = _usable(number, {customer_id})
        before = queries.find(card.number)
        mine = before is not None and before.customer_id == customer_id
        joining.claim(customer_id=customer_id, kind=KIND, value=card.number, now=now, actor=by)
        if not mine:
            Card.objects.filter(pk=card.pk).update(assigned_at=now)
            _note(card, CardChange.Act.ASSIGNED, customer_id, by=by, now=now, reason=reason)
            partitions.ensure(now, now)
            _tell("card.assigned", [card.number], now=now)
        return _seen(card.number)


def block(*, number: str, reason: str, by: str, now: datetime) -> CardShown:
    """Make a card unusable for now: tills refuse it with the reason. Raises Problems."""
    return _take_away(number, Card.State.BLOCKED, reason, CardChange.Act.BLOCKED, by=by, now=now)


def end(*, number: str, reason: str, by: str, now: datetime) -> CardShown:
    """Make a card unusable for good. Raises Problems."""
    return _take_away(number, Card.State.ENDED, reason, CardChange.Act.ENDED, by=by, now=now)


@_until_settled
def _take_away(
    number: str, state: str, reason: str, act: str, *, by: str, now: datetime, replaced_by: int | None = None
) -> CardShown:
    known = ", ".join(Card.Reason.values)
    if reason not in Card.Reason.values:
        raise Problems([Problem("reason", f"{reason!r} is no reason", f"known: {known}")])
    with transaction.atomic():
        card = _locked(number)
        if card.state == Card.State.ENDED:
            raise Problems([refusal(_seen(card.number))])
        if card.state == Card.State.BLOCKED and state == Card.State.BLOCKED:
            return _seen(card.number)
        owner = _seen(card.number).customer_id
        if card.state == Card.State.READY and owner is not None:
            correct_customer(
                customer_id=owner, row={}, remove=[(KIND, card.number)], now=now, source=SOURCE, actor=by, reason=reason
            )
        Card.objects.filter(pk=card.pk).update(
            state=state, reason=reason, customer_id=owner, changed_at=now, replaced_by_id=replaced_by
        )
        _note(card, act, owner, by=by, now=now, reason=reason)
        if owner is not None and state == Card.State.BLOCKED:
            partitions.ensure(now, now)
            _tell("card.blocked", [card.number], now=now)
        return _seen(card.number)


@_until_settled
def unblock(*, number: str, by: str, now: datetime, reason: str | None = None) -> CardShown:
    """Make a blocked card usable again, for whom it was. Raises Problems for one that is not blocked."""
    with transaction.atomic():
        card = _locked(number)
        if card.state != Card.State.BLOCKED:
            raise Problems([Problem("card", "is not blocked", "look at its state first")])
        owner = card.customer_id
        Card.objects.filter(pk=card.pk).update(
            state=Card.State.READY, reason=None, customer_id=None, changed_at=now, replaced_by_id=None
        )
        if owner is not None:
            joining.claim(customer_id=owner, kind=KIND, value=card.number, now=now, actor=by)
        _note(card, CardChange.Act.UNBLOCKED, owner, by=by, now=now, reason=reason)
        return _seen(card.number)


@_until_settled
def replace(*, number: str, reason: str, by: str, now: datetime, new_number: str | None = None) -> CardShown:
    """End a card and give its customer another one: one from stock, or a new digital one. The new card.

    The points are the customer's and stay where they are. Raises Problems.
    """
    with transaction.atomic():
        card = _locked(number)
        seen = _seen(card.number)
        if card.state == Card.State.ENDED:
            raise Problems([refusal(seen)])
        owner = seen.customer_id
        if owner is None:
            raise Problems([Problem("card", "is nobody's: there is nothing to replace", "end it instead")])
        if new_number is None:
            chosen = CardSeries.objects.get(pk=card.series_id)
            new = Card.objects.get(number=_fresh(chosen, owner, by=by, now=now))
        else:
            new = _locked(new_number, {owner})
            if new.pk == card.pk:
                raise Problems([Problem("new_number", "is the same card", "take another one")])
            assign(number=new.number, customer_id=owner, by=by, now=now)
        _take_away(
            card.number, Card.State.ENDED, reason, CardChange.Act.REPLACED, by=by, now=now, replaced_by=new.pk
        )  # fmt: skip
        partitions.ensure(now, now)
        _tell("card.replaced", [new.number], now=now)
        return _seen(new.number)


@_until_settled
def merge(*, keep: str, gone: str, by: str, now: datetime, join: bool = False) -> CardShown:
    """Let one card stand for two: `gone` ends, and what happened with it comes to whom `keep` belongs.

    A card whose customer is nothing but keys is joined at once; two known people are only joined with `join`, for that
    is said by somebody who has asked both. Raises Problems.
    """
    with transaction.atomic():
        kept, other = _usable(keep), _usable(gone)
        if kept.pk == other.pk:
            raise Problems([Problem("gone", "is the same card", "name two cards")])
        winner, loser = _seen(kept.number).customer_id, _seen(other.number).customer_id
        if winner is None:
            raise Problems([Problem("keep", "is nobody's", "keep the card that somebody has")])
        if loser not in (None, winner):
            if join:
                joining.join(customer_id=winner, other_id=loser, now=now, actor=by)
            else:
                joining.claim(customer_id=winner, kind=KIND, value=other.number, now=now, actor=by)
        _take_away(
            other.number, Card.State.ENDED, "merged", CardChange.Act.MERGED, by=by, now=now, replaced_by=kept.pk
        )  # fmt: skip
        return _seen(kept.number)


def name_staff_card(*, number: str, label: str) -> None:
    """Write on a card of staff whose it is. Raises Problems for another card."""
    done = Card.objects.filter(number=plain(number), series__holder="staff").update(label=label.strip() or None)
    if not done:
        raise Problems([Problem("card", "is no card of staff", "issue it from a series for staff")])


def refusal(card: CardShown) -> Problem:
    """Why this card opens no account."""
    if card.state == Card.State.BLOCKED:
        return Problem("card", f"{card.number} is blocked ({card.reason})", "unblock it, or give out another card")
    if card.state == Card.State.ENDED and card.replaced_by:
        return Problem("card", f"{card.number} was replaced ({card.reason})", "use the card that replaces it")
    if card.state == Card.State.ENDED:
        return Problem("card", f"{card.number} is no longer valid ({card.reason})", "give out another card")
    return Problem("card", f"{card.number} has not been given to anybody", "assign it to a customer first")


def unknown(number: str) -> Problem:
    """Why a number that nobody has heard of is refused."""
    if queries.mistyped(number):
        return Problem("card", f"{number!r} has a wrong check digit", "read the number again")
    return Problem("card", f"there is no card {number!r}", "check the number")


def _seen(number: str) -> CardShown:
    found = queries.find(number)
    if found is None:
        raise Problems([unknown(number)])
    return found


def _locked(number: str, people: set[int] | None = None) -> Card:
    """The card, locked after everybody whom this is about; raises Problems for an unknown one."""
    seen = _seen(number)
    if seen.id is None:
        raise Problems([Problem("card", f"{seen.number} is a card from elsewhere", "issue one of your own series")])
    _lock({*(people or ()), *({seen.customer_id} if seen.customer_id else ())})
    card = Card.objects.select_for_update().get(pk=seen.id)
    if _seen(card.number).customer_id != seen.customer_id:
        raise joining.Overtaken
    return card


def _usable(number: str, people: set[int] | None = None) -> Card:
    card = _locked(number, people)
    if card.state != Card.State.READY:
        raise Problems([refusal(_seen(card.number))])
    return card


def _lock(customer_ids: Sequence[int] | set[int]) -> list[int]:
    query = sql("SELECT id FROM customer WHERE id = ANY({i}) ORDER BY id FOR UPDATE", i=sorted(set(customer_ids)))
    return [row[0] for row in fetch(query)] if customer_ids else []


def _note(card: Card, act: str, customer_id: int | None, *, by: str, now: datetime, reason: str | None) -> None:
    CardChange.objects.create(card_id=card.pk, act=act, customer_id=customer_id, at=now, actor=by, reason=reason)


def _tell(fact: str, card_numbers: Sequence[str], *, now: datetime) -> None:
    """Put it into the timeline of whose cards these are, or were."""
    facts.write(
        fact,
        sql(
            "SELECT coalesce(i.customer_id, c.customer_id), {now}::timestamptz, c.id, jsonb_strip_nulls("
            "jsonb_build_object('reason', c.reason)) FROM card c"
            " LEFT JOIN customer_identity i ON i.kind = 'card' AND i.value = c.number"
            " WHERE c.number = ANY({numbers}::text[]) AND coalesce(i.customer_id, c.customer_id) IS NOT NULL",
            now=now,
            numbers=list(card_numbers),
        ),
    )
