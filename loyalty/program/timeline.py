"""What tiers and memberships are called in a person's timeline."""

from collections.abc import Collection

from django.urls import reverse

from loyalty.events.wording import Subject, subject
from loyalty.kit.admin import localized
from loyalty.program.models import Member, Tier


@subject("tier")
def tiers(ids: Collection[int]) -> dict[int, Subject]:
    """Name of each tier, and the page of its program."""
    return {
        tier.pk: Subject(
            localized(tier.name, tier.key), reverse("admin:program_program_change", args=[tier.program_id])
        )
        for tier in Tier.objects.filter(pk__in=ids)
    }


@subject("member")
def members(ids: Collection[int]) -> dict[int, Subject]:
    """Name of the program of each membership, and the member's page."""
    return {
        member.pk: Subject(
            localized(member.program.name, member.program.key), reverse("admin:program_member_change", args=[member.pk])
        )
        for member in Member.objects.select_related("program").filter(pk__in=ids)
    }
