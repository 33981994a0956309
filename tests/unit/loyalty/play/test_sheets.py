"""No stamp is lost, whatever comes when."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from loyalty.play.sheets import Sheet, Terms, lay

START = datetime(2026, 1, 1, tzinfo=UTC)
STAMPS = st.lists(st.tuples(st.integers(0, 400), st.integers(1, 25)), min_size=1, max_size=30)


@given(STAMPS, st.integers(2, 12))
def test_all_stamps_are_laid(stamps: list[tuple[int, int]], size: int) -> None:
    total = sum(count for _, count in stamps)
    sheets, lost = lay(None, 0, 0, [(START + timedelta(days=day), count) for day, count in stamps], Terms(size))
    assert lost == 0
    assert sum(sheet.stamps for sheet in sheets) == total
    assert [sheet.number for sheet in sheets] == list(range(1, len(sheets) + 1))
    assert [sheet.state for sheet in sheets[: total // size]] == ["complete"] * (total // size)
    assert len(sheets) == -(-total // size)


@given(STAMPS, st.integers(2, 12), st.integers(1, 90), st.integers(1, 4), st.booleans())
def test_terms_hold(stamps: list[tuple[int, int]], size: int, life: int, most: int, from_last: bool) -> None:
    terms = Terms(size, lambda at: at + timedelta(days=life), from_last=from_last, most=most)
    total = sum(count for _, count in stamps)
    sheets, lost = lay(None, 0, 0, [(START + timedelta(days=day), count) for day, count in stamps], terms)
    assert sum(sheet.stamps for sheet in sheets) + lost == total
    assert sum(sheet.state == "complete" for sheet in sheets) <= most
    assert all((sheet.state == "complete") == (sheet.stamps == size) for sheet in sheets)
    assert all(sheet.state != "open" for sheet in sheets[:-1])
    for sheet in sheets:
        if sheet.state == "expired":
            assert sheet.closed_at == sheet.expires_at


def test_in_two_parts_as_in_one() -> None:
    terms = Terms(5, lambda at: at + timedelta(days=30))
    days = [(START + timedelta(days=day), 2) for day in (0, 3, 40, 41, 42)]
    whole, _ = lay(None, 0, 0, days, terms)
    assert [(sheet.state, sheet.stamps) for sheet in whole] == [("expired", 4), ("complete", 5), ("open", 1)]
    first, _ = lay(None, 0, 0, days[:2], terms)
    second, _ = lay(first[0], 1, 0, days[2:], terms)
    assert [(sheet.state, sheet.stamps) for sheet in second] == [("expired", 4), ("complete", 5), ("open", 1)]


def test_nothing_changes_without_stamps() -> None:
    sheet = Sheet(1, 5, START, None, stamps=2, id=7)
    assert lay(sheet, 1, 0, [], Terms(5)) == ([], 0)
