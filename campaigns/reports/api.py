"""Reports over HTTP."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from campaigns.attribution import queries
from campaigns.attribution.report import Report, Total
from loyalty.access.auth import ApiAuth
from loyalty.kit import clock
from loyalty.kit.periods import Period, local
from loyalty.kit.problems import Problem, Problems

router = Router(tags=["reports"])


class Figures(Schema):
    """What was credited. `margin`, `cost` and `roi` are null as long as nothing says what goods and messages cost."""

    conversions: float = Field(description="credited conversions; parts of one add up over the rows")
    revenue: float = Field(description="credited value, in the currency of the goal's events")
    share: float = Field(description="part of all conversions of this report, 0 to 1")
    margin: float | None = Field(None, description="revenue less cost of goods; null while that is not known")
    cost: float | None = Field(None, description="what the messages cost; null while that is not known")
    roi: float | None = Field(None, description="(margin - cost) / cost; null while either is not known")


class ChannelRow(Figures):
    channel: str = Field(description="'none' for conversions without a touch in the window")


class CampaignRow(Figures):
    campaign: str | None = Field(description="null for messages of no campaign and for conversions without a touch")


class FlowRow(Figures):
    flow: str | None


class MessageRow(Figures):
    flow: str | None
    step: str | None = Field(description="the step that sent it")
    channel: str


class ReconciliationAnswer(Schema):
    """The same events counted in the timeline and in the credit; the differences are 0 when nothing waits."""

    goal_events: int = Field(description="events of the goal in the period, counted in the timeline")
    goal_value: float
    conversions: float = Field(description="sum of all credit")
    revenue: float
    conversions_difference: float
    revenue_difference: float
    waiting: int = Field(description="events still in the queue")
    uncredited: int = Field(description="conversions whose credit is about to be worked out anew")


class AttributionAnswer(Schema):
    """Credit for a goal's conversions. It says what came before them, not what caused them."""

    goal: str
    model: str
    start: datetime | None = Field(serialization_alias="from")
    end: datetime = Field(serialization_alias="to")
    window: str
    total: Figures
    channels: list[ChannelRow]
    campaigns: list[CampaignRow]
    flows: list[FlowRow]
    messages: list[MessageRow]
    reconciliation: ReconciliationAnswer


class ReportAsked(Schema):
    goal: str = Field(description="key of the goal")
    model: str = Field("last_touch", description="first_touch, last_touch, linear")
    start: str | None = Field(None, alias="from", description="first day or instant; without it, from the beginning")
    end: str | None = Field(None, alias="to", description="the first day or instant after the period; without it, now")
    window: str | None = Field(None, description="another window than the goal's own, such as 14d")


@router.get(
    "reports/attribution",
    auth=ApiAuth("reports:read"),
    response=AttributionAnswer,
    by_alias=True,
    summary="Credit per channel, campaign, flow and message",
)
def attribution(request: HttpRequest, asked: Query[ReportAsked]) -> dict[str, Any]:
    """Conversions of a goal in `[from, to)`, credited by one model. A day without a time begins at midnight in the
    project's time zone."""
    problems: list[Problem] = []
    start = _instant("from", asked.start, problems)
    end = _instant("to", asked.end, problems) or clock.now()
    window = _window(asked.window, problems)
    if start is not None and start >= end:
        problems.append(Problem("to", "does not lie after 'from'", "the period is from <= time < to"))
    try:
        queries.checked(asked.goal, asked.model)
    except Problems as error:
        problems += error.problems
    if problems:
        raise Problems(problems)
    return _answer(queries.report(goal=asked.goal, model=asked.model, start=start, end=end, window=window))


def _instant(name: str, text: str | None, problems: list[Problem]) -> datetime | None:
    if not text:
        return None
    try:
        if len(text) == 10:
            return local(date.fromisoformat(text), time(), settings.TIME_ZONE)
        # A plus sign that was not escaped arrives as a blank.
        found = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        problems.append(Problem(name, f"{text[:40]!r} is no time", "write 2026-11-21 or 2026-11-21T09:00:00+01:00"))
        return None
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(settings.TIME_ZONE))


def _window(text: str | None, problems: list[Problem]) -> timedelta | None:
    if not text:
        return None
    try:
        seconds = Period.parse(text).seconds
        if not seconds or seconds > 366 * 86_400:
            raise ValueError(f"{text!r} is no window: write an elapsed time of up to 366d")
        return timedelta(seconds=seconds)
    except ValueError as error:
        problems.append(Problem("window", str(error)))
        return None


def _answer(report: Report) -> dict[str, Any]:
    found = report.reconciliation
    return {
        "goal": report.goal,
        "model": report.model,
        "start": report.start,
        "end": report.end,
        "window": str(Period(seconds=int(report.window.total_seconds()))),
        "total": _figures(report.total),
        "channels": _rows(report.channels, "channel"),
        "campaigns": _rows(report.campaigns, "campaign"),
        "flows": _rows(report.flows, "flow"),
        "messages": _rows(report.messages, "flow", "step", "channel"),
        "reconciliation": {
            "goal_events": found.goal_events,
            "goal_value": float(found.goal_value),
            "conversions": float(found.conversions),
            "revenue": float(found.revenue),
            "conversions_difference": float(found.conversions_difference),
            "revenue_difference": float(found.revenue_difference),
            "waiting": found.waiting,
            "uncredited": found.uncredited,
        },
    }


def _figures(total: Total) -> dict[str, Any]:
    return {
        "conversions": float(total.conversions),
        "revenue": float(total.revenue),
        "share": total.share,
        "margin": None,
        "cost": None,
        "roi": None,
    }


def _rows(totals: Mapping[tuple[str | None, ...], Total], *names: str) -> list[dict[str, Any]]:
    return [dict(zip(names, key, strict=True)) | _figures(total) for key, total in totals.items()]
