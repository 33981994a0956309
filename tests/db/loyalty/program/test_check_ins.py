"""Checking in by a code that changes: only while it is shown, once a day for each place and person."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from loyalty.kit.applying import apply_documents
from loyalty.kit.problems import Problems
from loyalty.program import check_ins, occasions, operations
from loyalty.program.earning_tables import CheckInPlace
from loyalty.program.setup import load
from tests.db.loyalty.program.club import NOW, applied, balance, customer, facts_of

PLACE: dict[str, Any] = {"kind": "check_in_place", "key": "mitte", "name": {"en": "Center"}, "store": "s1"}
RULE: dict[str, Any] = {
    "kind": "earning_rule", "key": "in", "type": "per_event", "event": "qr_checkin", "points": 20,
    "where": {"place": "mitte"},
}  # fmt: skip


@pytest.fixture
def place(db: None) -> CheckInPlace:
    applied(PLACE, {**PLACE, "key": "west"}, RULE)
    customer("anna")
    return CheckInPlace.objects.get(key="mitte")


def refused(code: str, seconds: float, who: Any = "anna") -> str:
    with pytest.raises(Problems) as raised:
        check_ins.check_in(code=code, customer=who, now=NOW + timedelta(seconds=seconds))
    return str(raised.value)


def test_once_a_day_for_each_place(place: CheckInPlace) -> None:
    code, until = check_ins.code_of(place, now=NOW)
    assert until == NOW + timedelta(seconds=30)
    assert check_ins.check_in(code=code, customer="anna", now=NOW).again is False
    assert check_ins.check_in(code=f"https://x.example/check-in/{code}", customer="anna", now=NOW).again is True
    west, _ = check_ins.code_of(CheckInPlace.objects.get(key="west"), now=NOW)
    assert check_ins.check_in(code=west, customer="anna", now=NOW).again is False
    assert facts_of("anna", "qr_checkin") == [{"place": "mitte", "store": "s1"}, {"place": "west", "store": "s1"}]
    occasions.earn_from_events([load()], consumer=operations.CONSUMER, now=NOW)
    assert balance("anna") == (0, 20, 0, 0)
    tomorrow = NOW + timedelta(days=1)
    code, _ = check_ins.code_of(place, now=tomorrow)
    assert check_ins.check_in(code=code, customer="anna", now=tomorrow).again is False


def test_old_and_foreign_codes_are_refused(place: CheckInPlace) -> None:
    code, _ = check_ins.code_of(place, now=NOW)
    assert check_ins.read_code(code, now=NOW + timedelta(seconds=59)).key == "mitte"
    assert "was shown until 2026-03-10 13:00:30 and is void since" in refused(code, 60)
    assert "comes from the future" in refused(code, -31)
    assert "is no code of a place" in refused("abc", 0)
    assert "is no code of a place" in refused(check_ins.screen_of(place), 0)
    assert "nobody is known by this" in refused(code, 0, {"card": "unknown"})
    apply_documents([{**PLACE, "state": "paused"}], now=NOW)
    assert "nobody can check in here" in refused(code, 0)
    apply_documents([PLACE], now=NOW)
    check_ins.renew(place_id=place.pk)
    assert "screen that is no longer used" in refused(code, 0)
    assert facts_of("anna", "qr_checkin") == []


def test_the_screen_shows_a_code_and_comes_again(place: CheckInPlace, client: Client) -> None:
    token = check_ins.screen_of(place)
    answer = client.get(f"/check-in/screen/{token}")
    assert answer.status_code == 200
    assert 1 <= int(answer["Refresh"]) <= 31
    assert b"<svg" in answer.content
    assert "no-store" in answer["Cache-Control"]
    check_ins.renew(place_id=place.pk)
    assert client.get(f"/check-in/screen/{token}").status_code == 404
    assert client.post(f"/check-in/screen/{token}").status_code == 405
    code, _ = check_ins.code_of(place, now=NOW)
    assert client.get(f"/check-in/{code}")["Location"].startswith("/member/check_in/?code=")
