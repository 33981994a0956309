import json
import os
import pwd
import stat
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from loyalty.local import state

NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    monkeypatch.setattr(state, "service_account", lambda: None)
    return tmp_path


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can enter (pytest's own are closed)."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_closed_folder_above_keeps_the_service_account_out(open_folder: Path) -> None:
    place = open_folder / "home" / "project"
    place.mkdir(parents=True)
    place.chmod(0o755)
    place.parent.chmod(0o755)
    assert state.can_enter(place, NOBODY)
    place.parent.chmod(0o700)
    assert not state.can_enter(place, NOBODY)
    assert not state.can_enter(place / "to be made", NOBODY)


def test_an_unreachable_state_dir_is_refused_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "closed" / "state"))
    monkeypatch.setattr(state, "service_account", lambda: NOBODY)
    with pytest.raises(state.StateError, match=r"user 'nobody'.*cannot get there; choose a place such as"):
        state.state_directory()


def test_the_secret_is_made_once_and_private(directory: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        secrets = set(pool.map(lambda _: state.development_secret(), range(32)))
    assert len(secrets) == 1
    assert len(secrets.pop()) >= 43
    assert stat.S_IMODE((directory / "secret").stat().st_mode) == 0o600


def test_addresses_are_believed_only_while_their_writer_lives(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    lock = state.Lock(directory)
    assert state.embedded_urls() == {}
    assert lock.acquire()
    state.write_services(directory, {"DATABASE_URL": "postgresql://x/y", "REDIS_URL": "redis://z", "OTHER": "no"})
    assert state.embedded_urls() == {"DATABASE_URL": "postgresql://x/y", "REDIS_URL": "redis://z"}
    lock.release()
    assert json.loads((directory / "services.json").read_text())["pid"] == os.getpid()
    assert state.embedded_urls() == {}


def test_one_holder_at_a_time(directory: Path) -> None:
    first, second = state.Lock(directory), state.Lock(directory)
    assert first.acquire()
    assert not second.acquire(wait=0.1)
    first.release()
    assert second.acquire(wait=0)
    second.release()
