"""`verify` runs every invariant, counts, samples, and fails when one is violated."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from loyalty.kit import checks

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_checks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(checks, "_invariants", {})
    monkeypatch.setattr(checks, "_reconciliations", {})
    yield


def verified(*arguments: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    with suppress(CommandError):
        call_command("verify", "--json", *arguments)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_all_promises_kept_is_a_success(capsys: pytest.CaptureFixture[str]) -> None:
    checks.invariant("none", guarantee=3, promise="Nothing is wrong.", query="SELECT 1 AS n WHERE false;\n")
    call_command("verify")
    assert capsys.readouterr().out.splitlines() == [
        "  3  none  holds              Nothing is wrong.",
        "1 checks, 0 violations",
    ]


def test_violations_are_counted_and_sampled_and_fail(capsys: pytest.CaptureFixture[str]) -> None:
    checks.invariant(
        "late", guarantee=9, promise="Nothing.", query="SELECT n, n % 2 AS odd FROM generate_series(1, 40) n"
    )
    checks.invariant("early", guarantee=2, promise="Nothing.", query="SELECT 1 AS n WHERE false")
    with pytest.raises(CommandError, match="40 violations in 1 of 2 checks") as info:
        call_command("verify")
    assert info.value.returncode == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["2", "early", "holds"]
    assert lines[1].split()[:4] == ["9", "late", "40", "violations"]
    assert lines[2].strip() == "n=1, odd=1"
    assert lines[-2].strip() == "and 35 more"


def test_a_check_that_cannot_run_fails_and_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    checks.invariant("broken", guarantee=1, promise="?", query="SELECT * FROM no_such_table")
    checks.invariant("sound", guarantee=2, promise="!", query="SELECT 1 AS n WHERE false")
    found = verified(capsys=capsys)
    assert found["ok"] is False
    assert found["violations"] == 0
    assert [check["failure"] for check in found["checks"]] == ['relation "no_such_table" does not exist', None]


def test_a_log_is_compared_only_when_it_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    @checks.reconciliation("sink", guarantee=8, promise="The sink got what we sent.")
    def compare(log: Path) -> list[dict[str, Any]]:
        return [{"line": line} for line in log.read_text().split()]

    log = tmp_path / "log"
    log.write_text("a b")
    assert verified(capsys=capsys) == {"violations": 0, "ok": True, "checks": []}
    found = verified("--sink", str(log), capsys=capsys)
    assert found["violations"] == 2
    assert found["checks"][0]["samples"] == [{"line": "a"}, {"line": "b"}]


def test_a_check_may_not_be_registered_twice() -> None:
    checks.invariant("same", guarantee=1, promise="?", query="SELECT 1")
    with pytest.raises(ValueError, match="'same' is registered twice"):
        checks.invariant("same", guarantee=1, promise="?", query="SELECT 1")
