"""`manage.py import_events`."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from loyalty.customers import imports
from loyalty.events import operations
from loyalty.events.management.commands.import_events import Command
from loyalty.kit import clock
from loyalty.kit.sql import execute, fetch

pytestmark = pytest.mark.django_db

HEADER = "id,customer,name,occurred_at,amount,note\n"


@pytest.fixture
def load(tmp_path: Path, people: dict[str, int]) -> Callable[..., str]:
    """Write a CSV file and import it; what the command said."""

    def run(text: str, *options: Any, file: str = "events.csv") -> str:
        path = tmp_path / file
        path.write_text(text)
        out = io.StringIO()
        call_command("import_events", path, "--rejected-folder", tmp_path, "--no-progress", *options, stdout=out)
        return out.getvalue()

    return run


def stored() -> list[tuple[Any, ...]]:
    return fetch(
        """SELECT c.external_id, t.name, e.occurred_at, e.properties ->> 'amount',
            jsonb_typeof(e.properties -> 'amount')
        FROM event e JOIN customer c ON c.id = e.customer_id JOIN event_type t ON t.id = e.type_id ORDER BY e.id"""
    )


def test_a_file_becomes_events(load: Callable[..., str]) -> None:
    said = load(HEADER + "1,c1,purchase,2026-01-01T00:00:00Z,11.77,\n2,new,Purchase,2026-01-02T01:00:00+01:00,,gift\n")
    assert said.startswith("2 event rows accepted: 2 new")
    assert stored() == [
        ("c1", "purchase", datetime(2026, 1, 1, tzinfo=UTC), "11.77", "number"),
        ("new", "purchase", datetime(2026, 1, 2, tzinfo=UTC), None, None),
    ]
    assert fetch("SELECT properties ->> 'note' FROM event WHERE properties ? 'note'") == [("gift",)]


def test_the_same_file_again_changes_nothing(load: Callable[..., str]) -> None:
    text = "customer,name,occurred_at\nc1,purchase,2026-01-01T00:00:00Z\nc1,purchase,2026-01-01T00:00:00Z\n"
    assert load(text).startswith("2 event rows accepted: 2 new")
    assert load(text, file="renamed.csv").startswith("2 event rows accepted: 0 new")
    assert len(stored()) == 2


def test_an_id_that_came_by_another_way_is_known(load: Callable[..., str], now: datetime) -> None:
    operations.intake(events=[{"id": "o-1", "customer": "c1", "name": "purchase"}], now=now)
    text = HEADER + "o-1,c1,purchase,2026-01-01T00:00:00Z,1,\n"
    assert "0 new" in load(text)
    assert "1 new" in load(text, "--source", "till")


def test_broken_rows_are_kept_with_reasons(load: Callable[..., str], tmp_path: Path) -> None:
    said = load(
        HEADER
        + "1,c1,purchase,2026-01-01,5,\n"
        + "2,c1,purchase,2026-01-01T00:00:00Z,5,\n"
        + "3,,message.sent,2026-01-01T00:00:00Z,5,\n"
        + "4,c1,purchase\n"
    )
    assert "1 event rows accepted: 1 new" in said
    assert "3 rows rejected" in said
    lines = (tmp_path / "rejected-events.csv").read_text().splitlines()
    assert lines[0] == "line,problems,id,customer,name,occurred_at,amount,note"
    reasons = {int(line.partition(",")[0]): line for line in lines[1:]}
    assert sorted(reasons) == [2, 4, 5]
    assert "occurred_at: '2026-01-01' has no offset from UTC" in reasons[2]
    assert "customer: is missing" in reasons[4]
    assert "name: message.sent is written by the system itself" in reasons[4]
    assert "has 3 cells, the header has 6" in reasons[5]


def test_a_name_and_a_zone_for_the_whole_file(load: Callable[..., str]) -> None:
    load("customer,date,amount\nc1,2026-07-01 10:00,5\n", "--name", "purchase", "--timezone", "Europe/Berlin")
    assert stored() == [("c1", "purchase", datetime(2026, 7, 1, 8, tzinfo=UTC), "5", "number")]


def test_mapped_columns(load: Callable[..., str]) -> None:
    execute("UPDATE customer SET email = 'a@example.com', email_digest = '\\x00' WHERE external_id = 'c2'")
    text = "mail,what,at,total\na@example.com,purchase,2026-01-01T00:00:00Z,5\n"
    load(
        text,
        *["--map", "mail=customer.email", "--map", "what=name", "--map", "at=occurred_at"],
        *["--map", "total=properties.amount"],
    )
    assert stored() == [("c2", "purchase", datetime(2026, 1, 1, tzinfo=UTC), "5", "number")]


def test_missing_columns_are_told_at_once(load: Callable[..., str]) -> None:
    with pytest.raises(CommandError) as refusal:
        load("who,what\nc1,purchase\n")
    for column in ("customer", "name", "occurred_at"):
        assert f"needs a column {column}" in str(refusal.value)
    with pytest.raises(CommandError, match="no time zone"):
        load(HEADER, "--timezone", "Berlin")


def test_a_dry_run_writes_nothing(load: Callable[..., str]) -> None:
    said = load(HEADER + "1,c1,purchase,2026-01-01T00:00:00Z,5,\n", "--dry-run")
    assert "1 would be new" in said
    assert stored() == []


def test_all_rows_are_shifted_by_the_same_span(load: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: now)
    load(
        HEADER + "1,c1,purchase,1998-06-30T10:00:00Z,1,\n2,c1,purchase,1998-06-29T09:00:00Z,2,\n",
        "--shift-to-now",
    )
    assert [row[2] for row in stored()] == [now, now - timedelta(days=1, hours=1)]


def test_a_resumed_run_keeps_its_shift(load: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    begun = datetime(2026, 11, 21, 12, tzinfo=UTC)
    rows = "".join(f"{n},c1,purchase,1998-06-{n:02}T10:00:00Z,{n},\n" for n in range(1, 31))
    monkeypatch.setattr(imports.run_import, "__kwdefaults__", {**imports.run_import.__kwdefaults__, "chunk_rows": 10})
    monkeypatch.setattr(clock, "now", lambda: begun)
    write = Command.write_chunk
    chunks = 0

    def dies(self: Command, chunk: imports.Chunk, **more: Any) -> imports.Written:
        nonlocal chunks
        chunks += 1
        if chunks == 2:
            raise KeyboardInterrupt
        return write(self, chunk, **more)

    monkeypatch.setattr(Command, "write_chunk", dies)
    with pytest.raises(KeyboardInterrupt):
        load(HEADER + rows, "--shift-to-now")
    assert len(stored()) == 10

    monkeypatch.setattr(clock, "now", lambda: begun + timedelta(hours=7))
    said = load(HEADER + rows, "--shift-to-now")
    assert "Went on after line 11" in said
    assert "20 event rows accepted: 20 new" in said
    times = [row[2] for row in stored()]
    assert times == [begun - timedelta(days=n) for n in range(29, -1, -1)]
