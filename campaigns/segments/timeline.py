"""What segments are called in a person's timeline."""

from collections.abc import Collection

from django.urls import reverse

from campaigns.segments.models import Segment
from loyalty.events.wording import Subject, subject
from loyalty.kit.admin import localized


@subject("segment")
def segments(ids: Collection[int]) -> dict[int, Subject]:
    """Names and pages of segments; those that are gone are left out."""
    rows = Segment.objects.filter(pk__in=ids).values_list("pk", "key", "name")
    return {
        pk: Subject(localized(name, key), reverse("admin:segments_segment_change", args=[pk])) for pk, key, name in rows
    }
