"""HTTP: customers in batches, with what they consented to."""

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema

from loyalty.access.auth import ApiAuth
from loyalty.consent.intake import upsert_with_consents
from loyalty.kit import clock
from loyalty.kit.problems import Problem, Problems

router = Router(tags=["customers"])

BATCH_MAX = 5_000


class CustomerBatch(Schema):
    """Up to 5,000 customers, each `{"external_id", "email", "phone", "locale", "timezone", "attributes", "identities",
    "consents": [{"channel", "purpose", "status", "source", "at"}]}`; fields that are absent stay, null clears."""

    customers: list[Any]


@router.post("customers/batch", auth=ApiAuth("customers:write"), summary="Make or change customers")
def post_customers(request: HttpRequest, *, batch: CustomerBatch) -> dict[str, Any]:
    if len(batch.customers) > BATCH_MAX:
        remedy = f"send at most {BATCH_MAX:,} a call"
        raise Problems([Problem("customers", f"has {len(batch.customers):,} entries", remedy)])
    done = upsert_with_consents(batch.customers, now=clock.now(), source="api")
    rejected = [
        {"index": index, "problems": [problem.as_dict() for problem in problems]} for index, problems in done.rejected
    ]
    return {"accepted": done.accepted, "rejected": rejected}
