"""Money that is due for rewards, over HTTP: the list, paid, refunded."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import ConfigDict, Field

from loyalty.access.auth import ApiAuth
from loyalty.checkout import dues
from loyalty.kit import clock
from loyalty.kit.errors import ApiError
from loyalty.kit.problems import Problems
from loyalty.program.receipts import Text

router = Router(tags=["checkout"])
READ, WRITE = ApiAuth("loyalty:read"), ApiAuth("loyalty:write")


class DueOut(Schema):
    """`state`: open, paid, void (cancelled before it was paid), refund (cancelled after), refunded."""

    redemption: int
    customer: str | None
    reward: str
    amount: Decimal
    currency: str | None
    way: str = Field(description="counter or invoice")
    state: str
    order_state: str
    payment: str | None
    made_at: datetime
    paid_at: datetime | None
    refunded_at: datetime | None
    refund: str | None


class DuesOut(Schema):
    dues: list[DueOut]
    next: int | None


class DueQuery(Schema):
    state: Literal["open", "paid", "void", "refund", "refunded"] | None = None
    after: int | None = Field(None, ge=0, le=2**63 - 1)
    limit: int = Field(50, ge=1, le=500)


class MoneyIn(Schema):
    """`reference`: of the payment, or of the refund; the same again changes nothing."""

    model_config = ConfigDict(extra="forbid")

    reference: Text


class NotedOut(Schema):
    status: str = Field(description="noted, or duplicate (noted before, nothing changed)")
    due: DueOut


@router.get("/loyalty/dues", auth=READ, response=DuesOut, summary="Money due for rewards")
def read_dues(request: HttpRequest, query: Query[DueQuery]) -> dict[str, Any]:
    """Newest first; `next` goes into `after` for the following page."""
    found, following = dues.dues(state=query.state, after=query.after, limit=query.limit)
    return {"dues": found, "next": following}


def _noted(redemption: int, changed: bool) -> dict[str, Any]:
    return {"status": "noted" if changed else "duplicate", "due": dues.dues(redemption_id=redemption)[0][0]}


def _known(redemption: int) -> None:
    if redemption > 2**63 - 1 or not dues.dues(redemption_id=redemption)[0]:
        raise ApiError(404, f"There is no money due for the redemption {redemption}.", code="not_found")


def _by(request: HttpRequest) -> str:
    key: Any = request.auth  # type: ignore[attr-defined]
    return f"API key {key.name}"


@router.post("/loyalty/dues/{int:redemption}/paid", auth=WRITE, response=NotedOut, summary="Note that money came")
def note_paid(request: HttpRequest, redemption: int, body: MoneyIn) -> dict[str, Any]:
    """The order goes on then. 409 when it was paid under another reference, or cancelled."""
    _known(redemption)
    try:
        done = dues.pay(redemption, reference=body.reference, by=_by(request), now=clock.now())
    except Problems as error:
        raise ApiError(409, "Nothing was noted.", error.problems) from None
    return _noted(redemption, done)


@router.post("/loyalty/dues/{int:redemption}/refunded", auth=WRITE, response=NotedOut, summary="Note a refund")
def note_refunded(request: HttpRequest, redemption: int, body: MoneyIn) -> dict[str, Any]:
    """For what was paid and cancelled afterwards; 409 for anything else."""
    _known(redemption)
    try:
        done = dues.refund(redemption, reference=body.reference, by=_by(request), now=clock.now())
    except Problems as error:
        raise ApiError(409, "Nothing was noted.", error.problems) from None
    return _noted(redemption, done)
