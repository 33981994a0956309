"""A person's own wish for how often: at most so many messages of advertising in a rolling week or month.

Judged when a message is to start, not when it is planned: what counts is what was sent until then. Of several messages
to one person that are under way at once, later ones (by id) wait until it is known what became of the earlier ones.
"""

from campaigns.delivery import wishes
from campaigns.delivery.guard import Part, Scope, guards
from loyalty.kit.sql import Sql, sql

DAYS = {"week": 7, "month": 30}


@guards.register("frequency_cap")
class FrequencyCap:
    order = 66
    code = "frequency_cap"

    def part(self, scope: Scope) -> Part | None:
        if scope.message_id is None:
            return None
        # Functions, and called only for those who have a wish: written out, the counting made the statement's planning
        # half as long again for everybody.
        since = sql(
            "{now}::timestamptz - make_interval(days => CASE wsh.per WHEN 'week' THEN {week} ELSE {month} END)",
            now=scope.now,
            week=DAYS["week"],
            month=DAYS["month"],
        )
        sent = sql("advertising_started({customer}, {since})", customer=scope.customer_id, since=since)
        ahead = sql("advertising_claimed({customer}, {id})", customer=scope.customer_id, id=scope.message_id)
        return Part(
            joins=wishes.joined(scope),
            refuses=sql("wsh.at_most IS NOT NULL AND {sent} >= wsh.at_most", sent=sent),
            delays=sql("wsh.at_most IS NOT NULL AND {sent} + {ahead} >= wsh.at_most", sent=sent, ahead=ahead),
            delay_code="frequency_turn",
            columns={
                "frequency_most": Sql("wsh.at_most"),
                "frequency_per": Sql("wsh.per"),
                "frequency_since": Sql("wsh.since"),
                "frequency_sent": sql("CASE WHEN wsh.at_most IS NOT NULL THEN {sent} END", sent=sent),
            },
            facts=Sql(
                "jsonb_build_object('at_most', frequency_most, 'per', frequency_per, 'sent', frequency_sent,"
                " 'since', frequency_since)"
            ),
        )
