"""Static lists over HTTP."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest
from ninja import Field, Query, Router, Schema, Status
from pydantic import ConfigDict

from campaigns.segments import lists
from campaigns.segments.models import CustomerList
from loyalty.access.auth import ApiAuth
from loyalty.customers import queries as customers
from loyalty.kit import clock
from loyalty.kit.applying import put_document
from loyalty.kit.errors import ApiError
from loyalty.kit.problems import Problem

router = Router(tags=["lists"])

LARGEST_PAGE = 1000
BATCH_MAX = 5_000
SHOWN_ONLY = {"member_count", "created_at", "updated_at", "used_by"}

Reference = str | dict[str, str]


class ListIn(Schema):
    model_config = ConfigDict(extra="forbid")

    kind: str = lists.KIND
    key: str | None = None
    name: dict[str, str] | str = Field({}, description="Texts by language, or one text.")
    description: str | None = None
    # GET adds these: what was read may be put back as it is.
    member_count: Any = None
    created_at: Any = None
    updated_at: Any = None
    used_by: Any = None


class ListOut(Schema):
    key: str
    name: dict[str, str]
    description: str | None
    member_count: int
    created_at: datetime
    updated_at: datetime
    used_by: list[str] = Field(description="The segments that ask for the list.")


class ListsOut(Schema):
    lists: list[ListOut]
    next: str | None = Field(description="Pass on as `after`; null at the end.")


class ListsQuery(Schema):
    after: str = Field("", max_length=100)
    limit: int = Field(50, ge=1, le=200)


class ListPersonOut(Schema):
    customer_id: int
    external_id: str | None
    added_at: datetime
    source: str


class PeopleOut(Schema):
    members: list[ListPersonOut]
    next: int | None = Field(description="Pass on as `after`; null at the end.")


class PeopleQuery(Schema):
    after: int = Field(0, ge=0, le=2**63 - 1)
    limit: int = Field(100, ge=1, le=LARGEST_PAGE)


class MembersIn(Schema):
    """People by reference: an external id, or `{"email": ...}`, `{"phone": ...}`, `{"card": ...}`."""

    model_config = ConfigDict(extra="forbid")

    add: list[Reference] = Field([], description="Put on the list.")
    remove: list[Reference] = Field([], description="Taken off the list.")
    source: str = Field("api", min_length=1, max_length=100, description="Kept with everybody who is added.")


class UnknownOut(Schema):
    where: str
    problem: str


class MembersChangedOut(Schema):
    added: int = Field(description="Who was not on the list before.")
    removed: int = Field(description="Who was on the list before.")
    rejected: list[UnknownOut] = Field(description="References that are nobody's.")


@router.get("/lists", response=ListsOut, auth=ApiAuth("segments:read"))
def list_lists(request: HttpRequest, query: Query[ListsQuery]) -> dict[str, Any]:
    """All lists by key, page by page."""
    found = lists.overview(after=query.after, limit=query.limit)
    return {"lists": found, "next": found[-1]["key"] if len(found) == query.limit else None}


@router.put("/lists/{key}", response={200: ListOut, 201: ListOut}, auth=ApiAuth("segments:write"))
def put_list(request: HttpRequest, key: str, body: ListIn) -> Status[dict[str, Any]]:
    """Make the list (201) or change what it is called (200); who is on it stays."""
    document = body.model_dump(exclude_none=True, exclude_unset=True, exclude=SHOWN_ONLY)
    change = put_document(lists.KIND, key, document, now=clock.now())
    return Status(201 if change.verdict == "created" else 200, _shown(key))


@router.get("/lists/{key}", response=ListOut, auth=ApiAuth("segments:read"))
def get_list(request: HttpRequest, key: str) -> dict[str, Any]:
    """What the list is called, how many are on it, and which segments ask for it."""
    return _shown(key)


@router.delete("/lists/{key}", response={204: None}, auth=ApiAuth("segments:write"))
def delete_list(request: HttpRequest, key: str) -> Status[None]:
    """Delete the list; refused while a segment asks for it."""
    _existing(key)
    lists.delete_list(key=key)
    return Status(204, None)


@router.get("/lists/{key}/members", response=PeopleOut, auth=ApiAuth("segments:read"))
def list_people(request: HttpRequest, key: str, query: Query[PeopleQuery]) -> dict[str, Any]:
    """Who is on the list, page by page."""
    page = lists.members(_existing(key).pk, after=query.after, limit=query.limit)
    return {"members": page, "next": page[-1]["customer_id"] if len(page) == query.limit else None}


@router.post("/lists/{key}/members", response=MembersChangedOut, auth=ApiAuth("segments:write"))
def change_people(request: HttpRequest, key: str, body: MembersIn) -> dict[str, Any]:
    """Put people on the list and take others off it; unknown ones are told and passed over. Safe to repeat."""
    if len(body.add) + len(body.remove) > BATCH_MAX:
        problem = Problem("", f"has {len(body.add) + len(body.remove):,} entries", f"send at most {BATCH_MAX:,} a call")
        raise ApiError(413, "The batch is too large.", [problem])
    _existing(key)
    found = customers.resolve([*body.add, *body.remove])
    coming, going = found[: len(body.add)], found[len(body.add) :]
    change = lists.change_members(
        key=key,
        add=[one for one in coming if one is not None],
        remove=[one for one in going if one is not None],
        source=body.source,
        now=clock.now(),
    )
    rejected = [*_unknown("add", coming), *_unknown("remove", going)]
    return {"added": change.added, "removed": change.removed, "rejected": rejected}


def _unknown(place: str, found: Sequence[int | None]) -> list[dict[str, str]]:
    return [
        Problem(f"{place}[{number}]", "nobody has this reference").as_dict()
        for number, one in enumerate(found)
        if one is None
    ]


def _existing(key: str) -> CustomerList:
    found = CustomerList.objects.filter(key=key).first()
    if found is None:
        raise Http404(f"There is no list {key!r}.")
    return found


def _shown(key: str) -> dict[str, Any]:
    return lists.overview(only=_existing(key).key)[0]
