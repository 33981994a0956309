"""Who switched off the topic of a template gets nothing about it; asked only where the template has one."""

from campaigns.delivery.guard import Part, Scope, guards
from loyalty.kit.sql import Sql, sql


@guards.register("preference_topic")
class PreferenceTopic:
    order = 62
    code = "no_consent"

    def part(self, scope: Scope) -> Part | None:
        if scope.topic is None:
            return None
        # At most one row by the primary key (customer, topic); where a dispatch has no topic the index is not touched.
        return Part(
            joins=sql(
                "LEFT JOIN topic_choice tch ON tch.customer_id = {customer} AND tch.topic = {topic}",
                customer=scope.customer_id,
                topic=scope.topic,
            ),
            refuses=Sql("tch.wanted IS FALSE"),
            columns={"choice_topic": Sql("tch.topic"), "choice_since": Sql("tch.since")},
            facts=Sql("jsonb_build_object('topic', choice_topic, 'since', choice_since)"),
        )
