"""A system check: every stored rule is still understood."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError

from campaigns.segments import tree
from campaigns.segments.models import Segment
from loyalty.kit.problems import Problems


@register(Tags.database)
def stored_rules(app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """An error per segment whose rule uses an operator or a field that no longer exists."""
    if not databases:
        return []
    try:
        stored = list(Segment.objects.order_by("key").values_list("key", "rule"))
    except DatabaseError:
        return []  # Before the first migration there is nothing to check.
    found: list[CheckMessage] = []
    for key, rule in stored:
        try:
            tree.parse(rule)
        except Problems as error:
            hint = "bring the operator back, or apply the segment with another rule"
            found.append(Error(f"segment {key}: {error}", hint=hint, id="segments.E001"))
    return found
