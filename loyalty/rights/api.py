"""HTTP: people's rights (access, erasure, restriction, requests with their clock) and joining people who are one."""

from datetime import datetime
from typing import Any, Literal

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import translation
from ninja import Field, Query, Router, Schema, Status
from pydantic import AwareDatetime

from loyalty.access.auth import ApiAuth
from loyalty.customers import joining
from loyalty.customers import queries as customers
from loyalty.customers.models import Customer, CustomerMerge
from loyalty.kit import clock
from loyalty.kit.problems import Problem, Problems
from loyalty.rights import operations, queries
from loyalty.rights.archive import archive
from loyalty.rights.models import RightsRequest

router = Router(tags=["rights"])

READ, WRITE = ApiAuth("customers:read"), ApiAuth("customers:write")
LANGUAGES = ("en", "de")
LISTED_MAX = 200


class ExportQuery(Schema):
    format: Literal["json", "zip"] = Field("json", description="`zip` has a PDF, the JSON and a CSV per table.")
    language: Literal["en", "de"] | None = Field(None, description="Of the texts; the person's own if not given.")


class Reason(Schema):
    model_config = {"extra": "forbid"}

    reason: str = Field(min_length=1, max_length=2_000)


class MergeIn(Schema):
    """`with` is an external id or one identity such as {"card": "123"}."""

    model_config = {"extra": "forbid", "populate_by_name": True}

    other: Any = Field(alias="with")


class CustomerClaimIn(Schema):
    """Exactly one of these."""

    model_config = {"extra": "forbid"}

    anonymous_id: str | None = None
    card: str | None = None
    device: str | None = None
    receipt: str | None = None


class JoinedOut(Schema):
    customer: str | None = Field(description="External id of the customer who stays.")
    joined: bool = Field(description="Whether somebody was joined; a key that was nobody's is only added.")
    merge: int | None = Field(description="Number of the merge, for undoing it.")


class MergeOut(Schema):
    id: int
    merged_at: datetime
    reason: str
    actor: str | None
    loser: dict[str, Any] = Field(description="The profile that was joined, as it was.")
    moved: dict[str, int] = Field(description="Rows that changed hands, by table.")
    undone_at: datetime | None


class RequestIn(Schema):
    model_config = {"extra": "forbid"}

    customer: str = Field(description="External id.")
    kind: Literal["access", "portability", "rectify", "erase", "restrict", "release", "object"]
    received_at: AwareDatetime | None = Field(None, description="When it came in; now if not given.")
    contact: str | None = Field(None, max_length=2_000, description="How the person wants the answer.")
    notes: str | None = Field(None, max_length=2_000)


class IdentityCheckIn(Schema):
    model_config = {"extra": "forbid"}

    how: str = Field(min_length=1, max_length=2_000)


class RequestOut(Schema):
    id: int
    kind: str
    state: str
    customer: str | None = Field(description="External id; null when the person has none or was erased.")
    received_at: datetime
    due_at: datetime
    days_left: int = Field(description="Negative when it is overdue.")
    identity_checked_at: datetime | None
    closed_at: datetime | None
    outcome: str | None


class RequestsQuery(Schema):
    state: Literal["open", "done", "refused"] | None = None
    after: int = Field(0, ge=0, lt=2**63, description="Only requests with a greater id.")
    limit: int = Field(50, ge=1, le=LISTED_MAX)


@router.get("customers/{external_id}/export", auth=READ, summary="All data about a person")
def export_customer(request: HttpRequest, *, external_id: str, query: Query[ExportQuery]) -> Any:
    """Everything every table holds about the person, with purpose, origin, benefit and retention in words."""
    customer_id = _customer_id(external_id)
    with translation.override(query.language or queries.language_of(customer_id)):
        data = queries.access(customer_id, now=clock.now())
        if query.format == "json":
            return data
        answer = HttpResponse(archive(data), content_type="application/zip")
    answer["Content-Disposition"] = 'attachment; filename="data.zip"'
    answer["Cache-Control"] = "no-store"
    return answer


@router.get("customers/{external_id}/erasure", auth=READ, summary="What erasing a person would remove")
def preview_erasure(request: HttpRequest, *, external_id: str) -> dict[str, Any]:
    found = queries.erasure_preview(_customer_id(external_id))
    return {
        "rows": sum(one.rows for one in found),
        "tables": [{"table": one.table, "what": one.what, "rows": one.rows, "stays": one.stays} for one in found],
    }


@router.get("customers/{external_id}/restriction", auth=READ, summary="Whether a person's data are restricted")
def get_restriction(request: HttpRequest, *, external_id: str) -> dict[str, Any]:
    customer = Customer.objects.get(pk=_customer_id(external_id))
    return {
        "restricted": customer.restricted_at is not None,
        "since": customer.restricted_at,
        "by": customer.restricted_by,
        "reason": customer.restricted_reason,
    }


@router.put("customers/{external_id}/restriction", auth=WRITE, summary="Restrict the processing of a person's data")
def put_restriction(request: HttpRequest, *, external_id: str, body: Reason) -> dict[str, Any]:
    """From now on the person gets no message at all and is left out of lists. Kept as a closed request."""
    customer_id = _customer_id(external_id)
    operations.restrict(customer_id=customer_id, reason=body.reason, now=clock.now(), actor=_actor(request))
    return get_restriction(request, external_id=external_id)


@router.delete("customers/{external_id}/restriction", auth=WRITE, summary="End the restriction")
def delete_restriction(request: HttpRequest, *, external_id: str) -> dict[str, Any]:
    operations.release(customer_id=_customer_id(external_id), now=clock.now(), actor=_actor(request))
    return get_restriction(request, external_id=external_id)


@router.post(
    "customers/{external_id}/merge", auth=WRITE, response=JoinedOut, summary="Join two customers who are one person"
)
def merge(request: HttpRequest, *, external_id: str, body: MergeIn) -> dict[str, Any]:
    """The customer of the address stays; rules for each field are in the documentation. It can be undone."""
    reference = body.other
    shaped = isinstance(reference, str) or (
        isinstance(reference, dict) and len(reference) == 1 and isinstance(next(iter(reference.values())), str)
    )
    other = customers.resolve([reference])[0] if shaped else None
    if other is None:
        raise Problems([Problem("with", "nobody is known by this", 'give an external id or {"card": ...}')])
    done = joining.join(customer_id=_customer_id(external_id), other_id=other, now=clock.now(), actor=_actor(request))
    return _joined(done)


@router.post("customers/{external_id}/claim", auth=WRITE, response=JoinedOut, summary="Give a person their past")
def claim(request: HttpRequest, *, external_id: str, body: CustomerClaimIn) -> dict[str, Any]:
    """What happened under a visitor's id, a card or a receipt that nobody had claimed becomes this person's."""
    given = [(kind, value) for kind, value in body.model_dump().items() if value is not None]
    if len(given) != 1:
        raise Problems([Problem("", "names not exactly one key", f"give one of {', '.join(joining.CLAIMABLE)}")])
    kind, value = given[0]
    done = joining.claim(
        customer_id=_customer_id(external_id), kind=kind, value=value, now=clock.now(), actor=_actor(request)
    )
    return _joined(done)


@router.get(
    "customers/{external_id}/merges", auth=READ, response=list[MergeOut], summary="Who was joined to this customer"
)
def merges(request: HttpRequest, *, external_id: str) -> list[dict[str, Any]]:
    found = CustomerMerge.objects.filter(winner_id=_customer_id(external_id)).order_by("-id")[:LISTED_MAX]
    return [
        {
            **{name: getattr(one, name) for name in ("id", "merged_at", "reason", "actor", "undone_at")},
            "loser": {name: value for name, value in one.loser.items() if not name.endswith("_digest")},
            "moved": {table: len(rows) for table, rows in one.moved.items()},
        }
        for one in found
    ]


@router.post("merges/{int:merge_id}/undo", auth=WRITE, response=JoinedOut, summary="Make two customers of one again")
def undo(request: HttpRequest, *, merge_id: int) -> dict[str, Any]:
    """Gives back exactly the rows that moved, and restores both profiles where they were not changed since."""
    if merge_id >= 2**63 or not CustomerMerge.objects.filter(pk=merge_id).exists():
        raise Http404("There is no such merge.")
    return _joined(joining.undo_merge(merge_id=merge_id, now=clock.now(), actor=_actor(request)))


@router.post("rights-requests", auth=WRITE, response={200: RequestOut, 201: RequestOut}, summary="File a request")
def post_request(request: HttpRequest, *, body: RequestIn) -> Any:
    """201 for a new one, 200 when one of this kind is open already."""
    filed = operations.file_request(
        kind=body.kind,
        customer_id=_customer_id(body.customer),
        now=clock.now(),
        actor=_actor(request),
        received_at=body.received_at,
        contact=body.contact,
        notes=body.notes,
    )
    return Status(201 if filed.new else 200, _shown([filed.request])[0])


@router.get("rights-requests", auth=READ, response=list[RequestOut], summary="Requests, oldest first")
def list_requests(request: HttpRequest, *, query: Query[RequestsQuery]) -> list[dict[str, Any]]:
    found = RightsRequest.objects.filter(pk__gt=query.after)
    if query.state:
        found = found.filter(state=query.state)
    return _shown(list(found.order_by("pk")[: query.limit]))


@router.get("rights-requests/{int:request_id}", auth=READ, response=RequestOut, summary="One request")
def get_request(request: HttpRequest, *, request_id: int) -> dict[str, Any]:
    return _shown([_request(request_id)])[0]


@router.post(
    "rights-requests/{int:request_id}/identity", auth=WRITE, response=RequestOut, summary="The identity was checked"
)
def post_identity(request: HttpRequest, *, request_id: int, body: IdentityCheckIn) -> dict[str, Any]:
    _request(request_id)
    done = operations.check_identity(request_id=request_id, how=body.how, now=clock.now(), actor=_actor(request))
    return _shown([done])[0]


@router.post("rights-requests/{int:request_id}/fulfil", auth=WRITE, response=RequestOut, summary="Carry it out")
def post_fulfil(request: HttpRequest, *, request_id: int) -> dict[str, Any]:
    """Erases, restricts, releases or objects; closes a request for access or correction that was done by hand."""
    _request(request_id)
    return _shown([operations.fulfil(request_id=request_id, now=clock.now(), actor=_actor(request))])[0]


@router.post("rights-requests/{int:request_id}/refuse", auth=WRITE, response=RequestOut, summary="Refuse a request")
def post_refuse(request: HttpRequest, *, request_id: int, body: Reason) -> dict[str, Any]:
    _request(request_id)
    done = operations.refuse(request_id=request_id, reason=body.reason, now=clock.now(), actor=_actor(request))
    return _shown([done])[0]


def _request(request_id: int) -> RightsRequest:
    found = RightsRequest.objects.filter(pk=request_id).first() if request_id < 2**63 else None
    if found is None:
        raise Http404("There is no such request.")
    return found


def _shown(requests: list[RightsRequest]) -> list[dict[str, Any]]:
    ids = [one.customer_id for one in requests if one.customer_id is not None]
    names = dict(Customer.objects.filter(pk__in=ids).values_list("pk", "external_id"))
    at = clock.now()
    return [
        {
            **{name: getattr(one, name) for name in ("id", "kind", "state", "received_at", "due_at", "closed_at")},
            **{name: getattr(one, name) for name in ("identity_checked_at", "outcome")},
            "customer": names.get(one.customer_id or 0),
            "days_left": queries.days_left(one, now=at),
        }
        for one in requests
    ]


def _joined(done: joining.Joined) -> dict[str, Any]:
    external_id = Customer.objects.filter(pk=done.winner_id).values_list("external_id", flat=True).first()
    return {"customer": external_id, "joined": done.merge_id is not None, "merge": done.merge_id}


def _actor(request: HttpRequest) -> str:
    return f"api: {request.auth.name}"  # type: ignore[attr-defined]


def _customer_id(external_id: str) -> int:
    customer_id = customers.resolve([{"external_id": external_id}])[0]
    if customer_id is None:
        raise Http404("There is no customer with this external id.")
    return customer_id
