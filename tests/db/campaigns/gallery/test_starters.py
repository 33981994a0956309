"""Every ready-made file is good as it stands: applied to an empty house, exported, applied again."""

import re
from pathlib import Path

import pytest
from django.core.management import call_command

from campaigns.gallery.club import FOLDER, PLAYBOOKS
from loyalty.kit.checks import invariants, verdict

pytestmark = pytest.mark.django_db

STARTERS = PLAYBOOKS.parent / "starters"
FILES = sorted(STARTERS.glob("*.yaml"))
SUM = re.compile(r"^(\d+) created, (\d+) updated, (\d+) unchanged")


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    call_command(*arguments)
    return capsys.readouterr().out.splitlines()


def counts(lines: list[str]) -> tuple[int, ...]:
    """Created, updated, unchanged."""
    found = SUM.match(lines[-1])
    assert found, lines
    return tuple(map(int, found.groups()))


@pytest.mark.parametrize("path", [*FILES, PLAYBOOKS, FOLDER], ids=lambda path: path.stem)
def test_it_is_applied_once_and_exported_as_it_is(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [path] if path.is_file() else sorted(path.glob("*.yaml"))
    # Each file is good alone, so two may name the same sender.
    documents = len({one for file in files for one in re.findall(r"^kind: .*\nkey: .*", file.read_text(), re.M)})
    first = told(capsys, "apply", str(path))
    assert counts(first) == (documents, 0, 0)
    assert [line for line in first if "warning" in line.lower()] == []
    assert counts(told(capsys, "apply", str(path))) == (0, 0, documents)
    exported = tmp_path / "exported.yaml"
    exported.write_text("\n".join(told(capsys, "export")) + "\n")
    created, updated, unchanged = counts(told(capsys, "apply", str(exported)))
    assert (created, updated) == (0, 0)
    assert unchanged >= documents
    assert [one for one in map(verdict, invariants()) if not one.holds] == []
