"""Uploaded files: mapped, tried, imported by the chore, refused rows downloaded; exports that come back the same."""

import csv
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from campaigns.segments.operations import save_segment
from campaigns.segments.refresh import build_next
from loyalty.customers import uploads
from loyalty.customers.models import Attribute, Customer, CustomerRevision, ImportJob, ImportRejection, ImportUpload
from loyalty.customers.operations import upsert_customers
from loyalty.customers.tasks import import_uploads
from loyalty.kit.checks import invariants
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FILE = "Nr;Adresse;Ort;shoe\nk1;ada@example.com;Köln;38\nk2;no address;Bonn;39\nk3;;Rom;40\n"
OPTIONS = {"source": "trade fair"}


def upload(text: str = FILE, **options: Any) -> ImportJob:
    pieces = [text.encode()[place : place + 7] for place in range(0, len(text.encode()), 7)]
    return uploads.receive(pieces, name="people.csv", options={**OPTIONS, **options}, now=NOW, actor="eva")


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


def test_a_file_is_tried_without_writing_then_imported_by_the_chore() -> None:
    upsert_customers([{"external_id": "k3", "city": "Oslo"}], now=NOW, source="api")
    job = upload()
    refused = uploads.attempt(job, now=NOW)
    assert refused.report is None
    assert list(refused.header) == ["Nr", "Adresse", "Ort", "shoe"]
    assert refused.samples[0] == ["k1", "ada@example.com", "Köln", "38"]
    uploads.choose(job=job, options={"mapping": {"Nr": "external_id", "Adresse": "email"}})
    trial = uploads.attempt(job, now=NOW)
    assert trial.problems == ()
    assert trial.report is not None
    assert (trial.report.created, trial.report.changed, trial.report.rejected, trial.rows) == (1, 1, 1, 3)
    assert trial.report.learned == {"shoe": "number"}
    assert Customer.objects.count() == 1
    assert not Attribute.objects.exists()
    assert import_uploads(now=NOW) == 0

    uploads.start(job=job, now=NOW)
    assert import_uploads(now=NOW) == 3
    assert import_uploads(now=NOW) == 0
    job.refresh_from_db()
    assert (job.state, job.accepted, job.created, job.changed, job.rejected) == ("finished", 2, 1, 1, 1)
    assert job.report == {
        "reasons": {"email: … is not an email address: an email address must have an @-sign": 1},
        "learned": {"shoe": "number"},
    }
    assert not ImportUpload.objects.exists()
    assert Customer.objects.get(external_id="k1").source.key == "trade fair"
    revision = CustomerRevision.objects.get()
    assert (revision.source.key, revision.actor, revision.before) == (
        "trade fair",
        "eva",
        {"city": "Oslo", "shoe": None},
    )
    assert list(csv.reader(StringIO("".join(uploads.rejected_csv(job))))) == [
        ["line", "problems", "Nr", "Adresse", "Ort", "shoe"],
        [
            "3",
            "email: 'no address' is not an email address: an email address must have an @-sign",
            "k2",
            "no address",
            "Bonn",
            "39",
        ],
    ]
    ours = [one for one in invariants() if one.key.startswith("customers.")]
    assert [one.key for one in ours if fetch(one.query)] == []


def test_a_file_that_turns_out_unreadable_fails_with_its_reason_and_is_deleted() -> None:
    job = upload("nothing;known\n1;2\n")
    uploads.start(job=job, now=NOW)
    assert import_uploads(now=NOW) == 1
    job.refresh_from_db()
    assert job.state == "failed"
    assert job.problem.startswith("people.csv: needs a column external_id or email or phone")
    assert not ImportUpload.objects.exists()


def test_a_killed_import_goes_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"c{i},{i}\n" for i in range(5_000))
    job = upload("external_id,n\n" + rows, mapping={})
    uploads.start(job=job, now=NOW)
    monkeypatch.setattr(
        uploads.run_import, "__kwdefaults__", {**uploads.run_import.__kwdefaults__, "chunk_rows": 2_000}
    )
    monkeypatch.setattr(uploads, "SECONDS", 0.0)
    done = 0
    for _turn in range(3):
        begun = ImportJob.objects.get(pk=job.pk)
        done += uploads._advance(begun, NOW)
    job.refresh_from_db()
    assert (done, job.state, job.accepted, Customer.objects.count()) == (5_000, "finished", 5_000, 5_000)


def test_empty_and_oversized_files_are_refused_and_old_drafts_go(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Problems, match="is empty"):
        upload("")
    monkeypatch.setattr(uploads, "SIZE_MAX", 10)
    with pytest.raises(Problems, match="larger than"):
        upload()
    monkeypatch.undo()
    assert not ImportJob.objects.exists()
    upload()
    import_uploads(now=NOW + timedelta(hours=23))
    assert ImportJob.objects.count() == 1
    import_uploads(now=NOW + timedelta(hours=25))
    assert not ImportJob.objects.exists()


def test_refused_rows_are_kept_for_a_month() -> None:
    job = upload(mapping={"Nr": "external_id", "Adresse": "email"})
    uploads.start(job=job, now=NOW)
    import_uploads(now=NOW)
    import_uploads(now=NOW + timedelta(days=29))
    assert ImportRejection.objects.count() == 1
    import_uploads(now=NOW + timedelta(days=31))
    assert not ImportRejection.objects.exists()


def test_the_admin_leads_from_the_file_to_the_refused_rows(boss: Client) -> None:
    file = SimpleUploadedFile("people.csv", FILE.encode())
    address = reverse("admin:customers_importjob_add")
    assert "CSV file" in boss.get(address).content.decode()
    answer = boss.post(address, {"file": file, "source": "trade fair", "empty": "keep"})
    job = ImportJob.objects.get()
    prepare = reverse("admin:customers_import_prepare", args=[job.pk])
    assert answer.headers["Location"] == prepare
    page = boss.get(prepare).content.decode()
    assert "needs a column external_id" in page
    assert "Start the import" not in page
    mapping = {"header": ["Nr", "Adresse", "Ort", "shoe"], "c0": "external_id", "c1": "email", "c2": "city", "c3": ""}
    tried = boss.post(prepare, {**mapping, "act": "try"})
    assert (tried.context["report"].created, tried.context["report"].rejected) == (2, 1)
    assert "Start the import" in tried.content.decode()
    change = reverse("admin:customers_importjob_change", args=[job.pk])
    assert boss.post(prepare, {**mapping, "act": "start"}).headers["Location"] == change
    assert 'http-equiv="refresh"' in boss.get(change).content.decode()
    import_uploads(now=NOW)
    done = boss.get(change).content.decode()
    assert "Download the refused rows" in done
    assert 'http-equiv="refresh"' not in done
    assert Customer.objects.get(external_id="k1").attributes == {}
    download = boss.get(reverse("admin:customers_import_rejected", args=[job.pk]))
    assert b"".join(download.streaming_content).decode().splitlines()[1].startswith("3,")
    assert boss.get(prepare).status_code == 404


def test_a_draft_is_discarded(boss: Client) -> None:
    job = upload()
    boss.post(reverse("admin:customers_import_prepare", args=[job.pk]), {"act": "discard"})
    assert not ImportJob.objects.exists()
    assert not ImportUpload.objects.exists()


def test_uploading_needs_its_permission(client: Client) -> None:
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_importjob"))
    client.force_login(user)
    job = upload()
    assert client.get(reverse("admin:customers_importjob_changelist")).status_code == 200
    assert client.get(reverse("admin:customers_importjob_add")).status_code == 403
    assert client.get(reverse("admin:customers_import_prepare", args=[job.pk])).status_code == 403


def test_an_export_imported_again_changes_nothing(tmp_path: Path) -> None:
    rows = [
        {
            "external_id": f"c{i}",
            "email": f"c{i}@example.com",
            "birth_date": "1990-12-31",
            "city": 'Köln, "am Rhein"',
            "attributes": {
                "n": i,
                "yes": True,
                "tags": ["a", "b"],
                "home": {"lat": 50.9, "lon": 6.9},
                "price": {"amount": "1.50", "currency": "EUR"},
            },
            "identities": {"card": [f"{i}", f"x{i}"]},
        }
        for i in range(5)
    ]
    upsert_customers(rows, now=NOW, source="api")
    Customer.objects.filter(external_id="c4").update(restricted_at=NOW)
    path = tmp_path / "all.csv"
    out = StringIO()
    call_command("export_customers", str(path), stdout=out)
    assert out.getvalue() == f"4 lines in {path}.\n"
    with path.open(newline="") as stream:
        found = list(csv.DictReader(stream))
    assert [row["external_id"] for row in found] == ["c0", "c1", "c2", "c3"]
    assert found[1]["attributes.price"] == "1.50 EUR"
    assert found[1]["identities.card"] == "1|x1"
    out = StringIO()
    call_command("import_customers", str(path), "--rejected-folder", str(tmp_path), "--no-progress", stdout=out)
    assert "4 customer rows accepted: 0 new, 0 changed, 4 as they were." in out.getvalue()
    assert Customer.objects.count() == 5


def test_a_segment_is_exported_and_an_unknown_one_refused(tmp_path: Path) -> None:
    upsert_customers(
        [{"external_id": "a", "country": "DE"}, {"external_id": "b", "country": "AT"}], now=NOW, source="api"
    )
    save_segment(key="germans", rule={"attribute": "country", "eq": "DE"}, now=NOW)
    while build_next(now=NOW):
        pass
    out = StringIO()
    call_command("export_customers", "-", "--segment", "germans", stdout=out)
    assert [row["external_id"] for row in csv.DictReader(StringIO(out.getvalue()))] == ["a"]
    with pytest.raises(CommandError, match="there is no segment 'nobody'"):
        call_command("export_customers", "-", "--segment", "nobody")
