"""What is on the cards of a memory: signs that every font has, each with its name for who hears the page."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from loyalty.kit.admin import localized
from loyalty.play.memories import MemoryParameters

SIGNS = (
    ("★", _("star")), ("♥", _("heart")), ("☂", _("umbrella")), ("♪", pgettext_lazy("music", "note")), ("☀", _("sun")),
    ("⚓", _("anchor")), ("♣", _("clover")), ("✿", _("flower")), ("☾", _("moon")), ("♦", _("diamond")),
    ("✂", _("scissors")), ("☎", _("telephone")),
)  # fmt: skip


def sign_of(parameters: MemoryParameters, picture: int) -> tuple[str, str]:
    """The sign of a picture and its name, in the active language."""
    if parameters.pictures:
        chosen = parameters.pictures[picture]
        return chosen.sign, localized(chosen.name, chosen.sign)
    return SIGNS[picture][0], str(SIGNS[picture][1])
