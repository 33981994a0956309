"""docs/settings.md describes every variable that the code reads, and no other."""

import ast
import re

from loyalty.local.state import REPOSITORY
from tests.house.sources import SOURCES, TREES, name_of

# Read to be passed on, by other programs, or set by ourselves for our own processes; no settings of an installation.
FOREIGN = {"PATH", "HOME", "USER", "LANG", "DJANGO_SETTINGS_MODULE", "C_FORCE_ROOT", "WEB_PORT"}


def read_from_environment() -> dict[str, str]:
    """Names of variables, with a file that reads each."""
    found: dict[str, str] = {}
    for file in SOURCES:
        for node in ast.walk(TREES[file]):
            name = None
            if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in ("os.environ.get", "os.getenv"):
                name = node.args[0]
            elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
                name = node.slice
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                found[name.value] = name_of(file)
    return {name: file for name, file in found.items() if name not in FOREIGN and not name.startswith("_")}


def test_every_setting_is_described_and_every_described_one_exists() -> None:
    page = (REPOSITORY / "docs" / "settings.md").read_text()
    described = set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.M))
    read = read_from_environment()
    assert {name: file for name, file in read.items() if name not in described} == {}
    assert described - set(read) == set()
