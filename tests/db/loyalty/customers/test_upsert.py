"""Upserting customers: what changes, what stays, who is meant."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty.customers.models import Attribute, Customer, CustomerChange, CustomerIdentity
from loyalty.customers.operations import ensure_customers, upsert_customers
from loyalty.customers.queries import resolve
from loyalty.kit.digests import address_digest

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 3, 2, 12, tzinfo=UTC)


def upsert(*rows: Any, now: datetime = NOW, **options: Any) -> Any:
    return upsert_customers(list(rows), now=now, source="test", **options)


def changes() -> list[int]:
    return list(CustomerChange.objects.order_by("id").values_list("customer_id", flat=True))


def test_a_new_customer_gets_typed_columns_attributes_identities_and_hashes() -> None:
    done = upsert(
        {
            "external_id": "ada",
            "email": "Ada@Example.com",
            "phone": "+49 171 1234567",
            "timezone": "Europe/Berlin",
            "attributes": {"birth_date": "1990-12-31", "country": "at", "vip": True, "size": 39.5},
            "identities": {"card": ["4711", "4712"], "device": "d1"},
        }
    )
    ada = Customer.objects.get()
    assert (done.accepted, done.created, done.changed, done.rejected, done.ids) == (1, 1, 0, [], [ada.pk])
    assert (ada.external_id, ada.email, ada.phone) == ("ada", "Ada@example.com", "+491711234567")
    assert (ada.birth_date, ada.country, ada.timezone) == (date(1990, 12, 31), "AT", "Europe/Berlin")
    assert ada.attributes == {"vip": True, "size": 39.5}
    assert bytes(ada.email_digest) == address_digest("ada@example.com", key=settings.ADDRESS_KEY)
    assert bytes(ada.phone_digest) == address_digest("+491711234567", key=settings.ADDRESS_KEY)
    assert (ada.created_at, ada.updated_at) == (NOW, NOW)
    identities = CustomerIdentity.objects.order_by("kind", "value").values_list("customer_id", "kind", "value")
    assert list(identities) == [(ada.pk, "card", "4711"), (ada.pk, "card", "4712"), (ada.pk, "device", "d1")]
    assert changes() == [ada.pk]
    learned = Attribute.objects.order_by("key").values_list("key", "type", "learned", "source__key")
    assert list(learned) == [("size", "number", True, "test"), ("vip", "boolean", True, "test")]


def test_given_fields_change_null_clears_and_absent_stays() -> None:
    upsert({"external_id": "ada", "email": "a@example.com", "city": "Rome", "attributes": {"x": 1, "y": 2, "z": [1]}})
    done = upsert(
        {"external_id": "ada", "email": None, "first_name": "Ada", "attributes": {"y": None, "z": [2], "w": "n"}},
        now=LATER,
    )
    ada = Customer.objects.get()
    assert (done.created, done.changed) == (0, 1)
    assert (ada.email, ada.email_digest, ada.city, ada.first_name) == (None, None, "Rome", "Ada")
    assert ada.attributes == {"x": 1, "z": [2], "w": "n"}
    assert (ada.created_at, ada.updated_at) == (NOW, LATER)
    assert changes() == [ada.pk, ada.pk]


def test_only_rows_that_really_changed_are_written_and_queued() -> None:
    rows = [{"external_id": f"c{i}", "city": "Rome", "attributes": {"n": i}} for i in range(5)]
    upsert(*rows)
    CustomerChange.objects.all().delete()
    before = list(Customer.objects.order_by("id").values_list("id", "updated_at"))
    assert upsert(*rows, now=LATER).changed == 0
    assert list(Customer.objects.order_by("id").values_list("id", "updated_at")) == before
    assert changes() == []
    rows[3] = {"external_id": "c3", "attributes": {"n": 33}}
    done = upsert(*rows, now=LATER)
    assert (done.accepted, done.changed) == (5, 1)
    assert changes() == [done.ids[3]]


def test_good_rows_go_on_when_others_are_refused() -> None:
    done = upsert({"external_id": "a", "email": "x", "country": "Q"}, {"external_id": "b"}, 7, refused={1: []})
    assert done.accepted == 0
    done = upsert({"external_id": "a", "email": "x", "country": "Q"}, {"external_id": "b"}, 7)
    assert done.accepted == 1
    assert [(index, [problem.where for problem in problems]) for index, problems in done.rejected] == [
        (0, ["email", "country"]),
        (2, [""]),
    ]
    assert done.ids == [None, Customer.objects.get().pk, None]


def test_people_without_external_id_are_found_by_identity_email_or_phone() -> None:
    known = upsert(
        {"external_id": "a", "email": "a@example.com", "phone": "+491711234567", "identities": {"card": "1"}}
    ).ids[0]
    done = upsert(
        {"identities": {"card": "1"}, "city": "Rome"},
        {"email": "A@EXAMPLE.COM", "first_name": "Ada"},
        {"phone": "0049 171 1234567", "last_name": "L"},
        {"email": "new@example.com"},
    )
    assert done.ids[:3] == [known, known, known]
    assert (done.accepted, done.created, done.changed) == (4, 1, 1)
    ada = Customer.objects.get(pk=known)
    assert (ada.city, ada.first_name, ada.last_name, ada.external_id) == ("Rome", "Ada", "L", "a")


def test_a_new_external_id_names_a_person_known_only_by_keys() -> None:
    stub = upsert({"identities": {"anonymous_id": "v1"}}).ids[0]
    mail = upsert({"email": "b@example.com"}).ids[0]
    done = upsert(
        {"external_id": "a", "identities": {"anonymous_id": "v1"}}, {"external_id": "b", "email": "b@example.com"}
    )
    assert done.ids == [stub, mail]
    assert sorted(Customer.objects.values_list("external_id", flat=True)) == ["a", "b"]


def test_a_visitor_who_logs_in_was_that_customer_all_along() -> None:
    ada = upsert({"external_id": "ada", "email": "a@example.com", "attributes": {"x": 1}}).ids[0]
    stub = upsert({"identities": {"anonymous_id": "v1"}, "city": "Rome", "attributes": {"x": 2, "y": 2}}).ids[0]
    assert stub != ada
    done = upsert({"external_id": "ada", "identities": {"anonymous_id": "v1"}}, {"identities": {"anonymous_id": "v1"}})
    assert done.ids == [ada, ada]
    assert resolve([{"anonymous_id": "v1"}]) == [ada]
    one = Customer.objects.get()
    assert (one.pk, one.external_id, one.city, one.attributes) == (ada, "ada", "Rome", {"x": 1, "y": 2})


def test_two_known_people_may_share_an_address_but_no_card() -> None:
    first = upsert({"external_id": "a", "email": "f@example.com", "identities": {"card": "1"}}).ids[0]
    done = upsert({"external_id": "b", "email": "f@example.com"}, {"external_id": "c", "identities": {"card": "1"}})
    assert done.ids[1] is None
    assert [str(problem) for problem in done.rejected[0][1]] == [
        "identities.card: '1' belongs to another customer (correct it, or merge the two)"
    ]
    assert done.ids[0] != first
    assert resolve([{"email": "F@example.com"}]) == [first]


def test_a_learned_type_that_does_not_hold_becomes_text_and_a_defined_one_refuses() -> None:
    upsert({"external_id": "a", "attributes": {"size": 3}})
    upsert({"external_id": "b", "attributes": {"size": "XL"}})
    assert Attribute.objects.get().type == "text"
    Attribute.objects.create(key="tier", type="choice", choices=["gold"], created_at=NOW)
    done = upsert({"external_id": "c", "attributes": {"tier": "lead"}})
    assert str(done.rejected[0][1][0]) == "attributes.tier: 'lead' is not one of the choices (known: gold)"
    assert upsert({"external_id": "c", "attributes": {"tier": "gold", "size": 4}}).accepted == 1


def test_hashes_are_mended_when_the_key_changed(settings: Any) -> None:
    upsert({"external_id": "a", "email": "a@example.com"})
    settings.ADDRESS_KEY = "another"
    assert upsert({"external_id": "a", "email": "a@example.com"}).changed == 1
    assert bytes(Customer.objects.get().email_digest) == address_digest("a@example.com", key="another")


def test_references_are_resolved_by_one_query_per_kind() -> None:
    ids = upsert(
        {"external_id": "a", "email": "a@example.com", "identities": {"card": "1"}},
        {"external_id": "b", "phone": "+491711234567", "identities": {"anonymous_id": "v"}},
    ).ids
    references = [
        "a",
        {"external_id": "b"},
        {"email": " A@example.com "},
        {"phone": "+491711234567"},
        {"card": "1"},
        {"anonymous_id": "v"},
        {"card": "v"},
        "nobody",
        "a\0",
        {"email": "a@example.com", "card": "1"},
        {"tattoo": "1"},
    ]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert resolve(references) == [ids[0], ids[1], ids[0], ids[1], ids[0], ids[1], None, None, None, None, None]
    assert len(queries) == 5


def test_unknown_ids_in_events_become_customers() -> None:
    known = upsert({"external_id": "a"}).ids[0]
    found = ensure_customers(["b", "a", "b"], ["v1"], now=NOW)
    assert found[("external_id", "a")] == known
    assert set(found) == {("external_id", "a"), ("external_id", "b"), ("anonymous_id", "v1")}
    assert found == ensure_customers(["a", "b"], ["v1"], now=LATER)
    assert Customer.objects.count() == 3


def test_the_number_of_queries_does_not_grow_with_the_batch() -> None:
    def queries_of(size: int) -> int:
        rows = [
            {"external_id": f"{size}-{i}", "email": f"{size}-{i}@example.com", "identities": {"card": f"{size}-{i}"}}
            for i in range(size)
        ] + [{"phone": f"+49171{size:04}{i:04}", "attributes": {"n": i}} for i in range(size)]
        with CaptureQueriesContext(connection) as queries:
            assert upsert(*rows).accepted == 2 * size
        return len(queries)

    upsert({"external_id": "x", "attributes": {"n": 0}})
    assert queries_of(1) == queries_of(200) == 20
