"""How long a retry waits, and which reasons have which numbers."""

from campaigns.delivery import reasons
from campaigns.delivery.settle import backoff, clean


def test_pauses_double_up_to_an_hour() -> None:
    assert [backoff(attempt) for attempt in (1, 2, 3, 7, 8, 100)] == [30.0, 60.0, 120.0, 1920.0, 3600.0, 3600.0]


def test_a_providers_words_are_cut_and_hold_no_zero() -> None:
    assert clean("a\0b" + "x" * 1000) == "a b" + "x" * 497
    assert clean("") is None
    assert clean(None) is None


def test_reason_numbers_never_move() -> None:
    assert reasons.NUMBERS["no_address"] == 1
    assert reasons.NUMBERS["not_approved"] == 14
    assert reasons.code(0) is None
    assert [reasons.code(number) for number in reasons.NUMBERS.values()] == list(reasons.NUMBERS)
