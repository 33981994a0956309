"""A canary in every table, in the cache, in logs and files: after the erasure it is nowhere."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import redis

from loyalty.access.models import ApiKey
from loyalty.consent.operations import ConsentEntry, record, suppress
from loyalty.customers import joining
from loyalty.customers.erasing import erase_customers
from loyalty.customers.models import Customer
from loyalty.customers.operations import upsert_customers
from loyalty.events.operations import intake
from loyalty.kit.erasures import held_tables, row_counts
from loyalty.kit.sql import execute, fetch, identifier, sql
from loyalty.rights import operations, queries
from tests.db.loyalty.rights.conftest import Api
from tests.db.loyalty.rights.planting import NOW, free, plant, tables_about_people, traces

pytestmark = pytest.mark.django_db
CANARY = "Zeisigfink"
# Rows that hang on another row about a person rather than on the person: (that row's table, the column that names it).
LINKED = {
    "message_attempt": ("message", "message_id"),
    "message_verdict": ("message", "message_id"),
    "message_context": ("message", "origin_id"),
    "step_log": ("enrollment", "enrollment_id"),
    "credit": ("conversion", "conversion_id"),
    "stale_conversion": ("conversion", "conversion_id"),
}


# What is no sign of the person: states, kinds, and who of the staff did it.
GIVEN: dict[str, dict[str, Any]] = {
    # A gift card with money stays good without a name, so none is planted.
    "voucher": {"state": 1, "available": 0, "held": 0},
    "offer_use": {"state": "redeemed"},
    "offer_reservation": {"state": "redeemed", "currency": "EUR"},
    "enrollment": {"status": 1},
    # What was played, won and redeemed stays as nobody's: the game, the prize, the state.
    "game_play": {"outcome": "lost"},
    "prize_award": {"origin": "game", "kind": "points", "prize": "{}", "state": "given"},
    "reward_redemption": {"state": "delivered", "source": "shop", "currency": "EUR"},
    "reward_due": {"way": "counter", "paid_by": "ada", "refunded_by": "ada"},
    # Of a paid membership the plan's terms and the amounts stay.
    "subscription": {
        "state": "ended",
        "terms": "{}",
        "currency": "EUR",
        "zone": "UTC",
        "source": "portal",
        "end_reason": "unpaid",
    },
    "subscription_declaration": {"kind": "cancel", "state": "done", "source": "page"},
    "rights_request": {
        **dict.fromkeys(("filed_by", "identity_checked_by", "closed_by"), "ada"),
        "kind": "access",
        "state": "open",
        "outcome": None,
    },
}


def person(external_id: str, **fields: Any) -> int:
    found = upsert_customers([{"external_id": external_id, **fields}], now=NOW, source="test").ids[0]
    assert found
    return found


def planted(customer_id: int) -> None:
    """A row with the canary in every table about people, and in those that hang on such a row."""
    for table in tables_about_people():
        if table in ("customer_identity", "member"):
            continue
        free(table)
        plant(table, customer_id, CANARY, **GIVEN.get(table, {}))
    for table, (parent, column) in LINKED.items():
        free(table)
        rows = fetch(sql("SELECT id FROM {t} WHERE customer_id = {id}", t=identifier(parent), id=customer_id))
        plant(table, None, CANARY, **{column: rows[0][0] >> 25 if column == "origin_id" else rows[0][0]})


def test_no_table_keeps_a_canary() -> None:
    gone = person(f"{CANARY}-1", email=f"{CANARY}@example.com", first_name=CANARY, attributes={"note": CANARY})
    person(f"{CANARY}-1", first_name=f"{CANARY} again")
    part = person(f"{CANARY}-2", city=CANARY, identities={"card": CANARY})
    joining.join(customer_id=gone, other_id=part, now=NOW, actor="ada")
    stays = person("other", email="other@example.com")
    planted(gone)
    assert set(traces(gone, CANARY)) >= set(tables_about_people()) - {"customer_identity", "member"}
    erase_customers(customer_ids=[gone])
    # The attribute's name is the shop's, and the number of who is gone is swept (see test_sweeping).
    found = traces(gone, CANARY)
    assert set(found) == {"customer_gone"}
    assert Customer.objects.get().pk == stays


def test_refused_rows_of_an_import_that_name_the_person_go_too() -> None:
    gone = person("a", email="Ada@Example.com", identities={"card": "77"})
    execute(
        "INSERT INTO import_job (kind, file_name, file_digest, options_digest, size_bytes, cursor_bytes, cursor_line,"
        " accepted, created, changed, rejected, rejected_bytes, state, started_at, updated_at)"
        " VALUES ('customers', 'x.csv', 'd', 'o', 1, 1, 1, 0, 0, 0, 4, 1, 'finished', now(), now())"
    )
    rows = [["a", "?"], [" ada@example.COM ", "?"], ["?", "77"], ["b", "bo@example.com"]]
    for line, cells in enumerate(rows):
        execute(
            sql(
                "INSERT INTO import_rejection (job_id, line, problems, cells)"
                " SELECT id, {line}, 'wrong', {cells}::jsonb FROM import_job",
                line=line,
                cells=json.dumps(cells),
            )
        )
    erase_customers(customer_ids=[gone])
    assert fetch("SELECT line FROM import_rejection") == [(3,)]


def test_every_table_about_people_is_described_once() -> None:
    described = [held.table for held in held_tables()]
    assert len(described) == len(set(described))
    derived = {"consent_state"}
    missing = (set(tables_about_people()) | derived) - set(described)
    assert missing == set()
    # The conditions are right: every table can be counted.
    assert set(row_counts([1])) == set(described)


def test_the_preview_counts_what_goes() -> None:
    gone = person("a", email="a@example.com")
    record([ConsentEntry(gone, "email", "marketing", "withdrawn", "form", NOW)], now=NOW)
    intake(events=[{"customer": "a", "name": "purchase"}] * 3, now=NOW)
    rows = {one.table: one.rows for one in queries.erasure_preview(gone)}
    assert rows == {"customer": 1, "customer_change": 2, "consent_entry": 1, "consent_state": 1, "event": 3}
    suppress("email", addresses=["a@example.com"], reason="complaint", now=NOW)
    stays = {one.table: one.stays for one in queries.erasure_preview(gone) if one.stays}
    assert list(stays) == ["suppression"]


@pytest.mark.django_db(transaction=True)
def test_neither_cache_nor_log_nor_file_knows_the_person(
    valkey: "redis.Redis",
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    client: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    api = Api(client)
    with caplog.at_level(logging.DEBUG):
        body = {"external_id": CANARY, "email": f"{CANARY}@example.com", "attributes": {"size": CANARY}}
        assert api.post("customers/batch", {"customers": [body, {"email": CANARY}]}).json()["accepted"] == 1
        event = {"customer": CANARY, "name": "purchase", "properties": {"note": CANARY}}
        assert api.post("events/batch", {"events": [event, {"customer": {"email": CANARY}}]}).json()["accepted"] == 1
        gone = Customer.objects.get().pk
        for path in ("", "/export?format=zip", "/timeline", "/erasure"):
            assert api.get(f"customers/{CANARY}{path}").status_code == 200
        request = operations.file_request(
            kind="erase", customer_id=gone, now=NOW, actor="ada", contact=CANARY, notes=CANARY
        ).request
        operations.check_identity(request_id=request.pk, how=f"knows {CANARY}", now=NOW, actor="ada")
        operations.fulfil(request_id=request.pk, now=NOW, actor="ada")
    assert set(traces(gone, CANARY)) == {"customer_gone"}
    assert joining.sweep(now=NOW) == 1
    assert traces(gone, CANARY) == {}
    ours = [record for record in caplog.records if not record.name.startswith("django.db")]
    assert [record.getMessage() for record in ours if CANARY in record.getMessage()] == []
    assert [key for key in valkey.keys("*") if CANARY.encode() in key + _content(valkey, key)] == []
    assert [file for file in tmp_path.rglob("*") if file.is_file() and CANARY.encode() in file.read_bytes()] == []
    assert ApiKey.objects.count() == 1


def _content(valkey: "redis.Redis", key: bytes) -> bytes:
    return valkey.dump(key) or b""
