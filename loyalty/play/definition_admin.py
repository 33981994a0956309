"""What the pages of challenges, stamp cards, games, badges and leaderboards have in common."""

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.kit.admin import Act, ReadOnlyAdmin, localized
from loyalty.kit.clock import now
from loyalty.play.models import Definition
from loyalty.play.operations import set_state

STATE_NAMES = {
    "active": _("active"), "paused": _("paused"), "open": _("under way"), "done": _("done"), "lapsed": _("missed"),
    "stopped": _("stopped"), "complete": _("full"), "expired": _("expired"), "due": _("waiting"),
    "given": _("handed over"), "refused": _("refused"), "won": _("won"), "consolation": _("consolation"),
    "nothing": _("nothing won"), "entered": _("waits for the draw"), "challenge": _("challenge"),
    "stamp_card": _("stamp card"), "game": _("game"),
}  # fmt: skip

LEVEL_NAMES = {"bronze": _("Bronze"), "silver": _("Silver"), "gold": _("Gold")}


def state_name(value: str) -> str:
    """A state in the active language."""
    return str(STATE_NAMES.get(value, value))


def _switch(state: str, said: Any) -> Callable[[Any, dict[str, Any]], str]:
    def run(obj: Definition, data: dict[str, Any]) -> str:
        set_state(obj, state, now=now())
        return str(said)

    return run


class DefinitionAdmin(ReadOnlyAdmin):
    """What the lists and pages of all of them have in common."""

    list_display = ("title", "key", "shown_state", "updated_at")
    list_display_links = ("title",)
    search_fields = ("key",)
    ordering = ("key",)
    list_filter = ("state",)
    acts = {
        "pause": Act(
            label=_("Pause"),
            question=_("Nothing is counted, stamped or played until it goes on. What was reached stays. Pause it?"),
            run=_switch("paused", _("It is paused.")),
            allowed=lambda obj: obj.state == "active",
            danger=True,
        ),
        "go": Act(
            label=_("Go on"),
            question=_("People can take part again. Go on?"),
            run=_switch("active", _("It goes on.")),
            allowed=lambda obj: obj.state == "paused",
        ),
    }

    @display(description=_("name"), ordering="key")  # type: ignore[untyped-decorator]
    def title(self, obj: Definition) -> str:
        return localized(obj.name, obj.key)

    @display(description=_("state"), ordering="state", label={"active": "success", "paused": "warning"})  # type: ignore[untyped-decorator]
    def shown_state(self, obj: Definition) -> tuple[str, str]:
        return obj.state, state_name(obj.state)

    def head(self, obj: Definition) -> dict[str, Any]:
        """What stands over the page of each."""
        return {
            "title": localized(obj.name, obj.key),
            "state": state_name(obj.state),
            "description": localized(obj.definition.get("description"), ""),
        }
