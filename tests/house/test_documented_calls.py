"""The pages under docs/ name every call of the API, and none that does not exist.

A call is written as `POST loyalty/members/{id}/spend`; `/api/v1/` may stand before it, several methods are joined by a
slash. After it, in the same line, `.../return` stands for its sibling and `/lines` for what is below it; in the first
cell of a table's row a mere word is a sibling too.
"""

import re
from collections.abc import Iterator

from django.urls import resolve

from loyalty.local.state import REPOSITORY
from loyalty.urls import api

PAGES = sorted((REPOSITORY / "docs").glob("*.md"))
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ONE = "|".join(METHODS)
CALL = re.compile(rf"^((?:{ONE})(?:/(?:{ONE}))*) /?(?:api/v1/)?([a-z][^ ?]*)")
SIBLING = re.compile(rf"^(?:({ONE}) )?\.\.\./([a-z][^ ?]*)")
BELOW = re.compile(r"^(/[a-z{][^ ?]*)")
EDGE = re.compile(r"(?<!\\)\|")
WORD = re.compile(r"^([a-z_-]+)$")


def bare(path: str) -> str:
    """The path with nameless parameters: pages say `{id}` where the code says `{external_id}`."""
    return re.sub(r"\{[^}]*\}", "{}", path.removeprefix("/api/v1/"))


# Signed by the caller instead of asking for a key, so the API's own document leaves it out.
UNLISTED = {("POST", "loyalty/suppliers/{}/reports")}


def offered() -> set[tuple[str, str]]:
    """Every method and path that the API's own document lists."""
    paths = api.get_openapi_schema()["paths"]
    return {(method.upper(), bare(path)) for path, methods in paths.items() for method in methods}


def named(text: str) -> Iterator[tuple[str, str]]:
    """The calls that a page names."""
    for line in text.splitlines():
        row = line.startswith("|")
        methods: list[str] = []
        last = ""
        for span in re.findall(r"`([^`]+)`", EDGE.split(line)[1] if row else line):
            if found := CALL.match(span):
                methods, last = found[1].split("/"), found[2]
            elif last and (found := SIBLING.match(span)):
                methods, last = [found[1]] if found[1] else methods, f"{last.rpartition('/')[0]}/{found[2]}"
            elif last and (found := BELOW.match(span)):
                last += found[1]
            elif row and last and (found := WORD.match(span)):
                last = f"{last.rpartition('/')[0]}/{found[1]}"
            else:
                continue
            yield from ((method, bare(last)) for method in methods)


def test_every_call_on_a_page_exists() -> None:
    exists = offered() | UNLISTED
    wrong = {page.name: sorted(set(named(page.read_text())) - exists) for page in PAGES}
    assert {page: calls for page, calls in wrong.items() if calls} == {}


def test_the_unlisted_are_there() -> None:
    for _, path in UNLISTED:
        assert resolve(f"/api/v1/{path.replace('{}', 'acme')}").func


def test_the_grammar_of_the_pages() -> None:
    lines = [
        "| `GET/PUT pets/{id}`, `/toys` | |",
        "`POST pets/{id}/feed` and `.../walk`",
        "| `GET a/b?x=1\\|2` `c`, `DELETE .../d` | `e` |",
    ]
    assert list(named("\n".join(lines))) == [
        *[("GET", "pets/{}"), ("PUT", "pets/{}"), ("GET", "pets/{}/toys"), ("PUT", "pets/{}/toys")],
        *[("POST", "pets/{}/feed"), ("POST", "pets/{}/walk")],
        *[("GET", "a/b"), ("GET", "a/c"), ("DELETE", "a/d")],
    ]


def test_the_index_names_every_page() -> None:
    index = (REPOSITORY / "docs" / "README.md").read_text()
    assert set(re.findall(r"\]\(([a-z]+\.md)\)", index)) == {page.name for page in PAGES} - {"README.md"}


def test_every_call_stands_on_a_page() -> None:
    told = {call for page in PAGES for call in named(page.read_text())}
    assert sorted(offered() - told) == []
