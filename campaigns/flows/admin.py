"""Flows in the admin: list, drawing with counts, and the buttons publish, pause, resume, stop."""

from typing import Any

import yaml
from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from campaigns.flows import operations, queries
from campaigns.flows.documents import FIELDS
from campaigns.flows.drawing import draw
from campaigns.flows.graph import parse
from campaigns.flows.models import Flow, FlowRun
from campaigns.flows.step import step_types
from loyalty.kit.admin import Act, ReadOnlyAdmin, localized
from loyalty.kit.clock import now

STATE_COLORS = {"running": "success", "paused": "warning", "stopped": "danger", "draft": "info"}


class ResumeForm(forms.Form):
    """What becomes of those who waited while the flow was paused."""

    policy = forms.ChoiceField(
        label=_("Those who waited"),
        choices=[
            ("send_now", _("go on at once")),
            ("shift", _("go on later, by the length of the pause")),
            ("skip", _("go on, but skip messages that were due long ago")),
        ],
    )
    older_than = forms.CharField(label=_("Skip messages due longer ago than"), initial="2d", required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("policy") == "skip":
            data["policy"] = {"skip_older_than": data.get("older_than") or "2d"}
        return data


def _publish(flow: Flow, data: dict[str, Any]) -> str:
    published = operations.publish(key=flow.key, now=now())
    return gettext("Version %(number)d is running.") % {"number": published.version.number}


def _pause(flow: Flow, data: dict[str, Any]) -> str:
    operations.pause(key=flow.key, now=now())
    return gettext("The flow is paused. Nobody moves and nothing is sent until you resume it.")


def _resume(flow: Flow, data: dict[str, Any]) -> str:
    operations.resume(key=flow.key, now=now(), policy=data["policy"])
    return gettext("The flow is running again.")


def _stop(flow: Flow, data: dict[str, Any]) -> str:
    operations.stop(key=flow.key, now=now())
    return gettext("The flow is stopped.")


@admin.register(Flow)
class FlowAdmin(ReadOnlyAdmin):
    list_display = ("title", "key", "state_label", "version_number", "campaign_key", "updated_at")
    list_display_links = ("title",)
    list_filter = ("state",)
    search_fields = ("key",)
    list_select_related = ("current_version",)
    panel_template = "admin/flows/flow.html"
    acts = {
        "publish": Act(
            _("Publish"),
            _(
                "The kept definition becomes a new version and runs."
                " People already inside stay on the version they are on."
            ),
            _publish,
            allowed=lambda flow: flow.state != Flow.State.PAUSED and not _up_to_date(flow),
        ),
        "pause": Act(
            _("Pause"),
            _("Nobody moves on and nothing is sent, also what is queued. Events are kept until you resume."),
            _pause,
            allowed=lambda flow: flow.state in Flow.MAY_PAUSE,
        ),
        "resume": Act(
            _("Resume"),
            _("Choose what becomes of the people and messages that waited."),
            _resume,
            allowed=lambda flow: flow.state in Flow.MAY_RESUME,
            form=ResumeForm,
        ),
        "stop": Act(
            _("Stop"),
            _("Everybody inside leaves the flow for good, and planned messages are skipped. This cannot be undone."),
            _stop,
            allowed=lambda flow: flow.state in Flow.MAY_STOP,
            danger=True,
        ),
    }

    @display(description=_("name"), ordering="key")
    def title(self, flow: Flow) -> str:
        return localized(flow.name, flow.key)

    @display(description=_("state"), ordering="state", label=STATE_COLORS)
    def state_label(self, flow: Flow) -> tuple[str, str]:
        return flow.state, flow.get_state_display()

    @display(description=_("version"))
    def version_number(self, flow: Flow) -> int | None:
        return flow.current_version.number if flow.current_version else None

    def panels(self, request: HttpRequest, obj: Flow) -> dict[str, Any]:
        definition = obj.current_version.definition if obj.current_version else obj.definition
        graph = parse(definition, step_types)
        numbers = queries.stats(obj)
        for node, step in zip(graph.nodes, numbers["steps"], strict=False):
            step["ways"] = [
                (node.type.exit_label(node.parameters, name) or gettext("goes on"), n)
                for name, n in step["exits"].items()
            ]
        counts = {step["id"]: step for step in numbers["steps"]}
        ways = [(node.number, list(zip(node.exits, node.routes, strict=True))) for node in graph.nodes]
        kept = {name: obj.definition[name] for name in FIELDS if name in obj.definition}
        return {
            "title": localized(obj.name, obj.key),
            "numbers": numbers,
            "drawing": _picture(graph, draw(ways), counts),
            "draft_differs": obj.current_version is not None and not _up_to_date(obj),
            "runs": FlowRun.objects.filter(flow=obj).order_by("-scheduled_for")[:5],
            "definition": yaml.safe_dump({"kind": "flow", **kept}, allow_unicode=True, sort_keys=False),
        }


def _made_by_engine(name: str) -> str | None:
    """Ways out that no step has by itself, in words."""
    if name == "exited":
        return gettext("left early")
    return {"stopped": gettext("stopped"), "failed": gettext("failed"), "go": gettext("goes on")}.get(name)


def _up_to_date(flow: Flow) -> bool:
    return (
        flow.state == Flow.State.RUNNING
        and flow.current_version is not None
        and flow.current_version.definition == flow.definition
    )


def _picture(graph: Any, drawing: Any, counts: dict[str, Any]) -> dict[str, Any]:
    """The drawing with words and counts, ready for the template."""
    boxes = []
    for box in drawing.boxes:
        node = graph.node(box.number) if box.number else None
        sentence = node.type.sentence(node.parameters) if node else ""
        boxes.append(
            {
                "box": box,
                "id": node.id if node else gettext("End"),
                "kind": node.parameters.type if node else "end",
                "lines": _wrap(sentence),
                "sentence": sentence,
                "count": counts.get(node.id) if node else None,
                "text_x": box.x + 12,
                "text_y": box.y + 22,
            }
        )
    lines = []
    for line in drawing.lines:
        node = graph.node(line.source)
        left = counts.get(node.id, {}).get("exits", {})
        names = ", ".join(filter(None, (node.type.exit_label(node.parameters, name) for name in line.exits)))
        lines.append({"line": line, "label": names, "n": sum(left.get(name, 0) for name in line.exits)})
    return {"boxes": boxes, "lines": lines, "width": drawing.width, "height": drawing.height}


def _wrap(text: str, width: int = 33, most: int = 2) -> list[str]:
    """At most two lines for a box; the whole sentence is in its title."""
    lines: list[str] = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > width and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines[:most] if len(lines) <= most else [*lines[: most - 1], lines[most - 1][: width - 1] + "…"]
