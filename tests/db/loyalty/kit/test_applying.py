"""Objects as text: all or nothing, every mistake at once, exported text changes nothing."""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection

from loyalty.kit.applying import Refused, apply_documents, put_document
from loyalty.kit.clock import now
from loyalty.kit.documents import Change, kinds
from loyalty.kit.problems import Problem, Problems


class Shelf:
    """A kind that keeps its documents in a table of the test."""

    def __init__(self, name: str, rank: int) -> None:
        self.name, self.rank = name, rank

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        problems = []
        if document.get("size", 1) < 1:
            problems.append(Problem("size", "is not positive", "write 1 or more"))
        for index, reference in enumerate(document.get("needs", [])):
            if reference not in self._keys("box") and reference not in declared.get("box", ()):
                problems.append(Problem(f"needs[{index}]", f"unknown box {reference!r}"))
        if problems:
            raise Problems(problems)
        with connection.cursor() as cursor:
            cursor.execute("SELECT body FROM shelf WHERE kind = %s AND key = %s", [self.name, document["key"]])
            row = cursor.fetchone()
            before = json.loads(row[0]) if row else None
            if document.get("clash"):
                raise IntegrityError("duplicate key value violates something\nDETAIL: x")
            cursor.execute(
                "INSERT INTO shelf VALUES (%s, %s, %s) ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body",
                [self.name, document["key"], json.dumps(document)],
            )
        verdict = "created" if before is None else "unchanged" if before == document else "updated"
        odd = (Problem("size", "is odd", "look at it"),) if document.get("size") == 7 else ()
        return Change(self.name, document["key"], verdict, before, document, odd)

    def export(self) -> Iterable[dict[str, Any]]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT body FROM shelf WHERE kind = %s ORDER BY key", [self.name])
            return [json.loads(body) for (body,) in cursor.fetchall()]

    def _keys(self, kind: str) -> set[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT key FROM shelf WHERE kind = %s", [kind])
            return {key for (key,) in cursor.fetchall()}


@pytest.fixture(autouse=True)
def shelves(db: None) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE shelf (kind text, key text, body text, PRIMARY KEY (kind, key))")
    with ExitStack() as stack:
        stack.enter_context(kinds.temporary("box", Shelf("box", 1)))
        stack.enter_context(kinds.temporary("parcel", Shelf("parcel", 2)))
        yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE shelf")


def stored() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT kind, key FROM shelf ORDER BY kind, key")
        return cursor.fetchall()


def refused(*documents: Any) -> list[str]:
    with pytest.raises(Refused) as info:
        apply_documents(documents, now=now())
    return [str(problem) for problem in info.value.problems]


PARCEL = {"kind": "parcel", "key": "p", "needs": ["b"]}
BOX = {"kind": "box", "key": "b"}


def test_what_is_referred_to_comes_first_and_changes_come_in_the_given_order() -> None:
    changes = apply_documents([PARCEL, BOX], now=now())
    assert [(change.kind, change.verdict) for change in changes] == [("parcel", "created"), ("box", "created")]
    assert stored() == [("box", "b"), ("parcel", "p")]


def test_the_same_again_changes_nothing() -> None:
    apply_documents([PARCEL, BOX], now=now())
    assert [change.verdict for change in apply_documents([PARCEL, BOX], now=now())] == ["unchanged", "unchanged"]


def test_one_mistake_and_nothing_is_written_but_all_mistakes_are_told() -> None:
    told = refused(
        {"kind": "parcel", "key": "p", "needs": ["b", "x"], "size": 0},
        {"kind": "box", "key": "b", "size": 0},
        {"kind": "bx", "key": "c"},
        {"key": 7},
        "text",
        {"kind": "box", "key": "nul", "note": ["a\0"]},
        {"kind": "box", "key": "fine"},
        {"kind": "box", "key": "fine"},
        {"kind": "box", "key": "taken", "clash": True},
    )
    known = ", ".join(kinds)
    assert told == [
        "documents[0].size: is not positive (write 1 or more)",
        "documents[0].needs[1]: unknown box 'x'",
        "documents[1].size: is not positive (write 1 or more)",
        f"documents[2].kind: unknown kind 'bx' (did you mean 'box'? known: {known})",
        f"documents[3].kind: is missing (add one of: {known})",
        "documents[3].key: 7 is no key (use letters, digits, '_', '-' and '.', at most 100; quote a number)",
        "documents[4]: is no object (write fields such as `kind:` and `key:`)",
        "documents[5].note[0]: holds a character that cannot be stored (NUL or half of a pair) (remove it)",
        "documents[7].key: another document of this call is box fine too (keep one of them)",
        "documents[8]: the database refuses it: duplicate key value violates something",
    ]
    assert stored() == []


def test_a_dry_run_tells_and_takes_back() -> None:
    assert [change.verdict for change in apply_documents([BOX], now=now(), dry_run=True)] == ["created"]
    assert stored() == []


def test_a_put_takes_kind_and_key_from_its_address_and_names_plain_places() -> None:
    assert put_document("box", "b", {"size": 2}, now=now()).after == {"size": 2, "kind": "box", "key": "b"}
    with pytest.raises(Refused) as info:
        put_document("box", "b", {"size": 0}, now=now())
    assert [problem.where for problem in info.value.problems] == ["size"]
    with pytest.raises(Refused) as info:
        put_document("box", "b", {"key": "c"}, now=now())
    assert [str(problem) for problem in info.value.problems] == [
        "key: is 'c', the address says 'b' (leave it out of the body)"
    ]


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    call_command(*arguments)
    return capsys.readouterr().out


def test_the_command_lists_every_mistake_with_file_and_line(tmp_path: Path) -> None:
    first = tmp_path / "first.yaml"
    first.write_text("kind: box\nkey: b\nsize: 0\n---\nkind: parcel\nkey: p\nneeds:\n  - b\n  - x\n")
    second = tmp_path / "second.json"
    second.write_text('{"kind": "box",\n "key": "c", "key": "d"}')
    with pytest.raises(CommandError) as info:
        call_command("apply", first, second, tmp_path / "none.yaml")
    assert str(info.value).splitlines() == [
        "4 mistakes, nothing was changed",
        f"{first}:3: box b: size: is not positive (write 1 or more)",
        f"{first}:9: parcel p: needs[1]: unknown box 'x'",
        f"{second}:2: key: stands here twice, first in line 2 (keep one of them)",
        f"{tmp_path}/none.yaml:1: cannot be read: No such file or directory (check the path)",
    ]
    assert info.value.returncode == 1
    assert stored() == []


def test_sound_documents_beside_an_unreadable_file_are_not_written(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: box\nkey: b\n")
    (tmp_path / "b.yaml").write_text("kind: *x\n")
    with pytest.raises(CommandError, match="1 mistake, nothing was changed"):
        call_command("apply", tmp_path)
    assert stored() == []


def test_two_files_may_say_the_same_in_the_same_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text("kind: box\nkey: b\nsize: 2\n")
    (tmp_path / "b.yaml").write_text("size: 2\nkind: box\nkey: b\n---\nkind: parcel\nkey: p\nneeds: [b]\n")
    assert run("apply", str(tmp_path), capsys=capsys).splitlines()[-1] == "2 created, 0 updated, 0 unchanged"
    (tmp_path / "b.yaml").write_text("kind: box\nkey: b\nsize: 3\n")
    with pytest.raises(CommandError, match="b.yaml:2: box b: key: another document of this call is box b too"):
        call_command("apply", tmp_path)


def test_a_dry_run_prints_what_would_go_and_come(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    apply_documents([{"kind": "box", "key": "b", "size": 2}, BOX | {"key": "same"}], now=now())
    file = tmp_path / "a.yaml"
    file.write_text("kind: box\nkey: b\nsize: 3\n---\nkind: box\nkey: same\n---\nkind: box\nkey: new\n")
    assert run("apply", str(file), "--dry-run", capsys=capsys).splitlines() == [
        "updated   box b",
        "     kind: box",
        "     key: b",
        "    -size: 2",
        "    +size: 3",
        "unchanged box same",
        "created   box new",
        "    +kind: box",
        "    +key: new",
        "1 created, 1 updated, 1 unchanged; dry run, nothing was changed",
    ]
    assert stored() == [("box", "b"), ("box", "same")]


def test_as_json_the_command_prints_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.json"
    file.write_text('[{"kind": "box", "key": "b"}]')
    assert json.loads(run("apply", str(file), "--json", capsys=capsys)) == {
        "dry_run": False,
        "changes": [{"kind": "box", "key": "b", "verdict": "created", "before": None, "after": BOX}],
        "warnings": [],
        "mistakes": [],
    }


def test_a_warning_stands_beside_what_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("kind: box\nkey: b\n---\nkind: box\nkey: c\nsize: 7\n")
    told = f"warning: {file}:6: box c: size: is odd (look at it)"
    assert told in run("apply", str(file), "--dry-run", capsys=capsys).splitlines()
    assert stored() == []
    assert told in run("apply", str(file), capsys=capsys).splitlines()
    assert stored() == [("box", "b"), ("box", "c")]
    assert json.loads(run("apply", str(file), "--json", capsys=capsys))["warnings"] == [
        {"file": str(file), "line": 6, "kind": "box", "key": "c", "where": "size", "problem": "is odd (look at it)"}
    ]


def test_what_is_exported_changes_nothing_when_applied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = {"kind": "box", "key": "long", "text": "one\ntwo: 2\n", "answer": "NO", "rate": "1e5"}
    apply_documents([PARCEL, BOX, long], now=now())
    file = tmp_path / "out.yaml"
    file.write_text(run("export", "p", "b", "long", capsys=capsys))
    assert file.read_text().startswith("---\nkind: box\nkey: b\n---\nkind: box\nkey: long\n")
    assert run("apply", str(file), capsys=capsys).splitlines()[-1] == "0 created, 0 updated, 3 unchanged"


def test_export_knows_kinds_and_keys(capsys: pytest.CaptureFixture[str]) -> None:
    apply_documents([PARCEL, BOX], now=now())
    assert run("export", "--kind", "parcel", capsys=capsys) == "---\nkind: parcel\nkey: p\nneeds: [b]\n"
    with pytest.raises(CommandError, match="unknown kind 'bx'; known: .*box"):
        call_command("export", "--kind", "bx")
    with pytest.raises(CommandError, match="no object 'pp' did you mean 'p'"):
        call_command("export", "pp")
