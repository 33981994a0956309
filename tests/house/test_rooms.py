"""Files and rooms: sizes, names, and what pure files and network libraries are kept apart from."""

import ast
from pathlib import Path

import pytest

from tests.house.sources import PURE, PYTHON, SOURCES, TREES, name_of, tracked

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 75
NOUNLESS = {"utils", "util", "helpers", "helper", "common", "misc", "services", "service", "manager", "managers"}

# A pure file may not meet what makes a result depend on when, where or with what luck it runs.
IMPURE = {"django", "random", "secrets", "socket", "ssl", "smtplib", "httpx", "requests", "urllib.request", "time"}
IMPURE |= {"subprocess", "psycopg", "redis", "celery", "loyalty.kit.clock", "loyalty.kit.chores", "http.client"}
CLOCK = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time")}

NETWORK = {"smtplib", "socket", "ssl", "httpx", "requests", "aiosmtpd", "urllib.request", "http.client", "ftplib"}
NETWORK |= {"urllib3"}
NETWORK_ROOMS = (
    "campaigns/channels/providers/",
    "campaigns/channels/smtp.py",
    "loyalty/local/",
    "loyalty/kit/outbound.py",
)


def imports(tree: ast.Module) -> set[str]:
    """Every module an import names, with the names taken from it (`urllib.request` both ways); not those for types."""
    found: set[str] = set()
    for node in _outside_of_type_checking(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _outside_of_type_checking(tree: ast.AST) -> list[ast.AST]:
    found: list[ast.AST] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        found += [node, *_outside_of_type_checking(node)]
    return found


def named(found: set[str], forbidden: set[str]) -> list[str]:
    return sorted(name for name in found if any(name == one or name.startswith(one + ".") for one in forbidden))


def test_no_file_is_too_long_to_know() -> None:
    lengths = {name_of(file): len(file.read_text().splitlines()) for file in PYTHON}
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_no_function_is_too_long_to_see() -> None:
    long = {
        f"{name_of(file)}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for file in SOURCES
        for node in ast.walk(TREES[file])
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    }
    assert {name: lines for name, lines in long.items() if lines > FUNCTION_LINES_MAX} == {}


def test_every_room_has_a_noun() -> None:
    # The file name of a command is what people type; a piece of the admin's theme is replaced under the theme's name.
    files = [file for file in tracked("*") if file.parent.name != "commands"]
    rooms = [file for file in files if "templates/unfold/" not in name_of(file)]
    assert [name_of(file) for file in rooms if NOUNLESS & {part.removesuffix(".py") for part in file.parts}] == []


def test_there_are_pure_files() -> None:
    assert len(PURE) >= 10


@pytest.mark.parametrize("file", PURE, ids=name_of)
def test_a_pure_file_stays_pure(file: Path) -> None:
    assert named(imports(TREES[file]), IMPURE) == []
    calls = [node.func for node in ast.walk(TREES[file]) if isinstance(node, ast.Call)]
    read = [ast.unparse(call) for call in calls if isinstance(call, ast.Attribute)]
    assert [call for call in read if tuple(call.split(".")[-2:]) in CLOCK] == []


def test_pure_files_know_only_the_kit_and_what_is_free_of_such_things_too() -> None:
    modules = {name_of(file).removesuffix(".py").replace("/", "."): file for file in SOURCES}
    wrong = [
        f"{name_of(file)} imports {name}"
        for file in PURE
        for name in imports(TREES[file])
        if name in modules and not name.startswith("loyalty.kit.") and named(imports(TREES[modules[name]]), IMPURE)
    ]
    assert wrong == []


def test_only_providers_the_outbound_client_and_the_local_runtime_touch_the_network() -> None:
    wrong = {
        name_of(file): named(imports(TREES[file]), NETWORK)
        for file in SOURCES
        if not name_of(file).startswith(NETWORK_ROOMS)
    }
    assert {name: found for name, found in wrong.items() if found} == {}


def test_packages_talk_by_calls_not_by_signals() -> None:
    signals = {file: named(imports(TREES[file]), {"django.db.models.signals", "django.dispatch"}) for file in SOURCES}
    # `post_migrate` fills in rows that tables are never without; nothing that happens in the product uses a signal.
    harmless = {"django.db.models.signals", "django.db.models.signals.post_migrate"}
    assert {name_of(file): found for file, found in signals.items() if set(found) - harmless} == {}


def test_every_module_says_what_it_is_for() -> None:
    plain = {"__init__.py", "apps.py", "urls.py"}
    silent = [name_of(file) for file in SOURCES if file.name not in plain and not ast.get_docstring(TREES[file])]
    assert silent == []
