"""The board of data quality: every count exact, the people behind it, once a day."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from loyalty.customers import measuring
from loyalty.customers.models import Attribute, Customer, QualityFigure
from loyalty.customers.operations import save_attribute, upsert_customers
from loyalty.customers.quality import check_of
from loyalty.customers.tasks import measure_quality
from loyalty.kit.chores import get_chore

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OLD = NOW - timedelta(days=800)


def populate() -> None:
    rows: list[dict[str, Any]] = [
        {
            "external_id": "a",
            "email": "x@example.com",
            "first_name": "Ada",
            "last_name": "L",
            "birth_date": "1990-01-01",
        },
        {
            "external_id": "b",
            "email": "X@example.com",
            "first_name": "ada",
            "last_name": "l",
            "birth_date": "1990-01-01",
        },
        {"external_id": "c", "email": "x@example.com", "phone": "+491711234567", "birth_date": "1980-01-01"},
        {"external_id": "d", "phone": "+491711234567", "country": "DE", "postcode": "1234"},
        {"external_id": "e", "country": "AT", "postcode": "1010", "birth_date": "1820-01-01"},
        {"external_id": "f", "email": "f@example.com", "attributes": {"size": "big", "shop": "Köln"}},
        {"identities": {"anonymous_id": "visitor"}},
    ]
    upsert_customers(rows, now=NOW, source="test")
    save_attribute(Attribute(key="size", type="number"), now=NOW)
    Customer.objects.filter(external_id="a").update(updated_at=OLD)


def found(key: str) -> list[str | None]:
    check = check_of(key)
    assert check is not None
    return [customer.external_id for customer, _same in measuring.people(check, now=NOW).rows]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("customers.same_email", ["a", "b", "c"]),
        ("customers.same_phone", ["c", "d"]),
        ("customers.same_person", ["a", "b"]),
        ("customers.conflicting", ["a", "b", "c"]),
        ("customers.no_address", ["e"]),
        ("customers.invalid", ["d", "e", "f"]),
        ("customers.stale", ["a"]),
        ("missing:email", ["d", "e"]),
        ("missing:shop", ["a", "b", "c", "d", "e"]),
    ],
)
def test_each_check_finds_exactly_its_people(key: str, expected: list[str]) -> None:
    populate()
    assert found(key) == expected


def test_figures_are_counted_once_a_day_and_again_on_demand() -> None:
    populate()
    written = measure_quality(now=NOW)
    assert written == QualityFigure.objects.count() > 15
    assert measure_quality(now=NOW) == 0
    counted = measuring.figures(now=NOW)
    assert (counted["*"].found, counted["*"].total) == (6, 7)
    assert (counted["missing:email"].found, counted["missing:email"].total) == (2, 6)
    assert round(counted["missing:shop"].share, 2) == 83.33
    assert (counted["customers.same_email"].found, counted["customers.same_email"].total) == (3, 7)
    assert counted["customers.same_email"].trend == [(date(2026, 3, 1), 300 / 7)]
    measuring.measure_again(now=NOW)
    assert measure_quality(now=NOW) == written
    assert measure_quality(now=NOW + timedelta(days=1)) == written
    assert len(measuring.figures(now=NOW + timedelta(days=1))["*"].trend) == 2


def test_nobody_is_not_counted_and_a_first_import_is_counted_again() -> None:
    assert (measuring.measure(now=NOW), QualityFigure.objects.count()) == (0, 0)
    upsert_customers([{"external_id": "first"}], now=NOW, source="test")
    assert measuring.measure(now=NOW) > 0
    upsert_customers([{"external_id": f"more{n}"} for n in range(1)], now=NOW, source="test")
    assert (measuring.measure(now=NOW), measuring.figures(now=NOW)[measuring.ALL].total) == (0, 1)
    upsert_customers([{"external_id": f"most{n}"} for n in range(5)], now=NOW, source="test")
    assert measuring.measure(now=NOW) > 0
    assert measuring.figures(now=NOW)[measuring.ALL].total == 7


def test_figures_are_kept_for_two_years() -> None:
    populate()
    measure_quality(now=NOW)
    measure_quality(now=NOW + timedelta(days=731))
    assert set(QualityFigure.objects.values_list("day", flat=True)) == {date(2028, 3, 1)}


def test_people_are_paged_with_those_who_belong_together_side_by_side() -> None:
    populate()
    check = check_of("customers.same_email")
    assert check is not None
    first = measuring.people(check, now=NOW, limit=2)
    assert [(one.external_id, same) for one, same in first.rows] == [("a", "x@example.com"), ("b", "x@example.com")]
    rest = measuring.people(check, now=NOW, limit=2, after=str(first.after))
    assert [one.external_id for one, _same in rest.rows] == ["c"]
    assert rest.after is None
    assert measuring.people(check, now=NOW, after="nonsense").rows[0][0].external_id == "a"


def test_the_chore_is_there() -> None:
    assert get_chore("customers.quality").order == 90


def test_the_board_shows_counts_and_links_to_people(client: Client) -> None:
    client.force_login(User.objects.create_superuser("boss"))
    board = reverse("admin:customers_quality")
    assert "Nothing counted yet" in client.get(board).content.decode()
    populate()
    measure_quality(now=datetime.now(UTC))
    page = client.get(board).content.decode()
    people = reverse("admin:customers_quality_people", args=["customers.same_email"])
    assert f'href="{people}"' in page
    assert "Without a value" in page
    behind = client.get(people).content.decode()
    assert behind.count("/admin/customers/customer/") >= 3
    assert client.get(reverse("admin:customers_quality_people", args=["no.such"])).status_code == 404
    missing = client.get(reverse("admin:customers_quality_people", args=["missing:email"])).content.decode()
    assert "Without “Email”" in missing
    assert client.get(reverse("admin:customers_quality_measure")).status_code == 405
    assert client.post(reverse("admin:customers_quality_measure")).status_code == 302
    assert not QualityFigure.objects.exists()


def test_the_board_needs_the_permission_to_see_people(client: Client) -> None:
    user = User.objects.create_user("clerk", is_staff=True)
    client.force_login(user)
    assert client.get(reverse("admin:customers_quality")).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_customer"))
    assert client.get(reverse("admin:customers_quality")).status_code == 200
    assert client.post(reverse("admin:customers_quality_measure")).status_code == 403
