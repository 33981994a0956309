"""A member's PIN over HTTP."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Field, Router, Schema
from pydantic import ConfigDict

from loyalty.access.auth import ApiAuth
from loyalty.kit import clock
from loyalty.program import step_up
from loyalty.program.addressing import member_of, there
from loyalty.program.receipts import Text

router = Router(tags=["loyalty"])
READ, WRITE = ApiAuth("loyalty:read"), ApiAuth("loyalty:write")


class PinIn(Schema):
    model_config = ConfigDict(extra="forbid")

    pin: str = Field(max_length=20, description="4 to 8 digits.")
    current: str | None = Field(None, max_length=20, description="The present one, where one is set.")
    program: Text | None = None


class PinOut(Schema):
    set: bool
    since: datetime | None
    locked: bool = Field(description="It was wrong too often; for a while no PIN is looked at.")
    spend_above: int | None = Field(description="Spending more points at once asks for it; null: never.")
    transfer: bool = Field(description="Handing points on asks for it.")


@router.get("/loyalty/members/{external_id}/pin", auth=READ, response=PinOut, summary="Whether a PIN is set")
def read_pin(request: HttpRequest, external_id: str, program: str | None = None) -> dict[str, Any]:
    setup = there(program)
    return step_up.state(member_of(external_id, setup).pk, setup=setup)


@router.put("/loyalty/members/{external_id}/pin", auth=WRITE, response=PinOut, summary="Set or change a PIN")
def set_pin(request: HttpRequest, external_id: str, body: PinIn) -> dict[str, Any]:
    """Changing it needs the present one. Only a hash is kept."""
    setup = there(body.program)
    member = member_of(external_id, setup)
    step_up.set_pin(member_id=member.pk, pin=body.pin, current=body.current, setup=setup, now=clock.now())
    return step_up.state(member.pk, setup=setup)


@router.delete("/loyalty/members/{external_id}/pin", auth=WRITE, response=PinOut, summary="Forget a PIN")
def clear_pin(request: HttpRequest, external_id: str, program: str | None = None) -> dict[str, Any]:
    """For one that was forgotten or is locked: make sure first who asks."""
    setup = there(program)
    member = member_of(external_id, setup)
    step_up.clear_pin(member_id=member.pk)
    return step_up.state(member.pk, setup=setup)
