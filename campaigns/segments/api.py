"""Segments over HTTP."""

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest
from ninja import Field, Query, Router, Schema, Status
from pydantic import ConfigDict

from campaigns.segments import lists_api, queries, tree
from campaigns.segments.models import Segment
from loyalty.access.auth import ApiAuth
from loyalty.customers import queries as customers
from loyalty.kit import clock
from loyalty.kit.applying import put_document

router = Router(tags=["segments"])
router.add_router("", lists_api.router)

LARGEST_PAGE = 1000
SHOWN_ONLY = {"member_count", "built_at", "build_ms", "problem"}


class SegmentIn(Schema):
    model_config = ConfigDict(extra="forbid")

    kind: str = "segment"
    key: str | None = None
    name: dict[str, str] | str = Field({}, description="Texts by language, or one text.")
    description: str | None = None
    # GET adds these: what was read may be put back as it is.
    member_count: Any = None
    built_at: Any = None
    build_ms: Any = None
    problem: Any = None
    rule: dict[str, Any] = Field(description="As in a segment document: {all: [{attribute: country, in: [DE]}]}.")


class SegmentOut(Schema):
    key: str
    name: dict[str, str]
    description: str | None
    rule: dict[str, Any]
    member_count: int | None = Field(description="Null until the first build.")
    built_at: datetime | None
    build_ms: int | None
    problem: str | None = Field(description="Why the last build failed.")


class PreviewIn(Schema):
    model_config = ConfigDict(extra="forbid")

    kind: str = Field("segment", description="A whole segment document may be sent; only its rule counts.")
    key: str | None = None
    name: dict[str, str] | str = ""
    description: str | None = None
    rule: dict[str, Any]
    sample: int = Field(queries.SAMPLE, ge=0, le=100)


class NodeCountOut(Schema):
    where: str = Field(description="The place in the rule, such as rule.all[1].")
    sentence: str
    count: int


class PersonOut(Schema):
    id: int
    external_id: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    country: str | None


class PreviewOut(Schema):
    count: int
    total: int
    sample: list[PersonOut]
    nodes: list[NodeCountOut]


class MemberOut(Schema):
    customer_id: int
    external_id: str | None
    since: datetime


class MembersOut(Schema):
    members: list[MemberOut]
    count: int | None
    next: int | None = Field(description="Pass on as `after`; null at the end.")


class MembersQuery(Schema):
    after: int = Field(0, ge=0, le=2**63 - 1)
    limit: int = Field(100, ge=1, le=LARGEST_PAGE)


class NodeVerdictOut(Schema):
    where: str
    sentence: str
    matches: bool
    value: str | None


class ExplanationOut(Schema):
    segment: str
    customer: str
    matches: bool = Field(description="By the data of now.")
    member_since: datetime | None = Field(description="What is stored; null when not a member.")
    nodes: list[NodeVerdictOut]


# Before {key}, which would match its address too.
@router.post("/segments/preview", response=PreviewOut, auth=ApiAuth("segments:read"))
def preview_segment(request: HttpRequest, body: PreviewIn) -> queries.Preview:
    """Who a rule would hold for, without storing it: count, sample, and the count at every node."""
    return queries.preview(queries.checked(body.rule), now=clock.now(), sample=body.sample)


@router.put("/segments/{key}", response={200: SegmentOut, 201: SegmentOut}, auth=ApiAuth("segments:write"))
def put_segment(request: HttpRequest, key: str, body: SegmentIn) -> Status[dict[str, Any]]:
    """Create the segment (201) or change it (200)."""
    # Bounds first: what follows walks the rule recursively.
    queries.parsed(body.rule)
    document = body.model_dump(exclude_none=True, exclude_unset=True, exclude=SHOWN_ONLY)
    change = put_document("segment", key, document, now=clock.now())
    return Status(201 if change.verdict == "created" else 200, _shown(_segment(key)))


@router.get("/segments/{key}", response=SegmentOut, auth=ApiAuth("segments:read"))
def get_segment(request: HttpRequest, key: str) -> dict[str, Any]:
    """The definition and the state of its members."""
    return _shown(_segment(key))


@router.get("/segments/{key}/members", response=MembersOut, auth=ApiAuth("segments:read"))
def list_members(request: HttpRequest, key: str, query: Query[MembersQuery]) -> dict[str, Any]:
    """The stored members, page by page."""
    segment = _segment(key)
    page = queries.members(segment.id, after=query.after, limit=query.limit)
    following = page[-1].customer_id if len(page) == query.limit else None
    return {"members": page, "count": segment.member_count, "next": following}


@router.get("/segments/{key}/explain/{external_id}", response=ExplanationOut, auth=ApiAuth("segments:read"))
def explain_member(request: HttpRequest, key: str, external_id: str) -> dict[str, Any]:
    """Why this customer is in the segment or not: verdict and value at every node."""
    segment = _segment(key)
    customer_id = customers.resolve([external_id])[0]
    if customer_id is None:
        raise Http404(f"No customer has the external id {external_id!r}.")
    found = queries.explain(tree.parse(segment.rule), customer_id, now=clock.now(), segment_id=segment.id)
    return {
        "segment": key,
        "customer": external_id,
        "matches": found.matches,
        "member_since": found.member_since,
        "nodes": found.nodes,
    }


def _segment(key: str) -> Segment:
    segment = Segment.objects.filter(key=key).first()
    if segment is None:
        raise Http404(f"There is no segment {key!r}.")
    return segment


def _shown(segment: Segment) -> dict[str, Any]:
    document = queries.document_of(segment)
    return {
        "key": segment.key,
        "name": segment.name,
        "description": segment.description,
        "rule": document["rule"],
        "member_count": segment.member_count,
        "built_at": segment.built_at,
        "build_ms": segment.build_ms,
        "problem": segment.problem,
    }
