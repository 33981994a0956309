"""A person's own wish for how often: at most so many messages of advertising in a rolling week or month.

Judged when a message is to start, not when it is planned: what counts is what was sent until then. Of several messages
to one person in one set only as many go as there is room for; the others look again at once, when those have started.
"""

from campaigns.delivery.guard import Part, Scope, guards
from loyalty.kit.sql import Sql, sql

DAYS = {"week": 7, "month": 30}


@guards.register("frequency_cap")
class FrequencyCap:
    order = 66
    code = "frequency_cap"

    def part(self, scope: Scope) -> Part | None:
        if scope.dispatch_state is None:
            return None
        # The count runs only for those who have a wish; by their messages' index, in their own lock.
        joins = sql(
            """LEFT JOIN LATERAL (
                SELECT w.at_most, w.per, w.since, (
                    SELECT count(*) FROM message fm JOIN dispatch fd ON fd.id = fm.dispatch_id
                    WHERE fm.customer_id = w.customer_id AND fm.state IN (2, 3, 5) AND fd.purpose = 'marketing'
                    AND fm.started_at > {now}::timestamptz - make_interval(days => CASE w.per WHEN 'week' THEN {week}
                        ELSE {month} END)) AS sent
                FROM contact_preference w
                WHERE w.customer_id = {customer} AND w.at_most IS NOT NULL AND {purpose} = 'marketing' OFFSET 0
            ) frq ON true""",
            now=scope.now,
            week=DAYS["week"],
            month=DAYS["month"],
            customer=scope.customer_id,
            purpose=scope.purpose,
        )
        return Part(
            joins=joins,
            refuses=Sql("frq.sent >= frq.at_most"),
            delays=sql(
                "frq.sent + row_number() OVER (PARTITION BY {customer}) > frq.at_most", customer=scope.customer_id
            ),
            delay_code="frequency_turn",
            columns={
                "frequency_most": Sql("frq.at_most"),
                "frequency_per": Sql("frq.per"),
                "frequency_sent": Sql("frq.sent"),
                "frequency_since": Sql("frq.since"),
            },
            facts=Sql(
                "jsonb_build_object('at_most', frequency_most, 'per', frequency_per, 'sent', frequency_sent,"
                " 'since', frequency_since)"
            ),
        )
