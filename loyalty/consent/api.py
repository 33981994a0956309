"""HTTP: customers with what they consented to: in batches, and one by external id."""

from typing import Any

from django.http import Http404, HttpRequest
from ninja import Router, Schema, Status

from loyalty.access.auth import ApiAuth
from loyalty.consent import queries as consents
from loyalty.consent.intake import upsert_with_consents
from loyalty.customers import erasing, queries
from loyalty.kit import clock
from loyalty.kit.errors import ApiError
from loyalty.kit.problems import Problem, Problems

router = Router(tags=["customers"])

BATCH_MAX = 5_000


class CustomerBatch(Schema):
    """Up to 5,000 customers, each `{"external_id", "email", "phone", "locale", "timezone", "attributes", "identities",
    "consents": [{"channel", "purpose", "status", "source", "at"}]}`; fields that are absent stay, null clears."""

    model_config = {"extra": "forbid"}

    customers: list[Any]


class CustomerChanges(Schema):
    """What to change: given fields change, null clears, absent stays; consents are added to those declared before."""

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
    consents: Any = None


@router.post("customers/batch", auth=ApiAuth("customers:write"), summary="Make or change customers")
def post_customers(request: HttpRequest, *, batch: CustomerBatch) -> dict[str, Any]:
    if len(batch.customers) > BATCH_MAX:
        remedy = f"send at most {BATCH_MAX:,} a call"
        found = Problem("customers", f"has {len(batch.customers):,} entries", remedy)
        raise ApiError(413, "The batch is too large.", [found])
    done = upsert_with_consents(batch.customers, now=clock.now(), source="api")
    rejected = [
        {"index": index, "problems": [problem.within(f"customers[{index}]").as_dict() for problem in problems]}
        for index, problems in done.rejected
    ]
    return {"accepted": done.accepted, "rejected": rejected}


@router.get("customers/{external_id}", auth=ApiAuth("customers:read"), summary="A customer's profile")
def get_customer(request: HttpRequest, *, external_id: str) -> dict[str, Any]:
    """The profile with the consents that hold now; all that was ever declared is in the export."""
    return _shown(_customer_id(external_id))


@router.patch("customers/{external_id}", auth=ApiAuth("customers:write"), summary="Change some fields of a customer")
def patch_customer(request: HttpRequest, *, external_id: str, changes: CustomerChanges) -> dict[str, Any]:
    customer_id = _customer_id(external_id)
    row = changes.model_dump(exclude_unset=True)
    problems = []
    if row.get("external_id", external_id) != external_id:
        problems.append(Problem("external_id", "is not the one in the address", "leave it out; it cannot be changed"))
    row["external_id"] = external_id
    done = upsert_with_consents([row], now=clock.now(), source="api", mistakes={0: problems} if problems else {})
    if done.rejected:
        raise Problems(done.rejected[0][1])
    return _shown(customer_id)


@router.delete(
    "customers/{external_id}", auth=ApiAuth("customers:write"), response={204: None}, summary="Erase a person"
)
def delete_customer(request: HttpRequest, *, external_id: str) -> Status[None]:
    erasing.erase_customers(customer_ids=[_customer_id(external_id)])
    return Status(204, None)


def _shown(customer_id: int) -> dict[str, Any]:
    return {**queries.profile(customer_id), "consents": consents.current(customer_id)}


def _customer_id(external_id: str) -> int:
    customer_id = queries.resolve([{"external_id": external_id}])[0]
    if customer_id is None:
        raise Http404("There is no customer with this external id.")
    return customer_id
