"""A registry is strict: keys are file names, doubles and late comers fail, unknown keys name the known ones."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loyalty.kit.registry import DoublePart, Registry, UnknownPart

PART = """
from parts_of_test import registry

@registry.register("{key}")
class Thing:
    "A thing of the test."
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    package = tmp_path / "parts_of_test"
    (package / "things").mkdir(parents=True)
    (package / "__init__.py").write_text(
        "from loyalty.kit.registry import Registry\nregistry = Registry('thing', package='parts_of_test.things')\n"
    )
    (package / "things" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield package / "things"
    for name in [name for name in sys.modules if name.partition(".")[0] == "parts_of_test"]:
        del sys.modules[name]


def things() -> Registry[object]:
    import parts_of_test  # type: ignore[import-not-found]

    found: Registry[object] = parts_of_test.registry
    return found


def test_every_file_of_the_folder_is_found_on_first_use(folder: Path) -> None:
    for key in ("wait", "send"):
        (folder / f"{key}.py").write_text(PART.format(key=key))
    assert list(things()) == ["send", "wait"]
    assert "wait" in things()
    assert type(things().get("send")).__name__ == "Thing"
    with pytest.raises(UnknownPart, match="unknown thing 'sned'; known: send, wait"):
        things().get("sned")


def test_a_key_must_be_the_file_name(folder: Path) -> None:
    (folder / "wait.py").write_text(PART.format(key="pause"))
    with pytest.raises(DoublePart, match="thing 'pause' must live in pause.py, not in parts_of_test.things.wait"):
        list(things())


def test_doubles_and_late_comers_fail() -> None:
    registry: Registry[int] = Registry("number")
    registry.add("one", 1)
    with pytest.raises(DoublePart, match="number 'one' is registered twice"):
        registry.add("one", 2)
    assert registry.get("one") == 1
    with pytest.raises(DoublePart, match="number 'two' comes too late: the registry is frozen"):
        registry.add("two", 2)


def test_a_temporary_part_is_gone_afterwards_and_hides_none() -> None:
    registry: Registry[int] = Registry("number")
    registry.add("one", 1)
    with registry.temporary("two", 2):
        assert registry.items() == [("one", 1), ("two", 2)]
        with pytest.raises(DoublePart), registry.temporary("one", 3):
            pass
    assert registry.items() == [("one", 1)]


def test_an_empty_registry_says_so() -> None:
    with pytest.raises(UnknownPart, match="unknown number 'x'; known: none"):
        Registry[int]("number").get("x")
