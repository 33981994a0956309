"""Wheels of fortune: a play turns the wheel, whose fields are as wide as the odds."""

from django.utils.translation import gettext

from loyalty.play.game_definition import GameDocument, Plays
from loyalty.play.game_part import AT_ONCE, game_parts
from loyalty.play.ticketed import Ticketed


@game_parts.register("wheel")
class Wheel(Ticketed):
    """Drawn like every other play; the wheel only shows where the draw fell."""

    parameters = Plays
    style = AT_ONCE

    def sentences(self, parameters: Plays, document: GameDocument) -> list[str]:
        shown = gettext(
            "The draw is made before the wheel turns; the wheel shows it. Its fields are as wide as the odds, only the"
            " narrowest are drawn a little wider so that they can be seen."
        )
        return [*super().sentences(parameters, document), shown]
