"""Reads goals as attribution needs them, and the report on their credit."""

import json
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from campaigns.attribution.crediting import credit_rows
from campaigns.attribution.goals import Aim, digest, goal_events
from campaigns.attribution.method import methods
from campaigns.attribution.report import ZERO, Line, Reconciliation, Report, Total, sums
from campaigns.planning.models import Goal
from campaigns.planning.queries import goals
from campaigns.segments import properties
from loyalty.events.types import type_ids
from loyalty.kit.logs import fields
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import fetch, sql

logger = logging.getLogger(__name__)


def aims() -> list[Aim]:
    """Every goal that can be counted, by id. One with conditions that cannot be compiled is logged and left out."""
    found = []
    for goal in sorted(goals(), key=lambda goal: goal.id):
        try:
            found.append(aim_of(goal))
        except Problems as error:
            logger.error("attribution.goal.unusable", extra=fields(goal=goal.key, problems=error))
    return found


def aim_of(goal: Goal) -> Aim:
    """The goal made ready for SQL; raises Problems for conditions that cannot be compiled."""
    types = type_ids([goal.event, *goal.touches])
    return Aim(
        goal_id=goal.id,
        key=goal.key,
        type_id=types[goal.event],
        touch_type_ids=tuple(sorted({types[name] for name in goal.touches})),
        condition=properties.where(goal.conditions, sql("e.properties")),
        value_property=goal.value_property,
        window=timedelta(seconds=goal.window_seconds),
        digest=digest(goal.event, goal.conditions, goal.value_property, goal.window_seconds, goal.touches),
    )


def find_aim(key: str) -> Aim:
    """The goal with that key; raises Problems that name the known ones."""
    known = {goal.key: goal for goal in goals()}
    if key not in known:
        names = ", ".join(sorted(known)) or "none; apply one with `kind: goal`"
        raise Problems([Problem("goal", f"there is no goal {key!r}", f"known: {names}")])
    return aim_of(known[key])


def check_model(model: str) -> None:
    """Raises Problems that name the known models."""
    if model not in methods:
        raise Problems([Problem("model", methods.refusal(model), f"known: {', '.join(methods)}")])


def report(*, goal: str, model: str, start: datetime | None, end: datetime, window: timedelta | None = None) -> Report:
    """Credit for the goal's conversions in `[start, end)` by channel, campaign, flow and message, reconciled.

    Without `window` the goal's own applies and the kept credit is read; another one is worked out for this answer.
    Raises Problems for an unknown goal or model.
    """
    return reports(goal=goal, models=[model], start=start, end=end, window=window)[model]


def reports(
    *, goal: str, models: Sequence[str], start: datetime | None, end: datetime, window: timedelta | None = None
) -> dict[str, Report]:
    """The same report by several models, at about the price of one: the credit of all is read in one pass.

    Raises Problems for an unknown goal or model.
    """
    for model in models[1:]:
        check_model(model)
    aim = checked(goal, models[0])
    window = window or aim.window
    read = _read(aim, models, start, end, window)
    return {model: _report(goal, model, start, end, window, *read[model]) for model in models}


def _report(
    goal: str,
    model: str,
    start: datetime | None,
    end: datetime,
    window: timedelta,
    lines: list[Line],
    reconciliation: Reconciliation,
) -> Report:
    return Report(
        goal=goal,
        model=model,
        start=start,
        end=end,
        window=window,
        total=sums(lines, lambda line: ()).get((), Total(ZERO, ZERO, 0.0)),
        channels=sums(lines, lambda line: (line.channel,)),
        campaigns=sums(lines, lambda line: (line.campaign,)),
        flows=sums(lines, lambda line: (line.flow,)),
        messages=sums(lines, lambda line: (line.flow, line.step, line.channel)),
        reconciliation=reconciliation,
    )


def checked(goal: str, model: str) -> Aim:
    """The goal; raises Problems for an unknown goal, model or both."""
    problems: list[Problem] = []
    for check in (lambda: check_model(model), lambda: find_aim(goal)):
        try:
            check()
        except Problems as error:
            problems += error.problems
    if problems:
        raise Problems(problems)
    return find_aim(goal)


def _read(
    aim: Aim, models: Sequence[str], start: datetime | None, end: datetime, window: timedelta
) -> dict[str, tuple[list[Line], Reconciliation]]:
    """All figures of the reports by one statement, so that what arrives meanwhile is in none of them."""
    within = sql("e.occurred_at < {end}", end=end)
    if start is not None:
        within = sql("e.occurred_at >= {start} AND {within}", start=start, within=within)
    chosen = sql(
        """SELECT e.id, e.customer_id, e.occurred_at, e.value FROM conversion e
        WHERE e.goal_id = {goal} AND {within}""",
        goal=aim.goal_id,
        within=within,
    )
    if window == aim.window:
        credit = sql(
            "SELECT k.* FROM credit k JOIN ({chosen}) c ON c.id = k.conversion_id WHERE k.model = ANY({models})",
            chosen=chosen,
            models=list(models),
        )
    else:
        credit = credit_rows(aim, chosen, models, window=window, first=start, last=end)
    row = fetch(
        sql(
            """WITH line AS (
                SELECT k.model, k.channel, d.campaign_key AS campaign, d.flow_key AS flow, d.step,
                    sum(k.share) AS conversions, sum(k.value) AS revenue
                FROM ({credit})
                    k (conversion_id, model, touch_no, message_id, dispatch_id, channel, touched_at, share, value)
                LEFT JOIN dispatch d ON d.id = k.dispatch_id
                GROUP BY 1, 2, 3, 4, 5
            )
            SELECT (SELECT json_agg(line)::text FROM line), g.*,
                (SELECT count(*) FROM event_queue q WHERE q.consumer = 'attribution' AND q.type_id = {type}),
                (SELECT count(DISTINCT s.conversion_id) FROM stale_conversion s
                    JOIN ({chosen}) c ON c.id = s.conversion_id)
            FROM (SELECT count(*), coalesce(sum(value), 0) FROM ({events}) found) g""",
            credit=credit,
            type=aim.type_id,
            chosen=chosen,
            events=goal_events(aim, "event", "id", within=within),
        )
    )[0]
    lines: dict[str, list[Line]] = {model: [] for model in models}
    for line in json.loads(row[0] or "[]", parse_float=Decimal, parse_int=Decimal):
        lines[line.pop("model")].append(Line(**line))
    return {
        model: (
            found,
            Reconciliation(
                goal_events=row[1],
                goal_value=row[2],
                conversions=sum((line.conversions for line in found), ZERO),
                revenue=sum((line.revenue for line in found), ZERO),
                waiting=row[3],
                uncredited=row[4],
            ),
        )
        for model, found in lines.items()
    }
