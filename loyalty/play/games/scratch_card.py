"""Scratch cards: a play shows at once what was won."""

from loyalty.play.game_definition import Plays
from loyalty.play.game_part import AT_ONCE, game_parts
from loyalty.play.ticketed import Ticketed


@game_parts.register("scratch_card")
class ScratchCard(Ticketed):
    """Any number of plays, each for one that is free or was earned."""

    parameters = Plays
    style = AT_ONCE
