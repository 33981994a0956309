"""A badge: `{type: badge, badge: explorer}`."""

import json
from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext

from loyalty.events import facts, partitions
from loyalty.kit.admin import localized
from loyalty.kit.problems import Problem
from loyalty.kit.sql import fetch, sql
from loyalty.play.models import Badge as BadgeModel
from loyalty.play.prize import Winner, prize_kinds
from loyalty.program.definition import Strict

_GIVE = """WITH won AS (
    SELECT w.customer_id, count(*)::int AS times FROM unnest({people}::bigint[]) AS w (customer_id) GROUP BY 1
), given AS (
    INSERT INTO customer_badge (badge_id, customer_id, times, since)
    SELECT {badge}::int, customer_id, times, {now} FROM won ORDER BY customer_id
    ON CONFLICT (customer_id, badge_id) DO UPDATE SET times = customer_badge.times + excluded.times
    RETURNING customer_id, times
), {fact} SELECT count(*) FROM given"""


class Parameters(Strict):
    """The key of the badge."""

    badge: str


@prize_kinds.register("badge")
class Badge:
    """Won once more, it is kept once and counted."""

    parameters = Parameters
    by_hand = False

    def problems(self, parameters: Parameters, declared: dict[str, set[str]]) -> list[Problem]:
        known = [*BadgeModel.objects.order_by("key").values_list("key", flat=True)]
        if parameters.badge in known or parameters.badge in declared.get("badge", ()):
            return []
        remedy = f"known: {', '.join(known[:10]) or 'none yet'}"
        return [Problem("badge", f"there is no badge {parameters.badge!r}", remedy)]

    def sentence(self, parameters: Parameters) -> str:
        found = BadgeModel.objects.filter(key=parameters.badge).first()
        return gettext("the badge “%(badge)s”") % {
            "badge": localized(found.name, found.key) if found else parameters.badge
        }

    def give(
        self, parameters: Parameters, winners: Sequence[Winner], *, program_id: int | None, now: datetime
    ) -> dict[int, str | None]:
        badge = BadgeModel.objects.filter(key=parameters.badge).first()
        if badge is None:
            return {}
        partitions.ensure(now, now)
        fact = facts.ctes(
            "fact",
            "badge.awarded",
            sql(
                "SELECT customer_id, {now}::timestamptz, {badge}::bigint, jsonb_build_object('badge', {key}::text,"
                " 'times', times, 'level', (SELECT l ->> 'key' FROM jsonb_array_elements({levels}::jsonb) l"
                " WHERE (l ->> 'at')::int <= times ORDER BY (l ->> 'at')::int DESC LIMIT 1)) FROM given",
                now=now,
                badge=badge.pk,
                key=badge.key,
                levels=json.dumps(badge.definition.get("levels", [])),
            ),
            ask=False,
        )
        people = [one.customer_id for one in winners]
        fetch(sql(_GIVE, people=people, badge=badge.pk, now=now, fact=fact))
        return {one.award_id: badge.key for one in winners}
