"""The list of chores is strict about keys and queues, and hints go out after the commit."""

from datetime import datetime

import pytest

from loyalty.kit import chores


@pytest.fixture(autouse=True)
def own_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chores, "_chores", {})
    monkeypatch.setattr(chores, "_hint_senders", [])


def idle(*, now: datetime) -> int:
    """Nothing to do."""
    return 0


def test_upstream_comes_first() -> None:
    for key, order in (("z.send", 50), ("b.take", 10), ("a.take", 10)):
        chores.chore(key, queue="flows", every=1.0, order=order)(idle)
    assert [chore.key for chore in chores.all_chores()] == ["a.take", "b.take", "z.send"]


def test_double_keys_and_unknown_queues_fail() -> None:
    chores.chore("a.take", queue="flows", every=1.0, order=1)(idle)
    with pytest.raises(ValueError, match="'a.take' is registered twice"):
        chores.chore("a.take", queue="flows", every=1.0, order=1)(idle)
    with pytest.raises(ValueError, match="'b.take' names the unknown queue 'flow'; known: triggers, flows"):
        chores.chore("b.take", queue="flow", every=1.0, order=1)(idle)
    with pytest.raises(KeyError, match="unknown chore 'c.take'; known: a.take"):
        chores.get_chore("c.take")
