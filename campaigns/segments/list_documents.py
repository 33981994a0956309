"""The kind `list` for apply and export: what a list is called. Who is on it comes by file, API or flow."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from campaigns.segments.lists import KIND, document_of, save_list
from campaigns.segments.models import CustomerList
from loyalty.kit.documents import Change, kinds
from loyalty.kit.problems import Problem, Problems

FIELDS = ("kind", "key", "name", "description")


class ListKind:
    """A list of people, filled by hand or by file."""

    rank = 20

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        problems = list(_problems(document))
        if problems:
            raise Problems(problems)
        saved = save_list(
            key=document["key"], name=named(document.get("name")), description=document.get("description"), now=now
        )
        return Change(KIND, saved.list.key, saved.verdict, before=saved.before, after=document_of(saved.list))

    def export(self) -> Iterable[dict[str, Any]]:
        for found in CustomerList.objects.order_by("key"):
            yield document_of(found)


def named(name: str | dict[str, str] | None) -> dict[str, str]:
    """A name by language; one text is the English one."""
    return {"en": name} if isinstance(name, str) else dict(name or {})


def _problems(document: dict[str, Any]) -> Iterable[Problem]:
    for field in document:
        if field not in FIELDS:
            yield Problem(str(field), "unknown field", f"known: {', '.join(FIELDS)}")
    name = document.get("name", {})
    is_text = isinstance(name, dict) and all(isinstance(part, str) for pair in name.items() for part in pair)
    if not isinstance(name, str | None) and not is_text:
        yield Problem("name", "must be a text, or texts by language", "write {en: ..., de: ...}")
    if not isinstance(document.get("description"), str | None):
        yield Problem("description", "must be a text", "quote it")


kinds.add(KIND, ListKind())
