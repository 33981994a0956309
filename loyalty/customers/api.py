"""HTTP: one customer by external id. `POST customers/batch` is in `loyalty.consent.api`, which sees consents too."""

from typing import Any

from django.http import Http404, HttpRequest
from ninja import Router, Schema, Status

from loyalty.access.auth import ApiAuth
from loyalty.customers import operations, queries
from loyalty.kit import clock
from loyalty.kit.problems import Problem, Problems

router = Router(tags=["customers"])


class CustomerChanges(Schema):
    """What to change: given fields change, null clears, absent stays."""

    model_config = {"extra": "forbid"}

    external_id: Any = None
    email: Any = None
    phone: Any = None
    first_name: Any = None
    last_name: Any = None
    locale: Any = None
    timezone: Any = None
    country: Any = None
    city: Any = None
    postcode: Any = None
    birth_date: Any = None
    attributes: dict[str, Any] | None = None
    identities: dict[str, Any] | None = None


@router.get("customers/{external_id}", auth=ApiAuth("customers:read"), summary="A customer's profile")
def get_customer(request: HttpRequest, *, external_id: str) -> dict[str, Any]:
    return queries.profile(_customer_id(external_id))


@router.patch("customers/{external_id}", auth=ApiAuth("customers:write"), summary="Change some fields of a customer")
def patch_customer(request: HttpRequest, *, external_id: str, changes: CustomerChanges) -> dict[str, Any]:
    customer_id = _customer_id(external_id)
    row = changes.model_dump(exclude_unset=True)
    problems = []
    if row.get("external_id", external_id) != external_id:
        problems.append(Problem("external_id", "is not the one in the address", "leave it out; it cannot be changed"))
    row["external_id"] = external_id
    done = operations.upsert_customers([row], now=clock.now(), source="api", refused={0: problems} if problems else {})
    if done.rejected:
        raise Problems(done.rejected[0][1])
    return queries.profile(customer_id)


@router.delete(
    "customers/{external_id}", auth=ApiAuth("customers:write"), response={204: None}, summary="Erase a person"
)
def delete_customer(request: HttpRequest, *, external_id: str) -> Status[None]:
    operations.erase_customers(customer_ids=[_customer_id(external_id)])
    return Status(204, None)


@router.get("customers/{external_id}/export", auth=ApiAuth("customers:read"), summary="All data about a person")
def export_customer(request: HttpRequest, *, external_id: str) -> dict[str, Any]:
    return queries.personal_data(_customer_id(external_id), external_id=external_id, now=clock.now())


def _customer_id(external_id: str) -> int:
    customer_id = queries.resolve([{"external_id": external_id}])[0]
    if customer_id is None:
        raise Http404("There is no customer with this external id.")
    return customer_id
