"""The API of flows."""

from typing import Any, Literal

from django.http import Http404, HttpRequest
from loyalty.access.auth import ApiAuth
from ninja import Router
from pydantic import BaseModel, ConfigDict, Field

from campaigns.flows import operations, queries
from campaigns.flows.documents import FIELDS
from campaigns.flows.models import Flow
from loyalty.customers.queries import resolve
from loyalty.kit.applying import put_document
from loyalty.kit.clock import now
from loyalty.kit.problems import Problem, Problems

router = Router(tags=["flows"])
ENROLL_MAX = 5_000


class Skip(BaseModel):
    """Resume, but skip what was due longer ago."""

    model_config = ConfigDict(extra="forbid")
    skip_older_than: str


class Resume(BaseModel):
    """What becomes of those who waited during the pause."""

    model_config = ConfigDict(extra="forbid")
    policy: Literal["send_now", "shift"] | Skip


class Enroll(BaseModel):
    """External ids of those who come in; `event` is offered to templates as what triggered."""

    model_config = ConfigDict(extra="forbid")
    customers: list[str] = Field(min_length=1, max_length=ENROLL_MAX)
    event: dict[str, Any] = Field(default_factory=dict)


def _flow(key: str) -> Flow:
    flow = Flow.objects.select_related("current_version").filter(key=key).first()
    if flow is None:
        raise Http404(f"There is no flow {key!r}.")
    return flow


def _shape(flow: Flow) -> dict[str, Any]:
    definition = {name: flow.definition[name] for name in FIELDS if name in flow.definition}
    version = flow.current_version.number if flow.current_version else None
    return {"kind": "flow", **definition, "state": flow.state, "version": version}


@router.get("flows/{key}", auth=ApiAuth("flows:read"), summary="The kept definition, state and running version")
def get_flow(request: HttpRequest, key: str) -> dict[str, Any]:
    return _shape(_flow(key))


@router.put("flows/{key}", auth=ApiAuth("flows:write"), summary="Keep a definition (publish is an act of its own)")
def put_flow(request: HttpRequest, key: str, body: dict[str, Any]) -> dict[str, Any]:
    change = put_document("flow", key, body, now=now())
    return {**_shape(_flow(key)), "verdict": change.verdict}


@router.post("flows/{key}/publish", auth=ApiAuth("flows:write"), summary="Run the kept definition as a new version")
def publish(request: HttpRequest, key: str) -> dict[str, Any]:
    _flow(key)
    published = operations.publish(key=key, now=now())
    return {"flow": key, "version": published.version.number, "state": "running"}


@router.post("flows/{key}/pause", auth=ApiAuth("flows:write"), summary="Hold everything, also what is queued")
def pause(request: HttpRequest, key: str) -> dict[str, Any]:
    _flow(key)
    return {"flow": key, "state": operations.pause(key=key, now=now()).state}


@router.post("flows/{key}/resume", auth=ApiAuth("flows:write"), summary="Go on, with a policy for those who waited")
def resume(request: HttpRequest, key: str, body: Resume) -> dict[str, Any]:
    _flow(key)
    policy = body.policy if isinstance(body.policy, str) else body.policy.model_dump()
    return {"flow": key, "state": operations.resume(key=key, policy=policy, now=now()).state}


@router.post("flows/{key}/stop", auth=ApiAuth("flows:write"), summary="End the flow for everybody inside")
def stop(request: HttpRequest, key: str) -> dict[str, Any]:
    _flow(key)
    return {"flow": key, "state": operations.stop(key=key, now=now()).state}


@router.post("flows/{key}/enroll", auth=ApiAuth("flows:write"), summary="Let customers in by API")
def enroll(request: HttpRequest, key: str, body: Enroll) -> dict[str, Any]:
    _flow(key)
    ids = resolve(list(body.customers))
    missing = [i for i, found in enumerate(ids) if found is None]
    if missing:
        raise Problems(Problem(f"customers[{i}]", f"unknown customer {body.customers[i]!r}") for i in missing)
    known = [found for found in ids if found is not None]
    entered = operations.enroll(key=key, customer_ids=known, event=body.event, now=now())
    return {"flow": key, "entered": entered, "not_entered": len(set(known)) - entered}


@router.get("flows/{key}/stats", auth=ApiAuth("flows:read"), summary="Entered, at each step, exits, messages, goal")
def get_stats(request: HttpRequest, key: str) -> dict[str, Any]:
    return queries.stats(_flow(key))
