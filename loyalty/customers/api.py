"""HTTP: one person's history and keys. Reading and changing one is in `loyalty.consent.api`, beside their consents."""

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest
from ninja import Field, Query, Router, Schema, Status
from pydantic import AwareDatetime

from loyalty.access.auth import ApiAuth
from loyalty.customers import queries
from loyalty.customers.correcting import correct_customer, identity_key
from loyalty.customers.history import Origin, history, profile_at
from loyalty.kit import clock

router = Router(tags=["customers"])


def _customer_id(external_id: str) -> int:
    customer_id = queries.resolve([{"external_id": external_id}])[0]
    if customer_id is None:
        raise Http404("There is no customer with this external id.")
    return customer_id


class OriginOut(Schema):
    value: Any
    since: datetime
    source: str | None
    source_class: str | None = Field(description="zero, first, second or third party; null where nobody decided.")
    actor: str | None = Field(description="Who changed it by hand.")
    reason: str | None


class ChangeOut(Schema):
    field: str
    before: Any
    after: Any


class RevisionOut(Schema):
    id: int
    at: datetime
    source: str | None
    source_class: str | None
    actor: str | None
    reason: str | None
    changes: list[ChangeOut]


class HistoryOut(Schema):
    external_id: str
    fields: dict[str, OriginOut] = Field(description="Each value that stands now, since when, and who brought it.")
    revisions: list[RevisionOut] = Field(description="Newest first.")
    next: int | None = Field(description="Pass it on as `before` for older revisions; null at the end.")


class HistoryQuery(Schema):
    field: list[str] = Field([], description="Only these fields; may be repeated.", max_length=100)
    before: int | None = Field(None, description="Only revisions older than this one.", ge=1, lt=2**63)
    limit: int = Field(100, ge=1, le=500)


class ProfileAtQuery(Schema):
    at: AwareDatetime | None = Field(None, description="The instant, with its time zone; now if not given.")


class IdentityIn(Schema):
    model_config = {"extra": "forbid"}

    kind: str
    value: str
    reason: str | None = Field(None, max_length=500)


@router.get(
    "customers/{external_id}/history",
    response=HistoryOut,
    auth=ApiAuth("customers:read"),
    summary="Where a person's values come from",
)
def customer_history(request: HttpRequest, *, external_id: str, query: Query[HistoryQuery]) -> dict[str, Any]:
    """Source, age and former values of each field. A person's identities are the fields `identities.<kind>`."""
    known = history(_customer_id(external_id))
    wanted = set(query.field)
    revisions = [
        one
        for one in known.revisions
        if (query.before is None or one.id < query.before) and (not wanted or wanted & one.changes.keys())
    ]
    page = revisions[: query.limit]
    return {
        "external_id": external_id,
        "fields": {
            name: {"value": known.values[name], **_origin(origin)}
            for name, origin in known.origins.items()
            if not wanted or name in wanted
        },
        "revisions": [
            {
                **{name: getattr(one, name) for name in ("id", "at", "source", "source_class", "actor", "reason")},
                "changes": [
                    {"field": field, "before": before, "after": after}
                    for field, (before, after) in one.changes.items()
                    if not wanted or field in wanted
                ],
            }
            for one in page
        ],
        "next": page[-1].id if len(revisions) > len(page) else None,
    }


def _origin(origin: Origin) -> dict[str, Any]:
    return {name: getattr(origin, name) for name in ("since", "source", "source_class", "actor", "reason")}


@router.get(
    "customers/{external_id}/profile",
    auth=ApiAuth("customers:read"),
    summary="A person's fields as they stood at an instant",
)
def customer_profile_at(request: HttpRequest, *, external_id: str, query: Query[ProfileAtQuery]) -> dict[str, Any]:
    """Empty before the person came."""
    at = query.at or clock.now()
    return {"at": at, "fields": profile_at(_customer_id(external_id), at=at)}


@router.post(
    "customers/{external_id}/identities",
    response={204: None},
    auth=ApiAuth("customers:write"),
    summary="Give a person a further key",
)
def add_identity(request: HttpRequest, *, external_id: str, identity: IdentityIn) -> Status[None]:
    """Refused when another person has it: then merge the two, or take it away there."""
    correct_customer(
        customer_id=_customer_id(external_id),
        row={},
        now=clock.now(),
        source="api",
        reason=identity.reason,
        add=[identity_key(identity.kind, identity.value)],
    )
    return Status(204, None)


@router.delete(
    "customers/{external_id}/identities/{kind}/{path:value}",
    response={204: None},
    auth=ApiAuth("customers:write"),
    summary="Take a key from a person",
)
def remove_identity(request: HttpRequest, *, external_id: str, kind: str, value: str) -> Status[None]:
    key = (kind, value)
    customer_id = _customer_id(external_id)
    if key not in queries.identities_of(customer_id):
        raise Http404("This customer has no such identity.")
    correct_customer(customer_id=customer_id, row={}, now=clock.now(), source="api", remove=[key])
    return Status(204, None)
