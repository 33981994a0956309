"""What contracts are called in a person's timeline."""

from collections.abc import Collection

from django.urls import reverse

from loyalty.events.wording import Subject, subject
from loyalty.kit.admin import localized
from loyalty.subscriptions.models import Subscription


@subject("subscription")
def contracts(ids: Collection[int]) -> dict[int, Subject]:
    """Name of the plan and page of each contract."""
    found = Subscription.objects.select_related("plan").filter(pk__in=ids)
    return {
        one.pk: Subject(
            localized(one.terms.get("name"), one.plan.key),
            reverse("admin:subscriptions_subscription_change", args=[one.pk]),
        )
        for one in found
    }
