"""Stamps on a card: `{type: stamps, card: coffee, stamps: 1}`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from django.utils.translation import ngettext
from pydantic import Field

from loyalty.kit.admin import localized
from loyalty.kit.problems import Problem
from loyalty.play import stamping
from loyalty.play.models import StampCard
from loyalty.play.prize import Winner, prize_kinds
from loyalty.program.definition import Strict


class Parameters(Strict):
    """The key of the stamp card."""

    card: str
    stamps: Annotated[int, Field(ge=1, le=100)] = 1


@prize_kinds.register("stamps")
class Stamps:
    """Given like stamps for anything else."""

    parameters = Parameters
    by_hand = False

    def problems(self, parameters: Parameters, declared: dict[str, set[str]]) -> list[Problem]:
        known = [*StampCard.objects.order_by("key").values_list("key", flat=True)]
        if parameters.card in known or parameters.card in declared.get("stamp_card", ()):
            return []
        remedy = f"known: {', '.join(known[:10]) or 'none yet'}"
        return [Problem("card", f"there is no stamp card {parameters.card!r}", remedy)]

    def sentence(self, parameters: Parameters) -> str:
        found = StampCard.objects.filter(key=parameters.card).first()
        return ngettext("%(count)d stamp on “%(card)s”", "%(count)d stamps on “%(card)s”", parameters.stamps) % {
            "count": parameters.stamps,
            "card": localized(found.name, found.key) if found else parameters.card,
        }

    def give(
        self, parameters: Parameters, winners: Sequence[Winner], *, program_id: int | None, now: datetime
    ) -> dict[int, str | None]:
        card = StampCard.objects.filter(key=parameters.card).first()
        if card is None:
            return {}
        given = [stamping.Given(one.customer_id, parameters.stamps, now, one.key) for one in winners]
        stamping.give(card, given, source="prize", now=now)
        return {one.award_id: None for one in winners}
