"""HTTP: all data about one person. Reading and changing one is in `loyalty.consent.api`, which sees consents too."""

from typing import Any

from django.http import Http404, HttpRequest
from ninja import Router

from loyalty.access.auth import ApiAuth
from loyalty.customers import queries
from loyalty.kit import clock

router = Router(tags=["customers"])


@router.get("customers/{external_id}/export", auth=ApiAuth("customers:read"), summary="All data about a person")
def export_customer(request: HttpRequest, *, external_id: str) -> dict[str, Any]:
    return queries.personal_data(_customer_id(external_id), external_id=external_id, now=clock.now())


def _customer_id(external_id: str) -> int:
    customer_id = queries.resolve([{"external_id": external_id}])[0]
    if customer_id is None:
        raise Http404("There is no customer with this external id.")
    return customer_id
