"""The kind `segment` for apply and export; that of static lists comes with it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from campaigns.segments import list_documents, queries
from campaigns.segments.models import Segment
from campaigns.segments.operations import save_segment
from loyalty.kit.documents import Change, kinds
from loyalty.kit.problems import Problem, Problems

FIELDS = ("kind", "key", "name", "description", "rule")


class SegmentKind:
    """A rule under a name; its members follow."""

    rank = 30

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        problems = list(_head_problems(document))
        try:
            saved = save_segment(
                key=document["key"],
                rule=document.get("rule", {"all": []}),
                name=_name(document.get("name")),
                description=document.get("description") if isinstance(document.get("description"), str) else None,
                now=now,
                declared=declared.get("segment", set()),
                brought=declared,
            )
        except Problems as refused:
            raise Problems([*problems, *refused.problems]) from None
        if problems:
            raise Problems(problems)
        return Change(
            "segment", saved.segment.key, saved.verdict, before=saved.before, after=queries.document_of(saved.segment)
        )

    def export(self) -> Iterable[dict[str, Any]]:
        for segment in Segment.objects.order_by("key"):
            yield queries.document_of(segment)


def _head_problems(document: dict[str, Any]) -> Iterable[Problem]:
    for field in document:
        if field not in FIELDS:
            yield Problem(str(field), "unknown field", f"known: {', '.join(FIELDS)}")
    if "rule" not in document:
        yield Problem("rule", "is missing", "say who belongs to the segment: rule: {all: [...]}")
    name = document.get("name", {})
    is_text = isinstance(name, dict) and all(isinstance(part, str) for pair in name.items() for part in pair)
    if not isinstance(name, str | None) and not is_text:
        yield Problem("name", "must be a text, or texts by language", "write {en: ..., de: ...}")
    if not isinstance(document.get("description"), str | None):
        yield Problem("description", "must be a text", "quote it")


def _name(name: Any) -> dict[str, str]:
    if isinstance(name, str):
        return {"en": name}
    return dict(name) if isinstance(name, dict) else {}


__all__ = ["SegmentKind", "list_documents"]

kinds.add("segment", SegmentKind())
