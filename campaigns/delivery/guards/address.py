"""Nothing is sent to a person who has no address on the channel."""

from campaigns.channels.names import CHANNELS
from campaigns.delivery.guard import Part, Scope, guards
from loyalty.kit.sql import Sql, identifier, sql


@guards.register("address")
class Address:
    order = 40
    code = "no_address"

    def part(self, scope: Scope) -> Part:
        column = CHANNELS[scope.channel].address
        if column is None:
            return Part(refuses=Sql("true"), facts=sql("jsonb_build_object('channel', {c}::text)", c=scope.channel))
        return Part(
            refuses=sql("(c.{column} IS NULL OR c.{column} = '')", column=identifier(column)),
            facts=sql("jsonb_build_object('channel', {c}::text)", c=scope.channel),
        )
