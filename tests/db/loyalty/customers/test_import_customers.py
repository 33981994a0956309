"""`import_customers`: a file in, refused rows out, killed and gone on with, and the same file again."""

import csv
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from loyalty.customers import imports
from loyalty.customers.management.commands import import_customers
from loyalty.customers.models import Attribute, Customer, CustomerChange, CustomerIdentity, ImportJob
from loyalty.kit.checks import invariants
from loyalty.kit.sql import fetch

pytestmark = pytest.mark.django_db

CONTENT = """Kunde;E-Mail;Ort;Geburtsdatum;card;points;plz
k1;ada@example.com;Köln;1990-12-31;4711;12;01067
k2;no address;Bonn;31.12.1990;;13;53111
k3;;;;;14;
k4;d@example.com;too few
k1;ada@example.com;Rom;;;;
"""


@pytest.fixture
def run(tmp_path: Path) -> Any:
    def call(content: str | bytes, *options: str) -> str:
        file = tmp_path / "people.csv"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        out = StringIO()
        folder = ["--rejected-folder", str(tmp_path), "--no-progress"]
        call_command("import_customers", str(file), *folder, *options, stdout=out)
        return out.getvalue()

    return call


def rejected(tmp_path: Path) -> list[list[str]]:
    with (tmp_path / "rejected-people.csv").open(newline="") as stream:
        return list(csv.reader(stream, delimiter=";"))


def violations() -> list[str]:
    ours = [one for one in invariants() if one.key.startswith(("customers.", "consent."))]
    assert ours
    return [one.key for one in ours if fetch(one.query)]


def test_good_rows_go_in_and_bad_ones_into_a_file_with_line_and_reasons(run: Any, tmp_path: Path) -> None:
    out = run(CONTENT, "--map", "Kunde=external_id")
    assert "3 customer rows accepted: 2 new, 0 changed, 1 as they were." in out
    assert "2 rows rejected, with reasons in" in out
    assert "  line 5: has 3 cells, the header has 7\n" in out
    ada = Customer.objects.get(external_id="k1")
    assert (ada.email, ada.city, ada.birth_date, ada.postcode) == (
        "ada@example.com",
        "Rom",
        date(1990, 12, 31),
        "01067",
    )
    assert ada.attributes == {"points": 12}
    assert list(CustomerIdentity.objects.values_list("customer_id", "kind", "value")) == [(ada.pk, "card", "4711")]
    assert list(Attribute.objects.values_list("key", "type")) == [("points", "number")]
    header, *rows = rejected(tmp_path)
    assert header == ["line", "problems", "Kunde", "E-Mail", "Ort", "Geburtsdatum", "card", "points", "plz"]
    assert rows == [
        [
            "3",
            "email: 'no address' is not an email address: an email address must have an @-sign; "
            "birth_date: '31.12.1990' is not a date (write it as YYYY-MM-DD)",
            *["k2", "no address", "Bonn", "31.12.1990", "", "13", "53111"],
        ],
        ["5", "has 3 cells, the header has 7", "k4", "d@example.com", "too few"],
    ]
    assert violations() == []


def test_the_file_of_rejected_rows_can_be_mended_and_imported(run: Any, tmp_path: Path) -> None:
    run("external_id,email\na,nobody\n")
    mended = (tmp_path / "rejected-people.csv").read_text().replace("a,nobody", "a,a@example.com")
    assert mended.startswith("line,problems,external_id,email\n2,")
    assert "1 new" in run(mended)
    assert Customer.objects.get().attributes == {}


def test_the_same_file_again_changes_nothing_and_says_so(run: Any) -> None:
    run(CONTENT, "--map", "Kunde=external_id")
    before = list(Customer.objects.order_by("id").values())
    queued = CustomerChange.objects.count()
    out = run(CONTENT.replace("k1;ada@example.com;Köln;1990-12-31;4711;12;01067\n", ""), "--map", "Kunde=external_id")
    assert "0 new, 0 changed" in out
    assert "Nothing changed: everything in the file was already so." in out
    assert list(Customer.objects.order_by("id").values()) == before
    assert CustomerChange.objects.count() == queued


def test_an_empty_cell_leaves_the_value_alone_unless_told_to_clear(run: Any) -> None:
    run("external_id,city,vip\na,Rome,true\n")
    run("external_id,city,vip\na,,\n")
    assert Customer.objects.get().city == "Rome"
    run("external_id,city,vip\na,,\n", "--empty", "clear")
    assert (Customer.objects.get().city, Customer.objects.get().attributes) == (None, {})


def test_a_dry_run_checks_everything_and_writes_only_the_rejected_rows(run: Any, tmp_path: Path) -> None:
    out = run(CONTENT, "--map", "Kunde=external_id", "--dry-run")
    assert "3 customer rows accepted: 2 would be new, 0 would be changed, 1 as they were." in out
    assert "Dry run: nothing was written." in out
    assert (Customer.objects.count(), Attribute.objects.count(), ImportJob.objects.count()) == (0, 0, 0)
    assert len(rejected(tmp_path)) == 3


def test_an_interrupted_import_goes_on_where_its_last_chunk_was_committed(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["external_id,city", *(f"c{i},{'x' * 400 if i % 7 == 3 else 'Rome'}" for i in range(50))]
    content = "\n".join(lines) + "\n"
    monkeypatch.setattr(imports.run_import, "__kwdefaults__", {**imports.run_import.__kwdefaults__, "chunk_rows": 10})
    written: list[int] = []
    real = import_customers.Command.write_chunk

    def killed(self: Any, chunk: Any, **options: Any) -> Any:
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(len(chunk.rows))
        return real(self, chunk, **options)

    monkeypatch.setattr(import_customers.Command, "write_chunk", killed)
    with pytest.raises(KeyboardInterrupt):
        run(content)
    job = ImportJob.objects.get()
    assert (job.state, job.cursor_line, job.accepted, job.rejected) == ("running", 31, 26, 4)
    # What a dying process wrote behind its last commit is not kept.
    with (tmp_path / "rejected-people.csv").open("a") as stream:
        stream.write("99,half a row")
    monkeypatch.setattr(import_customers.Command, "write_chunk", real)
    out = run(content)
    assert "Went on after line 31, where an earlier run had stopped." in out
    assert "17 customer rows accepted: 17 new" in out
    assert Customer.objects.count() == 43
    assert [row.split(",")[0] for row in (tmp_path / "rejected-people.csv").read_text().splitlines()] == [
        *("line", "5", "12", "19", "26", "33", "40", "47")
    ]
    job.refresh_from_db()
    assert (job.state, job.cursor_bytes, job.accepted, job.rejected) == ("finished", len(content), 43, 7)
    assert violations() == []


def test_another_mapping_or_restart_begins_at_the_top(run: Any) -> None:
    run("external_id,city,town2\na,Rome,Paris\n")
    out = run("external_id,city,town2\na,Rome,Paris\n", "--map", "city=", "--map", "town2=city")
    assert "Went on" not in out
    assert "1 changed" in out
    assert Customer.objects.get().city == "Paris"
    assert ImportJob.objects.count() == 2


def test_a_file_that_cannot_be_imported_is_refused_with_all_reasons(run: Any) -> None:
    with pytest.raises(CommandError) as refusal:
        run("kunde,vip\n1,2\n", "--map", "nummer=external_id")
    text = str(refusal.value)
    assert "--map nummer: the file has no such column (found: kunde, vip)" in text
    assert "needs a column external_id or email or phone" in text
    with pytest.raises(CommandError, match=r"line 2, byte 4: byte 0xF6 is not utf-8"):
        run("external_id,city\na,Köln\n".replace("a,K", "a,K").encode("cp1252"))
    assert Customer.objects.count() == 0


def test_two_processes_do_not_import_one_file_at_once(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = import_customers.Command.write_chunk

    def overtaken(self: Any, chunk: Any, **options: Any) -> Any:
        ImportJob.objects.update(cursor_bytes=1)
        return real(self, chunk, **options)

    monkeypatch.setattr(imports.run_import, "__kwdefaults__", {**imports.run_import.__kwdefaults__, "chunk_rows": 1})
    monkeypatch.setattr(imports, "_advance", lambda *_: None)
    monkeypatch.setattr(import_customers.Command, "write_chunk", overtaken)
    with pytest.raises(CommandError, match="is being imported by another process"):
        run("external_id\na\nb\n")
