"""`import_suppressions`: a list of addresses nobody may write to."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from loyalty.consent.models import Suppression

pytestmark = pytest.mark.django_db


def run(path: Path, content: str, *options: str) -> str:
    file = path / "list.csv"
    file.write_text(content)
    out = StringIO()
    call_command(
        "import_suppressions", str(file), "--no-progress", "--rejected-folder", str(path), *options, stdout=out
    )
    return out.getvalue()


def test_addresses_are_suppressed_once_and_nothing_is_taken_off(tmp_path: Path) -> None:
    content = "E-Mail\na@example.com\nnobody\nA@EXAMPLE.com\n"
    out = run(tmp_path, content, "--channel", "email", "--reason", "robinson")
    assert "2 suppression rows accepted: 1 new, 0 changed, 1 as they were." in out
    assert "1 rows rejected" in out
    assert Suppression.objects.get().reason == "robinson"
    assert "Nothing changed" in run(tmp_path, content, "--channel", "email", "--reason", "robinson")
    run(tmp_path, "phone\n+49 171 1234567\n", "--channel", "sms", "--purpose", "marketing")
    assert Suppression.objects.get(channel="sms").purpose == "marketing"
