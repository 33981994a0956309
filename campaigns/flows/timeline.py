"""What flows are called in a person's timeline, by enrollment."""

from collections.abc import Collection

from django.urls import reverse

from campaigns.flows.models import Flow
from loyalty.events.wording import Subject, subject
from loyalty.kit.admin import localized
from loyalty.kit.sql import fetch, sql


@subject("enrollment")
def enrollments(ids: Collection[int]) -> dict[int, Subject]:
    """Name and page of the flow of each enrollment; those that are gone are left out."""
    flow_of = dict(fetch(sql("SELECT id, flow_id FROM enrollment WHERE id = ANY({ids})", ids=sorted(ids))))
    flows = {flow.pk: flow for flow in Flow.objects.filter(pk__in=set(flow_of.values()))}
    return {
        one: Subject(localized(flow.name, flow.key), reverse("admin:flows_flow_change", args=[flow.pk]))
        for one, flow_id in flow_of.items()
        if (flow := flows.get(flow_id))
    }
