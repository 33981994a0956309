"""Something that people hand over: `{type: item, name: {en: A week in Rome, de: Eine Woche in Rom}}`."""

from collections.abc import Sequence
from datetime import datetime

from loyalty.kit.admin import localized
from loyalty.kit.problems import Problem
from loyalty.play.prize import Winner, prize_kinds
from loyalty.program.definition import Names, Strict


class Parameters(Strict):
    """What it is, by language."""

    name: Names


@prize_kinds.register("item")
class Item:
    """Waits in the log of winners until somebody marks it as handed over."""

    parameters = Parameters
    by_hand = True

    def problems(self, parameters: Parameters, declared: dict[str, set[str]]) -> list[Problem]:
        return [] if parameters.name else [Problem("name", "is missing", "say what can be won")]

    def sentence(self, parameters: Parameters) -> str:
        return localized(parameters.name, "")

    def give(
        self, parameters: Parameters, winners: Sequence[Winner], *, program_id: int | None, now: datetime
    ) -> dict[int, str | None]:
        return {}
