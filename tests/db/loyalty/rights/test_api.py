"""People's rights over HTTP."""

import csv
import io
import json
import zipfile
from typing import Any

import pytest
from pypdf import PdfReader

from loyalty.consent.operations import ConsentEntry, record
from loyalty.customers.models import Customer
from loyalty.customers.operations import upsert_customers
from loyalty.events.operations import intake
from loyalty.kit import clock
from tests.db.loyalty.rights.conftest import Api

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> int:
    now = clock.now()
    row = {"external_id": "a", "email": "ada@example.com", "first_name": "Ada", "locale": "de-AT", "city": "Köln"}
    customer_id = upsert_customers([row | {"attributes": {"size": 5}}], now=now, source="shop").ids[0]
    assert customer_id
    record([ConsentEntry(customer_id, "email", "marketing", "granted", "form", now)], now=now)
    events = [{"customer": "a", "name": "purchase", "properties": {"item": "=1+1", "amount": 5}}]
    intake(events=events, now=now)
    return customer_id


def archive_of(answer: Any) -> dict[str, bytes]:
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
        return {name: file.read(name) for name in file.namelist()}


def test_the_export_says_what_for_where_from_and_for_what_benefit(api: Api, ada: int) -> None:
    data = api.get("customers/a/export?language=en").json()
    assert set(data) == {"external_id", "exported_at", "purposes", "origins", "tables", "classes"}
    told = {one["table"]: one for one in data["classes"]}
    assert set(told) == {"customer", "consent_entry", "consent_state", "event"}
    assert told["event"]["rows"] == 1
    assert told["event"]["benefit"] == "offers follow what you like; your purchases earn you something"
    assert "shop" in data["origins"]
    assert data["tables"]["customer"][0]["source"] == "shop"


def test_the_archive_has_paper_json_and_tables(api: Api, ada: int) -> None:
    files = archive_of(api.get("customers/a/export?format=zip&language=en"))
    assert set(files) == {
        *("your-data.pdf", "data.json", "tables/customer.csv", "tables/consent_entry.csv"),
        *("tables/consent_state.csv", "tables/event.csv", "tables/attribute.csv"),
    }
    assert json.loads(files["data.json"])["tables"]["event"][0]["properties"] == {"item": "=1+1", "amount": 5}
    rows = list(csv.DictReader(io.StringIO(files["tables/customer.csv"].decode("utf-8-sig"))))
    assert (rows[0]["email"], rows[0]["city"]) == ("ada@example.com", "Köln")
    pages = PdfReader(io.BytesIO(files["your-data.pdf"])).pages
    text = " ".join(" ".join(page.extract_text().split()) for page in pages)
    for part in ("Your data", "ada@example.com", "Köln", "What for", "Where from", "Your benefit", "1 entry"):
        assert part in text
    again = archive_of(api.get("customers/a/export?format=zip&language=en"))
    assert again["tables/event.csv"] == files["tables/event.csv"]


def test_what_the_font_lacks_is_marked_and_said(api: Api) -> None:
    upsert_customers([{"external_id": "g", "first_name": "Γεωργία <b>"}], now=clock.now(), source="shop")
    files = archive_of(api.get("customers/g/export?format=zip&language=en"))
    text = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(files["your-data.pdf"])).pages)
    assert "??????? <b>" in text
    assert "cannot show" in " ".join(text.split())
    assert "Γεωργία" in files["data.json"].decode()


def test_an_erasure_is_shown_before_it_is_done(api: Api, ada: int) -> None:
    shown = api.get("customers/a/erasure").json()
    rows = {one["table"]: one["rows"] for one in shown["tables"]}
    assert rows == {"customer": 1, "customer_change": 2, "consent_entry": 1, "consent_state": 1, "event": 1}
    assert shown["rows"] == 6
    assert api.send("delete", "customers/a").status_code == 204
    assert api.get("customers/a/erasure").status_code == 404


def test_a_restriction_is_put_and_taken_away(api: Api, ada: int) -> None:
    assert api.send("put", "customers/a/restriction", {"reason": ""}).status_code == 422
    put = api.send("put", "customers/a/restriction", {"reason": "contested"}).json()
    assert (put["restricted"], put["by"], put["reason"]) == (True, "api: desk", "contested")
    assert api.get("customers/a/restriction").json()["restricted"] is True
    assert api.send("delete", "customers/a/restriction").json()["restricted"] is False


def test_two_are_joined_and_separated(api: Api, ada: int) -> None:
    upsert_customers([{"external_id": "b", "phone": "+493012345678"}], now=clock.now(), source="shop")
    for nobody in ("nobody", {"card": "1"}, 5, {}, {"a": "1", "b": "2"}, None, {"card": 7}):
        assert api.post("customers/a/merge", {"with": nobody}).status_code == 422
    assert api.post("customers/a/merge", {"with": "a"}).status_code == 422
    done = api.post("customers/a/merge", {"with": "b"}).json()
    assert (done["customer"], done["joined"]) == ("a", True)
    assert api.get("customers/b").json()["phone"] == "+493012345678"
    listed = api.get("customers/a/merges").json()
    assert [(one["id"], one["loser"]["external_id"], one["actor"]) for one in listed] == [
        (done["merge"], "b", "api: desk")
    ]
    undone = api.post(f"merges/{done['merge']}/undo")
    assert undone.json() == {"customer": "a", "joined": True, "merge": done["merge"]}
    assert api.get("customers/b").json()["external_id"] == "b"
    assert api.get("customers/a").json()["phone"] is None
    assert api.post(f"merges/{done['merge']}/undo").status_code == 422
    assert api.post("merges/99999/undo").status_code == 404
    assert api.post(f"merges/{10**30}/undo").status_code == 404


def test_a_receipt_of_nobody_is_claimed_with_its_purchase(api: Api, ada: int) -> None:
    for key in ({"receipt": "R-1"}, {"card": "77"}, {"anonymous_id": "v"}):
        sent = api.post("events/batch", {"events": [{"customer": key, "name": "purchase"}]})
        assert sent.json()["accepted"] == 1
    assert Customer.objects.count() == 4
    for key in ({"receipt": "R-1"}, {"card": "77"}, {"anonymous_id": "v"}):
        assert api.post("customers/a/claim", key).json()["joined"] is True
    assert Customer.objects.count() == 1
    names = [row["name"] for row in api.get("customers/a/export").json()["tables"]["event"]]
    assert names == ["purchase"] * 4
    assert api.post("customers/a/claim", {"card": "77"}).json() == {"customer": "a", "joined": False, "merge": None}
    assert api.post("customers/a/claim", {}).status_code == 422
    assert api.post("customers/a/claim", {"card": "1", "receipt": "2"}).status_code == 422


def test_a_request_from_filing_to_its_end(api: Api, ada: int) -> None:
    filed = api.post("rights-requests", {"customer": "a", "kind": "erase", "received_at": "2026-01-31T12:00:00+01:00"})
    assert filed.status_code == 201
    assert filed.json()["due_at"] == "2026-02-28T11:00:00Z"
    number = filed.json()["id"]
    assert api.post("rights-requests", {"customer": "a", "kind": "erase"}).status_code == 200
    assert [one["id"] for one in api.get("rights-requests?state=open").json()] == [number]
    refused = api.post(f"rights-requests/{number}/fulfil")
    assert refused.status_code == 422
    assert "identity" in refused.json()["error"]["details"][0]["problem"]
    assert api.post(f"rights-requests/{number}/identity", {"how": "login"}).json()["identity_checked_at"]
    done = api.post(f"rights-requests/{number}/fulfil").json()
    assert (done["state"], done["outcome"], done["customer"]) == ("done", "erased", None)
    assert api.get("customers/a").status_code == 404
    assert api.get(f"rights-requests/{number}").json()["state"] == "done"
    assert api.get("rights-requests/99999").status_code == 404
