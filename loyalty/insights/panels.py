"""What insights show on the page of a customer."""

from django.http import HttpRequest

from loyalty.insights import queries
from loyalty.insights.meanings import meaning
from loyalty.kit.panels import Panel, customer_panel

SCORES = ("rfm_recency", "rfm_frequency", "rfm_monetary")


@customer_panel(12, permission="insights.view_customerinsight")
def rfm(request: HttpRequest, customer_id: int) -> Panel:
    """The person's place among all buyers."""
    known = {one.placed.insight.key: one for one in queries.of_customer(customer_id)}
    segment = known.get("rfm_segment")
    if segment is None:
        return Panel("admin/insights/customer.html", {})
    context = {
        "segment": segment.placed.insight.choices.get(segment.value, segment.value),
        "meaning": meaning(segment.value),
        "changed_at": segment.changed_at,
        "scores": [(known[key].placed.insight.name, int(known[key].value)) for key in SCORES],
        "purchases": known["rfm_purchases"].value,
        "revenue": known["rfm_revenue"].value,
        "steps": range(1, 6),
    }
    return Panel("admin/insights/customer.html", context)
