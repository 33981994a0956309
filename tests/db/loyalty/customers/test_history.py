"""The history of profiles: what stood before, where values come from, corrections by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty.customers import sources
from loyalty.customers.correcting import correct_customer
from loyalty.customers.history import history, profile_at
from loyalty.customers.models import Attribute, Customer, CustomerChange, CustomerIdentity, CustomerRevision, Source
from loyalty.customers.operations import upsert_customers
from loyalty.kit.problems import Problems

pytestmark = pytest.mark.django_db
T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def upsert(row: dict[str, Any], day: int, source: str) -> int:
    done = upsert_customers([row], now=T0 + day * DAY, source=source)
    assert done.rejected == []
    assert done.ids[0] is not None
    return done.ids[0]


def befores(customer_id: int) -> list[dict[str, Any]]:
    return list(
        CustomerRevision.objects.filter(customer_id=customer_id).order_by("id").values_list("before", flat=True)
    )


def test_a_first_import_writes_no_history_and_a_change_keeps_only_what_it_changed() -> None:
    ada = upsert(
        {"external_id": "a", "city": "Köln", "birth_date": "1990-12-31", "attributes": {"n": 1, "l": ["x"]}}, 0, "shop"
    )
    assert befores(ada) == []
    upsert({"external_id": "a", "city": "Köln", "birth_date": "1990-12-31", "attributes": {"n": 1}}, 1, "shop")
    assert befores(ada) == []
    upsert(
        {"external_id": "a", "city": "Bonn", "birth_date": None, "attributes": {"n": 2, "l": None, "m": True}}, 2, "crm"
    )
    assert befores(ada) == [{"city": "Köln", "birth_date": "1990-12-31", "n": 1, "l": ["x"], "m": None}]


def test_each_value_knows_its_source_and_age_and_the_newest_revision_decides() -> None:
    ada = upsert({"external_id": "a", "city": "Köln", "attributes": {"size": 3}}, 0, "api")
    upsert({"external_id": "a", "first_name": "Ada"}, 1, "form")
    upsert({"external_id": "a", "city": "Bonn", "attributes": {"size": 4}}, 2, "bought list")
    Source.objects.filter(key="bought list").update(source_class="third")
    Attribute.objects.filter(key="size").update(source_class="zero", learned=False)
    known = history(ada)
    assert known.values == {"external_id": "a", "city": "Bonn", "first_name": "Ada", "size": 4}
    told = {name: (one.source, one.source_class, (one.since - T0).days) for name, one in known.origins.items()}
    assert told == {
        "external_id": ("api", "first", 0),
        "first_name": ("form", None, 1),
        "city": ("bought list", "third", 2),
        "size": ("bought list", "zero", 2),
    }
    assert [(one.source, dict(one.changes)) for one in known.revisions] == [
        ("bought list", {"city": ("Köln", "Bonn"), "size": (3, 4)}),
        ("form", {"first_name": (None, "Ada")}),
    ]


def test_the_profile_of_a_day_is_put_together_again() -> None:
    ada = upsert({"external_id": "a", "city": "Köln"}, 0, "api")
    upsert({"external_id": "a", "city": "Bonn", "identities": {"card": "1"}}, 2, "api")
    upsert({"external_id": "a", "city": None, "attributes": {"n": 1}}, 4, "api")
    assert profile_at(ada, at=T0 - DAY) == {}
    assert profile_at(ada, at=T0 + DAY) == {"external_id": "a", "city": "Köln"}
    assert profile_at(ada, at=T0 + 3 * DAY) == {"external_id": "a", "city": "Bonn", "identities.card": ["1"]}
    assert profile_at(ada, at=T0 + 5 * DAY) == {"external_id": "a", "n": 1, "identities.card": ["1"]}
    assert profile_at(0, at=T0) == {}


def test_null_takes_all_identities_of_a_kind_away_and_others_given_with_it_stay() -> None:
    ada = upsert({"external_id": "a", "identities": {"card": ["1", "2"], "device": "d"}}, 0, "api")
    CustomerChange.objects.all().delete()
    upsert({"external_id": "a", "identities": {"card": None}}, 1, "api")
    assert list(CustomerIdentity.objects.values_list("kind", "value")) == [("device", "d")]
    assert befores(ada) == [{"identities.card": ["1", "2"]}]
    assert list(CustomerChange.objects.values_list("customer_id", flat=True)) == [ada]
    upsert({"external_id": "a", "identities": {"card": None}}, 2, "api")
    assert len(befores(ada)) == 1


def test_a_later_row_of_the_batch_takes_away_what_an_earlier_one_gave() -> None:
    done = upsert_customers(
        [
            {"external_id": "a", "identities": {"card": "1", "device": "d"}},
            {"external_id": "a", "identities": {"card": None}},
        ],
        now=T0,
        source="api",
    )
    assert (done.accepted, done.created) == (2, 1)
    assert list(CustomerIdentity.objects.values_list("kind", "value")) == [("device", "d")]


def test_a_correction_by_hand_is_logged_with_its_reason_and_changes_keys_one_by_one() -> None:
    ada = upsert({"external_id": "a", "city": "Köln", "identities": {"card": ["1", "2"]}}, 0, "api")
    done = correct_customer(
        customer_id=ada,
        row={"city": "Bonn", "attributes": {}},
        now=T0 + DAY,
        source="admin",
        actor="eva",
        reason="call of 2 March",
        add=[("card", "3")],
        remove=[("card", "1")],
    )
    assert (done.fields, done.added, done.removed) == (True, [("card", "3")], [("card", "1")])
    assert list(CustomerIdentity.objects.order_by("value").values_list("value", flat=True)) == ["2", "3"]
    logged = CustomerRevision.objects.order_by("id").values_list("actor", "reason", "source__key", "before")
    assert list(logged) == [
        ("eva", "call of 2 March", "admin", {"city": "Köln"}),
        ("eva", "call of 2 March", "admin", {"identities.card": ["1", "2"]}),
    ]
    origin = history(ada).origins["city"]
    assert (origin.actor, origin.reason, origin.source_class) == ("eva", "call of 2 March", "first")


def test_a_wrong_correction_changes_nothing_and_tells_every_mistake() -> None:
    ada = upsert({"external_id": "a", "city": "Köln"}, 0, "api")
    upsert({"external_id": "b", "identities": {"card": "9"}}, 0, "api")
    with pytest.raises(Problems) as refused:
        correct_customer(
            customer_id=ada,
            row={"email": "nonsense", "city": "Bonn", "external_id": "z"},
            now=T0,
            source="admin",
            add=[("card", "9")],
            remove=[("device", "x")],
        )
    assert [problem.where for problem in refused.value.problems] == [
        "email",
        "external_id",
        "identities.card",
        "identities.device",
    ]
    assert Customer.objects.get(pk=ada).city == "Köln"
    with pytest.raises(Customer.DoesNotExist):
        correct_customer(customer_id=0, row={}, now=T0, source="admin")


def test_the_products_own_sources_are_there_with_their_class() -> None:
    assert dict(Source.objects.values_list("key", "source_class")) == sources.KNOWN
    assert sources.source_id(" api ", now=T0) == Source.objects.get(key="api").pk
    assert sources.source_id("", now=T0) == Source.objects.get(key="api").pk
