"""The API of flows."""

from typing import Any, Literal

from django.http import Http404, HttpRequest
from ninja import Body, Router
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from campaigns.flows import operations, queries
from campaigns.flows.documents import FIELDS
from campaigns.flows.models import Flow
from loyalty.access.auth import ApiAuth
from loyalty.customers.queries import resolve
from loyalty.kit.applying import put_document
from loyalty.kit.clock import now
from loyalty.kit.problems import Problem, Problems

router = Router(tags=["flows"])
ENROLL_MAX = 5_000
# GET adds these to the definition; what was read may be put back as it is.
SHOWN_ONLY = ("state", "version", "verdict")


class Publish(BaseModel):
    """Nothing to say yet: people inside stay on their version."""

    model_config = ConfigDict(extra="forbid")
    migrate: Any = None

    @field_validator("migrate")
    @classmethod
    def _not_yet(cls, value: Any) -> Any:
        if value:
            raise ValueError(
                "moving people to the new version is not available yet; they stay on theirs (leave it out)"
            )
        return value


class Resume(BaseModel):
    """What becomes of those who waited during the pause: `send_now`, `shift`, or `skip_older_than` with a duration.

    The last may be written `{"policy": {"skip_older_than": "2d"}}`, `{"policy": "skip_older_than: 2d"}` or
    `{"skip_older_than": "2d"}`.
    """

    model_config = ConfigDict(extra="forbid")
    policy: Literal["send_now", "shift"] | dict[str, str]

    @model_validator(mode="before")
    @classmethod
    def _spelled(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        policy = value.get("policy")
        if "skip_older_than" in value and policy in (None, "skip_older_than"):
            rest = {name: item for name, item in value.items() if name != "skip_older_than"}
            return {**rest, "policy": {"skip_older_than": value["skip_older_than"]}}
        if isinstance(policy, str) and (name := policy.partition(":"))[0].strip() == "skip_older_than" and name[2]:
            return {**value, "policy": {"skip_older_than": name[2].strip()}}
        return value

    @field_validator("policy", mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        skips = (
            isinstance(value, dict) and set(value) == {"skip_older_than"} and isinstance(value["skip_older_than"], str)
        )
        if value not in ("send_now", "shift") and not skips:
            raise ValueError(
                f'{str(value)[:60]!r} is no policy: write "send_now", "shift" or {{"skip_older_than": "2d"}}'
            )
        return value


class Enroll(BaseModel):
    """Who comes in: external ids or references such as `{"email": ...}`; `event` is offered to templates as what
    triggered. One may stand alone as `customer`.
    """

    model_config = ConfigDict(extra="forbid")
    customers: list[str | int | dict[str, str]] = Field(min_length=1, max_length=ENROLL_MAX)
    event: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _one_alone(cls, value: Any) -> Any:
        if isinstance(value, dict) and "customer" in value and "customers" not in value:
            rest = {name: item for name, item in value.items() if name != "customer"}
            return {**rest, "customers": [value["customer"]]}
        return value

    @field_validator("customers", mode="before")
    @classmethod
    def _references(cls, value: Any) -> Any:
        for place, item in enumerate(value if isinstance(value, list) else ()):
            named = isinstance(item, dict) and len(item) == 1 and all(isinstance(part, str) for part in item.values())
            if isinstance(item, bool) or not (named or isinstance(item, str | int)):
                raise ValueError(
                    f'entry {place} is no reference: give an external id or one such as {{"email": "..."}}'
                )
        return value


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
def put_flow(request: HttpRequest, key: str, body: Body[dict[str, Any]]) -> dict[str, Any]:
    definition = {name: value for name, value in body.items() if name not in SHOWN_ONLY}
    change = put_document("flow", key, definition, now=now())
    return {**_shape(_flow(key)), "verdict": change.verdict}


@router.post("flows/{key}/publish", auth=ApiAuth("flows:write"), summary="Run the kept definition as a new version")
def publish(request: HttpRequest, key: str, body: Publish | None = None) -> dict[str, Any]:
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
    return {"flow": key, "state": operations.resume(key=key, policy=body.policy, now=now()).state}


@router.post("flows/{key}/stop", auth=ApiAuth("flows:write"), summary="End the flow for everybody inside")
def stop(request: HttpRequest, key: str) -> dict[str, Any]:
    _flow(key)
    return {"flow": key, "state": operations.stop(key=key, now=now()).state}


@router.post("flows/{key}/enroll", auth=ApiAuth("flows:write"), summary="Let customers in by API")
def enroll(request: HttpRequest, key: str, body: Enroll) -> dict[str, Any]:
    _flow(key)
    ids = resolve([str(one) if isinstance(one, int) else one for one in body.customers])
    missing = [i for i, found in enumerate(ids) if found is None]
    if missing:
        raise Problems(Problem(f"customers[{i}]", f"unknown customer {body.customers[i]!r}") for i in missing)
    known = [found for found in ids if found is not None]
    entered = operations.enroll(key=key, customer_ids=known, event=body.event, now=now())
    return {"flow": key, "entered": entered, "not_entered": len(set(known)) - entered}


@router.get("flows/{key}/stats", auth=ApiAuth("flows:read"), summary="Entered, at each step, exits, messages, goal")
def get_stats(request: HttpRequest, key: str) -> dict[str, Any]:
    return queries.answer(_flow(key))
