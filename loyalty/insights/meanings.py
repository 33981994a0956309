"""What the named RFM segments mean and what to do about them, for campaign managers."""

from typing import Any

from django.utils.translation import gettext_lazy as _

_MEANINGS: dict[str, tuple[Any, Any]] = {
    "champions": (_("Bought just now, and often."), _("Thank them, ask for reviews, show new things first.")),
    "loyal": (_("Buy often, the last time not long ago."), _("Reward them; offer more of what they like.")),
    "potential_loyalist": (_("Bought lately, a few times."), _("Invite them to the program; suggest a next purchase.")),
    "new": (_("Bought just now, for the first time or nearly so."), _("Welcome them; help with the first product.")),
    "promising": (_("Bought lately, but rarely."), _("Make yourself known; a small reason to come back.")),
    "need_attention": (_("Middling in everything, beginning to stay away."), _("An offer with an end date.")),
    "about_to_sleep": (_("Rare buyers, not seen for a while."), _("Remind them of what they liked.")),
    "at_risk": (_("Used to buy often, but long ago."), _("A personal message; ask what was wrong.")),
    "cannot_lose": (
        _("Were among the best buyers and stay away."),
        _("Win them back by hand: call, write, offer renewals."),
    ),
    "hibernating": (_("Rare buyers, long ago."), _("A seasonal occasion; do not spend much.")),
    "lost": (_("Bought once or nearly so, longest ago."), _("One last try, else leave them in peace.")),
}


def meaning(segment: str | None) -> tuple[Any, Any]:
    """What it means to be in the segment, and what to do."""
    return _MEANINGS.get(segment or "", ("", ""))
