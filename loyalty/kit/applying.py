"""Writing objects from documents: what `manage.py apply` and PUT in the API have in common.

All documents of a call are checked, in the order of their kinds' ranks, inside one transaction; every mistake of every
document is told; with a single mistake nothing is written.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import DatabaseError, connection, transaction

from loyalty.kit.documents import Change, kinds
from loyalty.kit.problems import Problem, Problems

KEY_MAX = 100
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# PostgreSQL's text and jsonb hold every character but these.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# Two calls at once would check against each other's unfinished objects; applying is rare, so they take turns.
_LOCK = 0x6170706C79


class Refused(Problems):
    """Nothing was written; `mistakes` are (number of the document in the call, problem), in the documents' order."""

    def __init__(self, mistakes: Iterable[tuple[int, Problem]], *, single: bool) -> None:
        self.mistakes = sorted(mistakes, key=lambda mistake: mistake[0])
        super().__init__(
            problem if single else problem.within(f"documents[{number}]") for number, problem in self.mistakes
        )


def put_document(kind: str, key: str, body: dict[str, Any], *, now: datetime) -> Change:
    """Write one object whose kind and key stand in the address of a request; raises Refused."""
    for name, value in (("kind", kind), ("key", key)):
        if body.get(name, value) != value:
            problem = Problem(name, f"is {body[name]!r}, the address says {value!r}", "leave it out of the body")
            raise Refused([(0, problem)], single=True)
    return apply_documents([{**body, "kind": kind, "key": key}], now=now)[0]


def apply_documents(documents: Sequence[Any], *, now: datetime, dry_run: bool = False) -> list[Change]:
    """Write the documents and return what each changed, in their order; raises Refused, and then nothing was written.

    `dry_run` does everything and takes it back.
    """
    mistakes: list[tuple[int, Problem]] = []
    for number, document in enumerate(documents):
        mistakes += [(number, problem) for problem in _head_problems(document)]
    broken = {number for number, _ in mistakes}
    sound = [number for number in range(len(documents)) if number not in broken]
    mistakes += _doubles(documents, sound)
    declared: dict[str, set[str]] = {}
    for document in documents:
        if isinstance(document, dict) and isinstance(document.get("key"), str):
            declared.setdefault(str(document.get("kind")), set()).add(document["key"])

    changes: dict[int, Change] = {}
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        for number in sorted(sound, key=lambda number: (kinds.get(documents[number]["kind"]).rank, number)):
            document = documents[number]
            try:
                with transaction.atomic():
                    change = kinds.get(document["kind"]).apply(dict(document), now=now, declared=declared)
                changes[number] = change
            except Problems as refused:
                mistakes += [(number, problem) for problem in refused.problems]
            except DatabaseError as error:
                reason = str(error).partition("\n")[0]
                mistakes.append((number, Problem("", f"the database refuses it: {reason}")))
        if mistakes or dry_run:
            transaction.set_rollback(True)
    if mistakes:
        raise Refused(mistakes, single=len(documents) == 1)
    return [changes[number] for number in sorted(changes)]


def _head_problems(document: Any) -> list[Problem]:
    """What is wrong before a kind gets to see the document."""
    if not isinstance(document, dict):
        return [Problem("", "is no object", "write fields such as `kind:` and `key:`")]
    problems = list(_unstorable(document, ""))
    kind, key = document.get("kind"), document.get("key")
    if kind is None:
        problems.append(Problem("kind", "is missing", f"add one of: {', '.join(kinds)}"))
    elif not isinstance(kind, str) or kind not in kinds:
        problems.append(Problem("kind", kinds.refusal(str(kind)), f"{_guess_kind(str(kind))}known: {', '.join(kinds)}"))
    if key is None:
        problems.append(Problem("key", "is missing", "add the name by which others refer to it"))
    elif not isinstance(key, str) or not _KEY.fullmatch(key) or len(key) > KEY_MAX:
        remedy = f"use letters, digits, '_', '-' and '.', at most {KEY_MAX}; quote a number"
        problems.append(Problem("key", f"{key!r} is no key", remedy))
    return problems


def _guess_kind(kind: str) -> str:
    return "" if kind in kinds.announced else guess(kind, kinds)


def _doubles(documents: Sequence[Any], numbers: list[int]) -> list[tuple[int, Problem]]:
    seen: set[tuple[str, str]] = set()
    mistakes = []
    for number in numbers:
        name = documents[number]["kind"], documents[number]["key"]
        if name in seen:
            problem = Problem("key", f"another document of this call is {name[0]} {name[1]} too", "keep one of them")
            mistakes.append((number, problem))
        seen.add(name)
    return mistakes


def _unstorable(value: Any, where: str) -> Iterable[Problem]:
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            yield Problem(where, "holds a character that cannot be stored (NUL or half of a pair)", "remove it")
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _unstorable(name, where)
            yield from _unstorable(inner, f"{where}.{name}" if where else name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _unstorable(inner, f"{where}[{index}]")


def guess(name: str, known: Iterable[str]) -> str:
    """`did you mean 'x'? ` for the known name that looks most like it, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]!r}? " if close else ""
