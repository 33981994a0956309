"""A reward of the shop as a gift: `{type: reward, reward: mug}`."""

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext

from loyalty.kit.admin import localized
from loyalty.kit.problems import Problem
from loyalty.play.prize import Winner, prize_kinds
from loyalty.program.definition import Strict
from loyalty.rewards import redeeming
from loyalty.rewards.models import Reward as ShopReward
from loyalty.rewards.shapes import Gift


class Parameters(Strict):
    """The key of the reward."""

    reward: str


@prize_kinds.register("reward")
class Reward:
    """One redemption without points for each award; an empty stock keeps the prize waiting."""

    parameters = Parameters
    by_hand = False

    def problems(self, parameters: Parameters, declared: dict[str, set[str]]) -> list[Problem]:
        known = [*ShopReward.objects.order_by("key").values_list("key", flat=True)]
        if parameters.reward in known or parameters.reward in declared.get("reward", ()):
            return []
        remedy = f"known: {', '.join(known[:10]) or 'none yet'}"
        return [Problem("reward", f"there is no reward {parameters.reward!r}", remedy)]

    def sentence(self, parameters: Parameters) -> str:
        found = ShopReward.objects.filter(key=parameters.reward).first()
        return gettext("the reward “%(reward)s”") % {
            "reward": localized(found.name, found.key) if found else parameters.reward
        }

    def give(
        self, parameters: Parameters, winners: Sequence[Winner], *, program_id: int | None, now: datetime
    ) -> dict[int, str | None]:
        # One for each person; whoever won it twice gets the second one with the next set.
        first = {one.customer_id: one for one in reversed(winners)}
        gifts = [Gift(one.customer_id, one.key) for one in first.values()]
        given = redeeming.give(gifts, reward=parameters.reward, now=now, source="prize")
        return {first[customer_id].award_id: str(redemption) for customer_id, redemption in given.items()}
