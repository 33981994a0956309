"""Which flows use which segments: as their entries, and in the conditions of their steps."""

from collections.abc import Iterable, Iterator
from typing import Any

from campaigns.flows.models import Flow
from campaigns.segments.usage import Use, segment_users

ENTRIES = {"segment_entered": "joined", "segment_left": "left", "segment": "members"}


@segment_users
def flows() -> Iterable[Use]:
    """The uses of all flows that are not stopped, by what is written and by what was published; one query."""
    found = {
        Use(segment, "flow", flow.key, how, flow.state == Flow.State.RUNNING, str(flow.name.get("en") or flow.key))
        for flow in Flow.objects.exclude(state=Flow.State.STOPPED).select_related("current_version")
        for definition in (flow.definition, flow.current_version.definition if flow.current_version else None)
        for segment, how in _named(definition)
    }
    return sorted(found, key=lambda use: (use.key, use.segment, use.how))


def _named(definition: Any) -> Iterator[tuple[str, str]]:
    """(segment, how) of everything that a flow's document names."""
    if not isinstance(definition, dict):
        return
    entries = definition.get("entry")
    for entry in entries if isinstance(entries, list) else [entries]:
        if isinstance(entry, dict):
            yield from ((entry[field], how) for field, how in ENTRIES.items() if isinstance(entry.get(field), str))
    yield from ((key, "asked") for key in _conditions(definition.get("steps")))


def _conditions(part: Any) -> Iterator[str]:
    """The segments that conditions anywhere in this part of the document ask."""
    if isinstance(part, dict):
        if isinstance(part.get("segment"), str):
            yield part["segment"]
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from _conditions(inner)
