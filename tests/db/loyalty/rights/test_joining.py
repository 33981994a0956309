"""Two customers become one and two again: rules, log, exact undo, set by set."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.segments.operations import save_segment
from loyalty.customers import joining
from loyalty.customers.models import Customer, CustomerIdentity, CustomerMerge, CustomerRevision
from loyalty.customers.operations import upsert_customers
from loyalty.customers.queries import resolve
from loyalty.kit.problems import Problems
from loyalty.kit.sql import execute, fetch, statement
from tests.db.loyalty.rights.planting import NOW, dump, free, plant, tables_about_people

pytestmark = pytest.mark.django_db
CONSENT = {"channel": "email", "purpose": "marketing", "status": "granted"}


def person(**fields: Any) -> int:
    if not {"external_id", "email", "phone", "identities"} & set(fields):
        fields["identities"] = {"device": f"of {sorted(fields.items())}"}
    found = upsert_customers([fields], now=NOW, source="test").ids[0]
    assert found
    return found


def test_the_one_with_an_external_id_stays_else_the_older_else_the_one_that_was_named() -> None:
    assert joining.winner_of((1, None), (2, "b")) == (2, 1)
    assert joining.winner_of((2, "b"), (1, None)) == (2, 1)
    assert joining.winner_of((2, None), (1, None)) == (1, 2)
    assert joining.winner_of((2, "b"), (1, "a")) == (2, 1)


def test_the_winners_values_hold_and_the_losers_fill_the_gaps() -> None:
    winner = person(external_id="a", email="a@example.com", attributes={"size": 1}, identities={"card": "1"})
    loser = person(
        email="b@example.com", phone="+493012345678", first_name="Bo", attributes={"size": 2, "color": "red"},
        identities={"card": "2"},
    )  # fmt: skip
    done = joining.join(customer_id=winner, other_id=loser, now=NOW, actor="ada")
    assert (done.winner_id, done.loser_id) == (winner, loser)
    stays = Customer.objects.get()
    assert (stays.email, stays.phone, stays.first_name) == ("a@example.com", "+493012345678", "Bo")
    assert stays.attributes == {"size": 1, "color": "red"}
    assert stays.phone_digest is not None
    assert sorted(CustomerIdentity.objects.values_list("kind", "value")) == [("card", "1"), ("card", "2")]
    revision = CustomerRevision.objects.get(customer_id=winner)
    assert (revision.reason, revision.before) == ("joined", {"phone": None, "first_name": None, "color": None})
    log = CustomerMerge.objects.get()
    assert (log.reason, log.actor, log.loser["email"]) == ("asked", "ada", "b@example.com")
    assert log.winner_before["first_name"] is None


def test_the_external_id_of_the_loser_goes_on_naming_the_person() -> None:
    winner, loser = person(external_id="a"), person(external_id="b", email="b@example.com")
    done = joining.join(customer_id=winner, other_id=loser, now=NOW, actor="ada")
    assert resolve(["a", "b"]) == [winner, winner]
    again = upsert_customers([{"external_id": "b", "city": "Bonn"}, {"external_id": "a"}], now=NOW, source="test")
    assert (again.ids, again.created) == ([winner, winner], 0)
    assert Customer.objects.get().external_id == "a"
    joining.undo_merge(merge_id=done.merge_id or 0, now=NOW, actor="ada")
    assert resolve(["a", "b"]) == [winner, loser]


# A person's plays, sheets and attempts are numbered one after another: joined, those of the loser get new numbers.
RENUMBERED = {"game_play", "game_player", "stamp_sheet", "challenge_run"}


def owners(table: str) -> list[tuple[int, int]]:
    return fetch(f"SELECT customer_id, count(*) FROM {table} GROUP BY 1 ORDER BY 1")


def test_undo_gives_back_every_row_of_every_table() -> None:
    winner = person(external_id="a", email="a@example.com", attributes={"size": 1}, identities={"card": "1"})
    loser = person(phone="+493012345678", attributes={"color": "red"}, identities={"card": "2", "device": "x"})
    upsert_customers([{"identities": {"card": "2"}, "city": "Bonn"}], now=NOW, source="test")
    for key in ("s1", "s2"):
        save_segment(key=key, rule={"attribute": "city", "eq": "x"}, now=NOW)
    ids = [row[0] for row in fetch("SELECT id FROM segment ORDER BY id")]
    execute("UPDATE segment SET member_count = 1")
    for table in tables_about_people():
        if table in ("customer_identity", "customer_change", "customer_revision"):
            continue
        free(table)
        given = CONSENT if table == "consent_entry" else {}
        for who, place in ((winner, 0), (loser, 1)):
            extra = {"segment_id": ids[place]} if table == "segment_member" else {}
            plant(table, who, "canary", **given, **extra)
    execute(statement("loyalty.consent", "rebuild_state"), {"ids": [winner, loser]})
    leave = {"customer_change", "customer_merge", "customer_gone", "stale_conversion", "customer_revision"}
    before = dump(leave | {"customer"} | RENUMBERED)
    owned = {table: owners(table) for table in RENUMBERED}
    profiles = list(Customer.objects.order_by("id").values())
    revisions = list(CustomerRevision.objects.filter(customer_id=loser).values())
    assert len(revisions) == 1

    done = joining.join(customer_id=winner, other_id=loser, now=NOW, actor="ada")
    left = {t: fetch(f"SELECT count(*) FROM {t} WHERE customer_id = {loser}")[0][0] for t in tables_about_people()}
    assert {table: count for table, count in left.items() if count} == {}
    assert Customer.objects.get().city == "Bonn"

    joining.undo_merge(merge_id=done.merge_id or 0, now=NOW, actor="ada")
    after = dump(leave | {"customer"} | RENUMBERED)
    assert {table: owners(table) for table in RENUMBERED} == owned
    assert {table for table in before if before[table] != after[table]} == set()
    assert list(Customer.objects.order_by("id").values()) == profiles
    assert list(CustomerRevision.objects.filter(customer_id=loser).values()) == revisions
    with pytest.raises(Problems, match="undone already"):
        joining.undo_merge(merge_id=done.merge_id or 0, now=NOW, actor="ada")


def test_undo_leaves_what_was_changed_since() -> None:
    winner = person(external_id="a")
    loser = person(phone="+493012345678", first_name="Bo", city="Bonn", attributes={"color": "red", "size": 2})
    done = joining.join(customer_id=winner, other_id=loser, now=NOW, actor="ada")
    person(external_id="a", city="Köln", attributes={"size": 3})
    joining.undo_merge(merge_id=done.merge_id or 0, now=NOW, actor="eve")
    stays, again = Customer.objects.get(pk=winner), Customer.objects.get(pk=loser)
    assert (stays.phone, stays.phone_digest, stays.first_name, stays.city) == (None, None, None, "Köln")
    assert stays.attributes == {"size": 3}
    assert (again.phone, again.city, again.attributes) == ("+493012345678", "Bonn", {"color": "red", "size": 2})
    last = CustomerRevision.objects.filter(customer_id=winner).latest("id")
    assert (last.reason, last.before) == (
        "separated", {"phone": "+493012345678", "first_name": "Bo", "color": "red"},
    )  # fmt: skip


def test_a_later_merge_is_undone_first() -> None:
    first, second, third = person(external_id="a"), person(city="B"), person(city="C")
    inner = joining.join(customer_id=second, other_id=third, now=NOW, actor="ada")
    outer = joining.join(customer_id=first, other_id=second, now=NOW, actor="ada")
    with pytest.raises(Problems, match=f"merge {outer.merge_id}"):
        joining.undo_merge(merge_id=inner.merge_id or 0, now=NOW, actor="ada")
    joining.undo_merge(merge_id=outer.merge_id or 0, now=NOW, actor="ada")
    joining.undo_merge(merge_id=inner.merge_id or 0, now=NOW, actor="ada")
    assert list(Customer.objects.order_by("id").values_list("pk", "city")) == [
        (first, None), (second, "B"), (third, "C"),
    ]  # fmt: skip


def merged_queries(count: int) -> int:
    rows: list[dict[str, Any]] = [{"external_id": f"{count}-{i}"} for i in range(count)]
    winners = upsert_customers(rows, now=NOW, source="t").ids
    losers = upsert_customers(
        [{"identities": {"device": f"{count}-{i}"}, "city": "X"} for i in range(count)], now=NOW, source="t"
    ).ids
    pairs = {loser or 0: winner or 0 for loser, winner in zip(losers, winners, strict=True)}
    with CaptureQueriesContext(
        connection,
    ) as queries:
        joining.merge_customers(pairs, reason="key", now=NOW)
    assert CustomerIdentity.objects.filter(customer_id__in=pairs.values(), kind="device").count() == count
    assert Customer.objects.filter(pk__in=pairs.values(), city="X").count() == count
    return len(queries)


def test_many_are_joined_with_as_many_queries_as_one() -> None:
    assert merged_queries(1) == merged_queries(40)


def test_of_two_losers_the_older_fills_the_gap() -> None:
    winner, old, young = person(external_id="a"), person(city="Old"), person(city="Young", first_name="Yo")
    joining.merge_customers({young: winner, old: winner}, reason="key", now=NOW)
    stays = Customer.objects.get()
    assert (stays.city, stays.first_name) == ("Old", "Yo")


def test_a_visitor_a_card_and_a_receipt_are_claimed() -> None:
    known = person(external_id="a")
    for kind in ("anonymous_id", "card", "receipt"):
        stub = person(identities={kind: "v1"})
        done = joining.claim(customer_id=known, kind=kind, value="v1", now=NOW, actor="ada")
        assert (done.winner_id, done.loser_id) == (known, stub)
        assert CustomerMerge.objects.get(pk=done.merge_id).reason == "claimed"
        again = joining.claim(customer_id=known, kind=kind, value="v1", now=NOW, actor="ada")
        assert (again.loser_id, again.merge_id) == (None, None)
    assert joining.claim(customer_id=known, kind="card", value="new", now=NOW, actor="ada").merge_id is None
    assert resolve([{"card": "new"}, {"receipt": "v1"}]) == [known, known]


def test_nobody_claims_what_is_somebodys() -> None:
    known = person(external_id="a")
    person(external_id="b", identities={"card": "1"})
    person(email="c@example.com", identities={"card": "2"})
    for value in ("1", "2"):
        with pytest.raises(Problems, match="belongs to another customer"):
            joining.claim(customer_id=known, kind="card", value=value, now=NOW, actor="ada")
    with pytest.raises(Problems, match="cannot be claimed"):
        joining.claim(customer_id=known, kind="telegram", value="1", now=NOW, actor="ada")
