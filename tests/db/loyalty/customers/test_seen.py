"""Rows of a file that can change nothing are not read again, and every doubt reads them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty.customers import people
from loyalty.customers.imports import Chunk
from loyalty.customers.models import Attribute, Customer
from loyalty.customers.operations import save_attribute, upsert_customers

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIELDS = ("external_id", "city", "attributes.size")
ROWS = [["a", "Köln", "1"], ["b", "Bonn", "2"], ["c", "", "3"]]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The external ids of the rows that were really read."""
    found: list[str] = []

    def note(rows: Any, **rest: Any) -> Any:
        found.extend(row["external_id"] for row in rows)
        return upsert_customers(rows, **rest)

    monkeypatch.setattr(people, "upsert_customers", note)
    return found


def write(
    rows: list[list[str]], *, day: int = 0, fields: tuple[str, ...] = FIELDS, **options: Any
) -> tuple[int, int, int]:
    chunk = Chunk(fields, [list(row) for row in rows], list(range(len(rows))))
    done = people.write_people(chunk, now=NOW + timedelta(days=day), **options)
    assert done.rejected == []
    return done.accepted, done.created, done.changed


def test_the_same_rows_are_not_read_again_and_a_changed_one_is(read: list[str]) -> None:
    assert write(ROWS) == (3, 3, 0)
    read.clear()
    assert write(ROWS, day=1) == (3, 0, 0)
    assert read == []
    assert write([["a", "Rom", "1"], *ROWS[1:]], day=2) == (3, 0, 1)
    assert read == ["a"]
    assert Customer.objects.get(external_id="a").city == "Rom"


def test_what_somebody_changed_meanwhile_is_set_again(read: list[str]) -> None:
    write(ROWS)
    upsert_customers([{"external_id": "b", "city": "Rom"}], now=NOW + timedelta(hours=1), source="api")
    read.clear()
    assert write(ROWS, day=1) == (3, 0, 1)
    assert read == ["b"]
    assert Customer.objects.get(external_id="b").city == "Bonn"
    read.clear()
    assert write(ROWS, day=2) == (3, 0, 0)
    assert read == []


def test_another_meaning_of_the_same_cells_is_read(read: list[str], settings: Any) -> None:
    write(ROWS)
    read.clear()
    write(ROWS, fields=("external_id", "postcode", "attributes.size"))
    assert read == ["a", "b", "c"]
    read.clear()
    write(ROWS, empty="clear")
    assert read == ["a", "b", "c"]
    read.clear()
    save_attribute(Attribute(key="size", type="text"), now=NOW)
    assert write(ROWS, day=1) == (3, 0, 3)
    assert read == ["a", "b", "c"]
    assert Customer.objects.get(external_id="a").attributes == {"size": "1"}
    read.clear()
    settings.ADDRESS_KEY = "another"
    write(ROWS, day=2)
    assert read == ["a", "b", "c"]


def test_rows_about_one_person_are_read_in_their_order(read: list[str]) -> None:
    write(ROWS)
    read.clear()
    write([["a", "Rom", "1"], *ROWS], day=1)
    assert read == ["a", "a"]
    assert Customer.objects.get(external_id="a").city == "Köln"


def test_files_with_keys_are_always_read(read: list[str]) -> None:
    fields = ("external_id", "identities.card")
    write([["a", "1"]], fields=fields)
    read.clear()
    write([["a", "1"]], fields=fields, day=1)
    assert read == ["a"]
