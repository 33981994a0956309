"""Static lists: by operation, over HTTP, from a file; and the segments that ask for them."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from campaigns.segments import lists
from campaigns.segments.models import CustomerList, CustomerListMember
from loyalty.access.operations import create_api_key
from loyalty.kit import clock
from loyalty.kit.applying import apply_documents
from loyalty.kit.documents import kinds
from loyalty.kit.problems import Problems
from tests.db.campaigns.segments.conftest import NOW, Shop, queued


@pytest.fixture
def ids(shop: Shop) -> list[int]:
    found = shop.customers(*({"external_id": each, "email": f"{each}@example.com"} for each in "abc"))
    shop.refresh()
    return found


def on(key: str) -> list[int]:
    listed = CustomerList.objects.get(key=key)
    return list(
        CustomerListMember.objects.filter(list_id=listed.pk)
        .order_by("customer_id")
        .values_list("customer_id", flat=True)
    )


def test_people_come_and_go_as_sets_and_only_who_moved_is_queued(ids: list[int]) -> None:
    lists.save_list(key="guests", now=NOW)
    assert lists.add_members(key="guests", customer_ids=[*ids[:2], ids[0], 10**12], source="me", now=NOW) == 2
    assert queued() == 2
    assert lists.add_members(key="guests", customer_ids=ids, source="you", now=NOW) == 1
    assert queued() == 3
    assert lists.remove_members(key="guests", customer_ids=[ids[1], 10**12]) == 1
    assert lists.remove_members(key="guests", customer_ids=[ids[1]]) == 0
    assert queued() == 4
    assert on("guests") == [ids[0], ids[2]]
    assert [(row["external_id"], row["source"]) for row in lists.members(CustomerList.objects.get().pk)] == [
        ("a", "me"),
        ("c", "you"),
    ]


def test_an_unknown_list_is_told_with_the_nearest_one(ids: list[int]) -> None:
    lists.save_list(key="guests", now=NOW)
    with pytest.raises(Problems) as refused:
        lists.add_members(key="gests", customer_ids=ids, source="me", now=NOW)
    assert [str(one) for one in refused.value.problems] == ["key: there is no list 'gests' (did you mean 'guests'?)"]


def test_a_segment_follows_its_list(shop: Shop, ids: list[int]) -> None:
    lists.save_list(key="guests", now=NOW)
    shop.segment("invited", {"all": [{"list": "guests"}]})
    assert shop.members("invited") == []
    lists.add_members(key="guests", customer_ids=ids[:2], source="me", now=NOW)
    shop.refresh()
    assert shop.members("invited") == ["a", "b"]
    lists.remove_members(key="guests", customer_ids=ids[:1])
    shop.refresh()
    assert shop.members("invited") == ["b"]
    with pytest.raises(Problems, match="'guests' is used by segment invited"):
        lists.delete_list(key="guests")
    with pytest.raises(Problems, match=r"rule.list: unknown list 'gusts' \(did you mean 'guests'\?\)"):
        shop.segment("invited", {"list": "gusts"})


def test_a_list_and_its_segment_come_in_one_call_and_are_exported(shop: Shop) -> None:
    documents = [
        {"kind": "segment", "key": "invited", "rule": {"list": "press"}},
        {"kind": "list", "key": "press", "name": "Press", "description": "who writes"},
    ]
    assert [change.verdict for change in apply_documents(documents, now=NOW)] == ["created", "created"]
    exported = list(kinds.get("list").export())
    assert exported == [{"kind": "list", "key": "press", "name": {"en": "Press"}, "description": "who writes"}]
    assert [change.verdict for change in apply_documents(exported, now=NOW)] == ["unchanged"]
    with pytest.raises(Problems) as refused:
        apply_documents([{"kind": "list", "key": "press", "name": 5, "rule": {}}], now=NOW)
    assert [one.where for one in refused.value.problems] == ["rule", "name"]


def client(*scopes: str) -> Client:
    key = create_api_key(name="-".join(scopes).replace(":", "-"), scopes=scopes, now=clock.now())
    return Client(headers={"Authorization": f"Bearer {key.secret}"})


def test_over_http(shop: Shop, ids: list[int]) -> None:
    caller = client("segments:read", "segments:write")

    def call(method: str, path: str, body: Any = None) -> Any:
        return getattr(caller, method)(f"/api/v1/{path}", body, content_type="application/json")

    assert call("put", "lists/guests", {"name": "Guests"}).status_code == 201
    assert call("put", "lists/guests", {"name": {"en": "Guests"}}).status_code == 200
    changed = call("post", "lists/guests/members", {"add": ["a", {"email": "B@example.com"}, "x"], "remove": ["c"]})
    assert changed.json() == {
        "added": 2,
        "removed": 0,
        "rejected": [{"where": "add[2]", "problem": "nobody has this reference"}],
    }
    again = call("post", "lists/guests/members", {"add": ["a"], "remove": ["b"]})
    assert (again.json()["added"], again.json()["removed"]) == (0, 1)
    shop.segment("invited", {"list": "guests"})
    found = caller.get("/api/v1/lists/guests").json()
    assert (found["name"], found["member_count"], found["used_by"]) == ({"en": "Guests"}, 1, ["invited"])
    assert call("put", "lists/guests", found).status_code == 200
    page = caller.get("/api/v1/lists/guests/members?limit=1").json()
    assert [(row["external_id"], row["source"]) for row in page["members"]] == [("a", "api")]
    assert page["next"] == ids[0]
    assert [row["key"] for row in caller.get("/api/v1/lists").json()["lists"]] == ["guests"]
    assert caller.delete("/api/v1/lists/guests").status_code == 422
    assert call("put", "lists/press", {}).status_code == 201
    assert caller.delete("/api/v1/lists/press").status_code == 204
    assert caller.get("/api/v1/lists/press").status_code == 404
    assert call("post", "lists/press/members", {"add": ["a"]}).status_code == 404
    assert call("post", "lists/guests/members", {"add": ["a"] * 5001}).status_code == 413
    assert call("post", "lists/guests/members", {"ad": ["a"]}).status_code == 422
    assert client("customers:read").get("/api/v1/lists/guests").status_code == 403


def run(path: Path, key: str, content: str, *options: str) -> str:
    file = path / "people.csv"
    file.write_text(content)
    out = StringIO()
    call_command("import_list", key, str(file), "--no-progress", "--rejected-folder", str(path), *options, stdout=out)
    return out.getvalue()


def test_from_a_file(tmp_path: Path, ids: list[int]) -> None:
    content = "customer_id,email\na,\n,B@EXAMPLE.com\nx,\n"
    assert "2 list rows accepted: 2 would be new" in run(tmp_path, "guests", content, "--dry-run")
    assert not CustomerList.objects.exists()
    out = run(tmp_path, "guests", content)
    assert "2 list rows accepted: 2 new, 0 changed, 0 as they were." in out
    assert "line 4: external_id: nobody has the external_id 'x'" in out
    assert on("guests") == ids[:2]
    assert "Nothing changed" in run(tmp_path, "guests", content)
    assert "1 list rows accepted: 0 new, 1 changed" in run(tmp_path, "guests", "external_id\nb\n", "--remove")
    assert on("guests") == ids[:1]
    with pytest.raises(CommandError, match="is no key"):
        run(tmp_path, "not a key", content)
