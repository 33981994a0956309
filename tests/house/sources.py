"""The project's own files, as git knows them, parsed once for all house tests."""

import ast
import subprocess
from pathlib import Path

from loyalty.local.state import REPOSITORY


def tracked(pattern: str) -> list[Path]:
    """Files of the project by git's pattern; also new ones that are not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", pattern]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split("\n")
    return sorted(REPOSITORY / name for name in set(listed) if name and (REPOSITORY / name).exists())


def name_of(file: Path) -> str:
    return file.relative_to(REPOSITORY).as_posix()


PYTHON = [file for file in tracked("*.py") if "/migrations/" not in file.as_posix()]
SOURCES = [file for file in PYTHON if name_of(file).startswith(("loyalty/", "campaigns/"))]
TREES = {file: ast.parse(file.read_text()) for file in PYTHON}
PURE = [file for file in SOURCES if (ast.get_docstring(TREES[file]) or "").startswith("Pure:")]
