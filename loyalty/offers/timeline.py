"""What vouchers and offers are called in a person's timeline."""

from collections.abc import Collection

from django.urls import reverse

from loyalty.events.wording import Subject, subject
from loyalty.kit.admin import localized
from loyalty.offers.models import Offer, Voucher


@subject("voucher")
def vouchers(ids: Collection[int]) -> dict[int, Subject]:
    """Name of the pool and page of each voucher."""
    found = Voucher.objects.select_related("pool").filter(pk__in=ids)
    return {
        one.pk: Subject(localized(one.pool.name, one.pool.key), reverse("admin:offers_voucher_change", args=[one.pk]))
        for one in found
    }


@subject("offer")
def offers(ids: Collection[int]) -> dict[int, Subject]:
    """Name and page of each offer."""
    return {
        one.pk: Subject(localized(one.name, one.key), reverse("admin:offers_offer_change", args=[one.pk]))
        for one in Offer.objects.filter(pk__in=ids)
    }
