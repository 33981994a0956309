"""`doctor` says what is wrong and how to mend it."""

import json
from collections.abc import Iterable

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from loyalty.kit import diagnoses, doctor
from loyalty.kit.diagnoses import Finding, broken, findings, ok

pytestmark = pytest.mark.django_db


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnoses, "_diagnoses", {})


def test_the_database_of_the_tests_is_sound() -> None:
    wrong = [finding.text for finding in doctor.look_at_database() if finding.level == "broken"]
    # The throw-away server of the tests trades durability for speed, and doctor says so.
    assert [text for text in wrong if not text.startswith("synchronous_commit is off")] == []
    assert [finding.text for finding in doctor.look_at_migrations()] == ["all migrations are applied"]


def test_production_is_told_what_its_settings_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    with override_settings(PUBLIC_URL="http://shop.example", DEBUG=True, SECRET_KEY="a" * 40, ADDRESS_KEY="a" * 40):
        found = [(finding.level, finding.text.split()[0]) for finding in doctor.look_at_settings()]
    assert found == [
        ("warning", "PUBLIC_URL=http://shop.example"),
        ("broken", "DEBUG"),
        ("broken", "SECRET_KEY"),
        ("warning", "ADDRESS_KEY"),
    ]


def test_a_broker_that_does_not_answer_is_broken() -> None:
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        found = list(doctor.look_at_broker())
    assert [(finding.level, finding.remedy) for finding in found] == [("broken", "start it, or correct REDIS_URL")]


def test_after_a_broken_vital_part_the_rest_is_not_asked(
    only: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @diagnoses.diagnosis("heart", order=1, vital=True)
    def heart() -> Iterable[Finding]:
        yield ok("beats")
        yield broken("stopped", "restart it")

    @diagnoses.diagnosis("foot", order=2)
    def foot() -> Iterable[Finding]:
        raise AssertionError("must not be asked")

    monkeypatch.setattr("loyalty.kit.management.commands.doctor.autodiscover_modules", lambda *_: None)
    with pytest.raises(CommandError, match="1 broken") as info:
        call_command("doctor", "--json")
    assert info.value.returncode == 1
    assert json.loads(capsys.readouterr().out) == {
        "broken": 1,
        "findings": {
            "heart": [
                {"level": "ok", "text": "beats", "remedy": ""},
                {"level": "broken", "text": "stopped", "remedy": "restart it"},
            ]
        },
    }


def test_a_look_that_fails_is_a_finding_not_a_crash() -> None:
    def look() -> Iterable[Finding]:
        raise RuntimeError("no such table\nLINE 1")

    found = findings(diagnoses.Diagnosis("x", 1, False, look))
    assert [(finding.level, finding.text) for finding in found] == [("broken", "cannot be examined: no such table")]
