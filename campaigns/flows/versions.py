"""Published versions as the engine runs them: parsed once per process, because a version never changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from campaigns.delivery.models import Dispatch
from campaigns.flows.chains import Chain, chain_to
from campaigns.flows.graph import Graph, parse
from campaigns.flows.models import FlowVersion
from campaigns.flows.step import step_types
from loyalty.kit.sql import fetch


@dataclass(frozen=True)
class Version:
    """A published version: its graph, the dispatch of each send step by node, and its chains as they are asked for."""

    id: int
    number: int
    flow_id: int
    flow_key: str
    graph: Graph
    dispatches: Mapping[int, Any]
    _chains: dict[int, Chain] = field(default_factory=dict)

    def chain(self, target: int) -> Chain:
        """The chain of people about to come to node `target` (0 = the end)."""
        if target not in self._chains:
            self._chains[target] = chain_to(self.graph, target)
        return self._chains[target]

    def exits(self, node: int) -> list[tuple[int, Chain]]:
        """(exit number, chain) for each exit of a resting node; a node where a chain was cut has one, itself."""
        found = self.graph.node(node)
        if not found.rests:
            return [(0, self.chain(node))]
        return [(i, self.chain(route)) for i, route in enumerate(found.routes)]


@lru_cache(maxsize=512)
def version(version_id: int) -> Version:
    """The version with that id; raises FlowVersion.DoesNotExist."""
    row = FlowVersion.objects.select_related("flow").get(pk=version_id)
    graph = parse(row.definition, step_types)
    dispatches = {
        dispatch.step_no: dispatch
        for dispatch in Dispatch.objects.filter(flow_id=row.flow_id, flow_version=row.number).select_related("sender")
    }
    return Version(row.id, row.number, row.flow_id, row.flow.key, graph, dispatches)


def live_version_ids() -> list[int]:
    """Versions that somebody may still come into or stands in, of flows that run or pause; by flow, then number."""
    rows = fetch(
        "SELECT v.id FROM flow_version v JOIN flow f ON f.id = v.flow_id WHERE f.state IN ('running', 'paused') AND"
        " (v.id = f.current_version_id OR EXISTS (SELECT FROM flow_block b WHERE b.version_id = v.id AND"
        " b.next_due IS NOT NULL))"
        " ORDER BY f.id, v.number"
    )
    return [row[0] for row in rows]
