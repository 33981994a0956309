"""What segments may ask about messages: which ones are meant by flow, step, template, campaign or channel."""

from collections.abc import Collection

from campaigns.channels.names import NUMBERS
from campaigns.content.models import Template
from campaigns.delivery import ids
from campaigns.delivery.models import Dispatch
from campaigns.planning.models import Campaign
from campaigns.segments import references
from campaigns.segments.operator import Selection, provide_messages
from loyalty.kit.sql import Sql, sql


def is_meant(message_id: Sql, selection: Selection) -> Sql:
    """Boolean SQL: whether the message is one of the selection."""
    channels = [NUMBERS[channel] for channel in selection.channel]
    if selection == Selection(channel=selection.channel):
        return sql("{channel} = ANY({numbers}::int[])", channel=ids.channel_sql(message_id), numbers=channels)
    return sql(
        "{id} IN (SELECT m.id FROM message m WHERE m.dispatch_id IN ({dispatches}))",
        id=message_id,
        dispatches=dispatches(selection),
    )


def dispatches(selection: Selection) -> Sql:
    """Selects the ids of the dispatches whose messages are meant."""
    wanted = [("flow_key", selection.flow), ("step", selection.step), ("campaign_key", selection.campaign)]
    wanted.append(("channel", selection.channel))
    conditions = [
        sql("d.{column} = ANY({keys}::text[])", column=Sql(column), keys=list(keys)) for column, keys in wanted if keys
    ]
    if selection.template:
        conditions.append(
            sql(
                "d.template_version_id IN (SELECT v.id FROM template_version v JOIN template t ON t.id = v.template_id"
                " WHERE t.key = ANY({keys}::text[]))",
                keys=list(selection.template),
            )
        )
    return sql("SELECT d.id FROM dispatch d WHERE {all}", all=Sql(" AND ").join([*conditions, Sql("TRUE")]))


def _flows() -> Collection[str]:
    return {key for key in Dispatch.objects.values_list("flow_key", flat=True).distinct() if key is not None}


def _steps() -> Collection[str]:
    return set(Dispatch.objects.values_list("step", flat=True).distinct())


def _templates() -> Collection[str]:
    return set(Template.objects.values_list("key", flat=True))


def _campaigns() -> Collection[str]:
    return set(Campaign.objects.values_list("key", flat=True))


provide_messages(is_meant)
references.know("flow", _flows)
references.know("step", _steps)
references.know("template", _templates)
references.know("campaign", _campaigns)
