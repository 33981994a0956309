"""The kind `flow` for apply and export."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from campaigns.flows.models import Flow
from campaigns.flows.operations import save_flow
from loyalty.kit.documents import Change, kinds

# The order in which a person reads a flow.
FIELDS = ("key", "name", "description", "campaign", "entry", "reentry", "exit_on", "goal", "holdout", "steps")


class FlowKind:
    """Keeps the definition; publishing is an act of its own."""

    rank = 50

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        saved = save_flow(document=document, now=now, declared=declared)
        return Change("flow", saved.flow.key, saved.verdict, before=saved.before, after=saved.flow.definition)

    def export(self) -> Iterable[dict[str, Any]]:
        for flow in Flow.objects.order_by("key"):
            yield {"kind": "flow", **{name: flow.definition[name] for name in FIELDS if name in flow.definition}}


kinds.add("flow", FlowKind())
