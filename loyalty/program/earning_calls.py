"""Earning over HTTP: the rules with their budgets, and checking in at a place."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from ninja import Field, Router, Schema
from pydantic import ConfigDict

from loyalty.access.auth import ApiAuth
from loyalty.kit import clock
from loyalty.program import budgets, check_ins, sentences
from loyalty.program.addressing import there
from loyalty.program.receipts import Text

router = Router(tags=["loyalty"])
READ, WRITE = ApiAuth("loyalty:read"), ApiAuth("loyalty:write")


class BudgetOut(Schema):
    points: int = Field(description="The whole budget; one in money is reckoned by what a point is worth.")
    used: int
    rest: int
    money: Decimal | None = Field(description="What the whole budget is worth.")
    money_rest: Decimal | None
    per_day: Decimal = Field(description=f"Points a day in the last {budgets.DAYS} days.")
    money_per_day: Decimal | None
    empty_on: date | None = Field(description="The day when it is used up at that pace; null: not in sight.")
    empty_since: datetime | None
    soon: bool = Field(description=f"Used up, or will be within {budgets.SOON_DAYS} days.")


class EarningRuleOut(Schema):
    key: str
    type: str
    wallet: str
    priority: int
    sentence: str
    budget: BudgetOut | None


class EarningRulesOut(Schema):
    program: str
    currency: str
    rules: list[EarningRuleOut]


class CheckInIn(Schema):
    model_config = ConfigDict(extra="forbid")

    code: Text = Field(description="What the QR code holds: the code, or the address that ends with it.")
    customer: Text | dict[Text, Text] = Field(description='External id, or one identity such as {"card": "..."}.')


class CheckInOut(Schema):
    place: str
    name: dict[str, str]
    status: str = Field(description="checked_in, or already: was there today before, nothing changed")
    occurred_at: datetime


def _budget(one: budgets.Forecast) -> dict[str, Any]:
    return {
        "points": one.limit,
        "used": one.used,
        "rest": one.rest,
        "money": one.money(one.limit),
        "money_rest": one.money(one.rest),
        "per_day": one.per_day,
        "money_per_day": one.money(one.per_day),
        "empty_on": one.empty_on,
        "empty_since": one.empty_since,
        "soon": one.soon,
    }


@router.get("/loyalty/rules", auth=READ, response=EarningRulesOut, summary="The active earning rules and their budgets")
def read_rules(request: HttpRequest, program: str | None = None) -> dict[str, Any]:
    """In the order in which they are taken, in words, with how long each budget will last."""
    setup = there(program)
    said = sentences.sentences(setup.rules, setup)
    left = budgets.forecasts(setup, now=clock.now())
    return {
        "program": setup.key,
        "currency": setup.document.currency,
        "rules": [
            {
                "key": rule.document.key,
                "type": rule.document.type,
                "wallet": setup.settings_of(rule.wallet_id).key,
                "priority": rule.document.priority,
                "sentence": said[rule.id],
                "budget": _budget(left[rule.id]) if rule.id in left else None,
            }
            for rule in setup.rules
        ],
    }


@router.post("/loyalty/check-ins", auth=WRITE, response=CheckInOut, summary="Check in at a place")
def check_in(request: HttpRequest, body: CheckInIn) -> dict[str, Any]:
    """The code of a place's screen, while it is shown and as long again. Once a day for each person and place; the
    rules for `qr_checkin` give points within seconds."""
    done = check_ins.check_in(code=body.code, customer=body.customer, now=clock.now())
    return {
        "place": done.place.key,
        "name": done.place.name,
        "status": "already" if done.again else "checked_in",
        "occurred_at": done.at,
    }
