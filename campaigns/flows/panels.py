"""What flows show on the page of a customer."""

from django.http import HttpRequest

from campaigns.flows.models import Enrollment, Flow
from loyalty.kit.admin import localized
from loyalty.kit.panels import Panel, customer_panel

MOST = 20
TAGS = {
    Enrollment.Status.ACTIVE: "warn",
    Enrollment.Status.FINISHED: "good",
    Enrollment.Status.FAILED: "bad",
}


@customer_panel(30, permission="flows.view_enrollment")
def enrollments(request: HttpRequest, customer_id: int) -> Panel:
    """The flows the customer is or was in, latest first."""
    flows = {flow.pk: localized(flow.name, flow.key) for flow in Flow.objects.all()}
    # The index on enrollments begins with the flow, so all of them are named.
    found = Enrollment.objects.filter(flow_id__in=list(flows), customer_id=customer_id).order_by("-entered_at", "-id")
    rows = [(one, flows[one.flow_id], TAGS.get(Enrollment.Status(one.status), "")) for one in found[:MOST]]
    return Panel("admin/flows/enrollments.html", {"rows": rows})
