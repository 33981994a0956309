"""What rewards and redemptions are called in a person's timeline."""

from collections.abc import Collection

from django.urls import reverse

from loyalty.events.wording import Subject, subject
from loyalty.kit.admin import localized
from loyalty.rewards.models import Redemption, Reward


@subject("redemption")
def redemptions(ids: Collection[int]) -> dict[int, Subject]:
    """Name of the reward and page of each redemption."""
    found = Redemption.objects.select_related("reward").filter(pk__in=ids)
    return {
        one.pk: Subject(
            localized(one.reward.name, one.reward.key), reverse("admin:rewards_redemption_change", args=[one.pk])
        )
        for one in found
    }


@subject("reward")
def rewards(ids: Collection[int]) -> dict[int, Subject]:
    """Name and page of each reward."""
    return {
        one.pk: Subject(localized(one.name, one.key), reverse("admin:rewards_reward_change", args=[one.pk]))
        for one in Reward.objects.filter(pk__in=ids)
    }
