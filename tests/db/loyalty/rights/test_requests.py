"""The request desk: one month by the calendar, the identity first, then the deed, and nothing left of the person."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty.consent.models import ConsentState
from loyalty.customers import joining
from loyalty.customers.erasing import erase_customers
from loyalty.customers.models import Customer
from loyalty.customers.operations import upsert_customers
from loyalty.kit.problems import Problems
from loyalty.rights import operations
from loyalty.rights.models import RightsRequest

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)


def person(external_id: str = "a", **fields: Any) -> int:
    found = upsert_customers([{"external_id": external_id, **fields}], now=NOW, source="test").ids[0]
    assert found
    return found


def file(kind: str, customer_id: int, **fields: Any) -> RightsRequest:
    return operations.file_request(kind=kind, customer_id=customer_id, now=NOW, actor="ada", **fields).request


def checked(kind: str, customer_id: int) -> int:
    request = file(kind, customer_id)
    operations.check_identity(request_id=request.pk, how="login", now=NOW, actor="ada")
    return request.pk


def test_a_request_is_due_a_calendar_month_later_and_stands_once() -> None:
    customer_id = person()
    request = file("access", customer_id)
    assert request.due_at == datetime(2026, 2, 28, 9, tzinfo=UTC)
    again = operations.file_request(kind="access", customer_id=customer_id, now=NOW, actor="eve")
    assert (again.new, again.request.pk) == (False, request.pk)
    # One hour less by the clock on the wall: summer time begins in between.
    spring = file("erase", customer_id, received_at=datetime(2025, 3, 1, 9, tzinfo=UTC))
    assert spring.due_at == datetime(2025, 4, 1, 8, tzinfo=UTC)


def test_every_mistake_is_told() -> None:
    with pytest.raises(Problems) as told:
        file("forget", person(), received_at=NOW + timedelta(days=1), notes="x" * 2_001)
    assert [problem.where for problem in told.value.problems] == ["kind", "received_at", "notes"]


def test_it_may_take_two_months_more_once_and_before_it_is_due() -> None:
    request = file("access", person())
    with pytest.raises(Problems, match="overdue"):
        operations.extend(request_id=request.pk, reason="many rows", now=NOW + timedelta(days=40))
    longer = operations.extend(request_id=request.pk, reason="many rows", now=NOW)
    assert longer.due_at == datetime(2026, 4, 28, 8, tzinfo=UTC)
    with pytest.raises(Problems, match="extended already"):
        operations.extend(request_id=request.pk, reason="more", now=NOW)


def test_nothing_is_done_for_a_stranger() -> None:
    customer_id = person()
    for kind in ("access", "portability", "rectify", "erase", "restrict", "release"):
        request = file(kind, customer_id)
        with pytest.raises(Problems, match="identity was not checked"):
            operations.fulfil(request_id=request.pk, now=NOW, actor="ada")
    assert Customer.objects.get().restricted_at is None
    assert operations.fulfil(request_id=file("object", customer_id).pk, now=NOW, actor="ada").outcome == "objected"


def test_an_objection_withdraws_advertising_and_profiling_everywhere() -> None:
    customer_id = person()
    operations.fulfil(request_id=file("object", customer_id).pk, now=NOW, actor="ada")
    states = set(ConsentState.objects.values_list("purpose", "status"))
    assert states == {("marketing", "withdrawn"), ("profiling", "withdrawn")}
    assert ConsentState.objects.filter(channel="letter").count() == 2


def test_an_erasure_leaves_a_request_about_nobody() -> None:
    customer_id = person()
    other = file("access", customer_id, contact="ada@example.com", notes="wants all")
    done = operations.fulfil(request_id=checked("erase", customer_id), now=NOW, actor="ada")
    assert (done.state, done.outcome, done.customer_id, done.identity_how) == ("done", "erased", None, None)
    other.refresh_from_db()
    assert (other.state, other.outcome, other.contact, other.notes) == ("done", "erased", None, None)
    assert other.due_at == datetime(2026, 2, 28, 9, tzinfo=UTC)
    assert not Customer.objects.exists()


def test_a_refusal_says_why_and_nothing_happens_twice() -> None:
    request = file("erase", person())
    with pytest.raises(Problems, match="must be told why"):
        operations.refuse(request_id=request.pk, reason=" ", now=NOW, actor="ada")
    refused = operations.refuse(request_id=request.pk, reason="invoice open", now=NOW, actor="ada")
    assert (refused.state, refused.notes) == ("refused", "invoice open")
    with pytest.raises(Problems, match="closed already"):
        operations.fulfil(request_id=request.pk, now=NOW, actor="ada")


def test_a_restriction_is_kept_with_its_reason_and_its_end() -> None:
    customer_id = person()
    assert operations.restrict(customer_id=customer_id, reason="contested", now=NOW, actor="ada")
    assert not operations.restrict(customer_id=customer_id, reason="again", now=NOW, actor="ada")
    found = Customer.objects.get()
    assert (found.restricted_at, found.restricted_by, found.restricted_reason) == (NOW, "ada", "contested")
    assert operations.release(customer_id=customer_id, now=NOW, actor="eve")
    assert not operations.release(customer_id=customer_id, now=NOW, actor="eve")
    assert Customer.objects.get().restricted_at is None
    log = list(RightsRequest.objects.order_by("id").values_list("kind", "state", "closed_by", "notes"))
    assert log == [("restrict", "done", "ada", "contested"), ("release", "done", "eve", None)]


def test_requests_go_with_the_person_who_was_joined() -> None:
    winner, loser = person("a"), person("b")
    first, second = file("access", winner), file("access", loser)
    alone = file("erase", loser)
    done = joining.join(customer_id=winner, other_id=loser, now=NOW, actor="ada")
    states = dict(RightsRequest.objects.values_list("pk", "outcome"))
    assert states == {first.pk: None, second.pk: "duplicate", alone.pk: None}
    assert set(RightsRequest.objects.values_list("customer_id", flat=True)) == {winner}
    joining.undo_merge(merge_id=done.merge_id or 0, now=NOW, actor="ada")
    assert RightsRequest.objects.get(pk=alone.pk).customer_id == loser
    erase_customers(customer_ids=[winner])
    assert RightsRequest.objects.get(pk=alone.pk).customer_id == loser
