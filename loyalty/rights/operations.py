"""Requests of people about their data: filed, checked, carried out or refused, each with its clock."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from loyalty.customers.changes import mark_changed
from loyalty.customers.erasing import erase_customers
from loyalty.kit.erasures import holders
from loyalty.kit.periods import Period
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.rights.models import RightsRequest

Kind = RightsRequest.Kind
State = RightsRequest.State

MONTH = Period.parse("1 month")
EXTENSION = Period.parse("2 months")
TEXT_MAX = 2_000
# What may be done for whoever asks: an objection harms nobody, the rest must not go to a stranger.
WITHOUT_CHECK = (Kind.OBJECT,)
OUTCOMES = {
    Kind.ACCESS: "handed_over",
    Kind.PORTABILITY: "handed_over",
    Kind.RECTIFY: "corrected",
    Kind.ERASE: "erased",
    Kind.RESTRICT: "restricted",
    Kind.RELEASE: "released",
    Kind.OBJECT: "objected",
}


@dataclass(frozen=True, slots=True)
class Filed:
    """The request; `new` is False when one of this kind was open already."""

    request: RightsRequest
    new: bool


def file_request(
    *,
    kind: str,
    customer_id: int,
    now: datetime,
    actor: str,
    received_at: datetime | None = None,
    contact: str | None = None,
    notes: str | None = None,
) -> Filed:
    """Write down what a person asked; it is due one calendar month after it was received. Raises Problems.

    A second request of a kind while one is open is the same one.
    """
    received_at = received_at or now
    problems = []
    if kind not in Kind.values:
        problems.append(Problem("kind", f"{kind!r} is no kind of request", f"known: {', '.join(Kind.values)}"))
    if received_at > now + timedelta(minutes=5):
        problems.append(Problem("received_at", "is in the future", "give the time when it came in"))
    problems += [
        Problem(name, f"is longer than {TEXT_MAX:,} characters", "shorten it")
        for name, text in (("contact", contact), ("notes", notes))
        if text and len(text) > TEXT_MAX
    ]
    if problems:
        raise Problems(problems)
    with transaction.atomic():
        if not _lock(customer_id):
            raise Problems([Problem("customer", "this customer is gone", "look who it was joined to")])
        found = RightsRequest.objects.filter(customer_id=customer_id, kind=kind, state=State.OPEN).first()
        if found is not None:
            return Filed(found, False)
        request = RightsRequest.objects.create(
            kind=kind,
            customer_id=customer_id,
            contact=contact or None,
            notes=notes or None,
            received_at=received_at,
            due_at=MONTH.add_to(received_at, settings.TIME_ZONE),
            filed_by=actor,
        )
    return Filed(request, True)


def _lock(customer_id: int) -> bool:
    return bool(fetch(sql("SELECT FROM customer WHERE id = {id} FOR UPDATE", id=customer_id)))


def _open(request_id: int) -> RightsRequest:
    """The open request, locked after its customer: erasing and joining take the locks in this order too."""
    asked = RightsRequest.objects.filter(pk=request_id).first()
    if asked is not None and asked.customer_id is not None:
        _lock(asked.customer_id)
    request = RightsRequest.objects.select_for_update().filter(pk=request_id).first()
    if request is None:
        raise Problems([Problem("request", "there is no such request", "look into the list")])
    if request.state != State.OPEN:
        raise Problems([Problem("request", f"is closed already ({request.outcome})", "file a new one")])
    return request


def check_identity(*, request_id: int, how: str, now: datetime, actor: str) -> RightsRequest:
    """Note that the one who asks is the person, and how that was found out."""
    how = how.strip()
    if not how or len(how) > TEXT_MAX:
        raise Problems([Problem("how", "says not how the identity was checked", "for example: login, letter, card")])
    with transaction.atomic():
        request = _open(request_id)
        request.identity_checked_at, request.identity_checked_by, request.identity_how = now, actor, how
        request.save(update_fields=["identity_checked_at", "identity_checked_by", "identity_how"])
    return request


def extend(*, request_id: int, reason: str, now: datetime) -> RightsRequest:
    """Take two months more (Art. 12(3)): once, before it is due, and the person is told why."""
    reason = reason.strip()
    if not reason or len(reason) > TEXT_MAX:
        raise Problems([Problem("reason", "is missing or too long", "the person must be told why it takes longer")])
    with transaction.atomic():
        request = _open(request_id)
        if request.extension_reason is not None:
            raise Problems([Problem("request", "was extended already", "answer it by the date that stands")])
        if request.due_at < now:
            raise Problems([Problem("request", "is overdue", "an extension must be told within the first month")])
        request.extension_reason = reason
        request.due_at = EXTENSION.add_to(request.due_at, settings.TIME_ZONE)
        request.save(update_fields=["extension_reason", "due_at"])
    return request


def fulfil(*, request_id: int, now: datetime, actor: str, notes: str | None = None) -> RightsRequest:
    """Do what was asked and close the request; raises Problems before the identity was checked.

    Access, data to take along and corrections are done by hand: closing says that they were.
    """
    with transaction.atomic():
        request = _open(request_id)
        if request.identity_checked_at is None and request.kind not in WITHOUT_CHECK:
            raise Problems([Problem("request", "the identity was not checked", "check it and note how")])
        customer_id = request.customer_id
        if customer_id is None:
            raise Problems([Problem("request", "the person is not known any more", "refuse it")])
        outcome = OUTCOMES[Kind(request.kind)]
        if notes:
            request.notes = notes
        _close(request, State.DONE, outcome, now, actor)
        match request.kind:
            case Kind.ERASE:
                erase_customers(customer_ids=[customer_id])
            case Kind.RESTRICT:
                _restrict(customer_id, now, actor, request.notes)
            case Kind.RELEASE:
                _release(customer_id)
            case Kind.OBJECT:
                _object(customer_id, now)
    request.refresh_from_db()
    return request


def refuse(*, request_id: int, reason: str, now: datetime, actor: str) -> RightsRequest:
    """Close the request without doing it; the person is told why and that they may complain (Art. 12(4))."""
    reason = reason.strip()
    if not reason or len(reason) > TEXT_MAX:
        raise Problems([Problem("reason", "is missing or too long", "the person must be told why")])
    with transaction.atomic():
        request = _open(request_id)
        request.notes = reason
        _close(request, State.REFUSED, "refused", now, actor)
    return request


def _close(request: RightsRequest, state: str, outcome: str, now: datetime, actor: str) -> None:
    request.state, request.outcome, request.closed_at, request.closed_by = state, outcome, now, actor
    request.save(update_fields=["state", "outcome", "closed_at", "closed_by", "notes"])


def restrict(*, customer_id: int, reason: str, now: datetime, actor: str) -> bool:
    """Restrict the processing of a person's data (Art. 18) and keep that in the requests; False if it was so already.

    From the next message on nothing is sent; the customer's row is locked like for a withdrawal. Raises Problems.
    """
    reason = reason.strip()
    if not reason or len(reason) > TEXT_MAX:
        raise Problems([Problem("reason", "is missing or too long", "say why, for example: accuracy contested")])
    return _at_once(Kind.RESTRICT, customer_id, reason, now, actor)


def release(*, customer_id: int, now: datetime, actor: str, reason: str | None = None) -> bool:
    """End the restriction and keep that in the requests; False if there was none. Raises Problems."""
    return _at_once(Kind.RELEASE, customer_id, reason, now, actor)


def _at_once(kind: str, customer_id: int, reason: str | None, now: datetime, actor: str) -> bool:
    with transaction.atomic():
        filed = file_request(kind=kind, customer_id=customer_id, now=now, actor=actor, notes=reason)
        query = sql("SELECT restricted_at IS NOT NULL FROM customer WHERE id = {id}", id=customer_id)
        is_so = fetch(query)[0][0]
        if is_so == (kind == Kind.RESTRICT):
            if filed.new:
                filed.request.delete()
            return False
        if kind == Kind.RESTRICT:
            _restrict(customer_id, now, actor, reason)
        else:
            _release(customer_id)
        _close(filed.request, State.DONE, OUTCOMES[Kind(kind)], now, actor)
    return True


def _restrict(customer_id: int, now: datetime, actor: str, reason: str | None) -> None:
    query = sql(
        "UPDATE customer SET restricted_at = {now}, restricted_by = {actor}, restricted_reason = {reason}"
        " WHERE id = {id} AND restricted_at IS NULL",
        now=now,
        actor=actor,
        reason=reason,
        id=customer_id,
    )
    execute(query)
    mark_changed([customer_id])


def _release(customer_id: int) -> None:
    query = sql(
        "UPDATE customer SET restricted_at = NULL, restricted_by = NULL, restricted_reason = NULL WHERE id = {id}",
        id=customer_id,
    )
    execute(query)
    mark_changed([customer_id])


def _object(customer_id: int, now: datetime) -> None:
    for holder in holders():
        if holder.objection is not None:
            holder.objection([customer_id], now, "objection")
