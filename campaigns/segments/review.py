"""What saving a rule would change, as the page before saving shows it."""

from difflib import SequenceMatcher
from typing import Any

from django.utils.translation import gettext

from campaigns.segments import queries, ruletext, tree
from campaigns.segments.models import Segment
from loyalty.kit.admin import localized
from loyalty.kit.clock import now
from loyalty.kit.problems import Problems


def reviewed(rule: tree.Rule, segment: Segment | None) -> dict[str, Any]:
    """The two rules side by side, who joins and leaves, what begins for them, and what it costs to keep."""
    after = ruletext.write(tree.document(rule))
    before = ruletext.write(queries.document_of(segment)["rule"]) if segment else ""
    context: dict[str, Any] = {"lines": _lines(before, after), "same_rule": before == after}
    try:
        found = queries.diff(rule, segment.pk if segment else None, now=now())
    except Problems as error:
        return context | {"diff_problems": error.problems}
    return context | {"diff": found, "begins": [_begins(use) for use in found.begins]}


def _begins(use: Any) -> str:
    name = localized(use.name, use.key) if isinstance(use.name, dict) else str(use.name or use.key)
    if use.how == "joined":
        return gettext("“%(name)s” begins for everybody who joins.") % {"name": name}
    return gettext("“%(name)s” begins for everybody who leaves.") % {"name": name}


def _lines(before: str, after: str) -> list[tuple[str, str]]:
    """The texts as one: (same | del | ins, line)."""
    old, new = before.splitlines(), after.splitlines()
    found: list[tuple[str, str]] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            found += [("same", line) for line in old[i1:i2]]
        else:
            found += [("del", line) for line in old[i1:i2]] + [("ins", line) for line in new[j1:j2]]
    return found
