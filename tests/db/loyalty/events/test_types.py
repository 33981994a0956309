"""The catalog of names."""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from loyalty.events import types
from loyalty.events.names import FACTS
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch


@pytest.mark.django_db
def test_all_facts_are_there_and_internal() -> None:
    rows = fetch("SELECT name, internal FROM event_type WHERE internal")
    assert dict(rows) == dict.fromkeys(FACTS, True)


@pytest.mark.django_db
def test_a_name_is_learned_once_in_any_spelling() -> None:
    first = types.type_id("Brand.New")
    assert types.type_id(" brand.new ") == first
    assert types.type_ids(["brand.new", "purchase"])["brand.new"] == first
    assert fetch("SELECT name, internal FROM event_type WHERE id = %(id)s", {"id": first}) == [("brand.new", False)]


@pytest.mark.django_db
def test_malformed_names_are_told_at_once() -> None:
    with pytest.raises(Problems) as refusal:
        types.type_ids(["a b", "good", ""])
    assert [problem.problem for problem in refusal.value.problems] == ["'' is no event name", "'a b' is no event name"]
    assert fetch("SELECT count(*) FROM event_type WHERE name = 'good'") == [(0,)]


@pytest.mark.django_db
def test_a_full_catalog_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(types, "MAX_TYPES", 0)
    with pytest.raises(Problems):
        types.type_id("brand.new")


@pytest.mark.django_db(transaction=True)
def test_an_id_is_remembered_only_after_commit() -> None:
    with transaction.atomic():
        lost = types.type_id("rolled.back")
        transaction.set_rollback(True)
    kept = types.type_id("rolled.back")
    assert kept != lost
    with CaptureQueriesContext(connection) as captured:
        assert types.type_id("Rolled.Back") == kept
    assert len(captured) == 0


@pytest.mark.django_db(transaction=True)
def test_an_emptied_database_has_its_facts_again() -> None:
    """The test before this one was flushed; so will this one be."""
    assert fetch("SELECT count(*) FROM event_type WHERE internal") == [(len(FACTS),)]
    assert types.type_id("message.sent") == fetch("SELECT id FROM event_type WHERE name = 'message.sent'")[0][0]
