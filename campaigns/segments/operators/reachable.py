"""Whom a message would reach: `{reachable: email}`, `{reachable: sms, purpose: service}`."""

from typing import Literal

from django.utils.translation import gettext
from pydantic import BaseModel, ConfigDict, field_validator

from campaigns.channels.names import CHANNELS
from campaigns.segments.operator import Context, Operator, operators
from loyalty.kit.sql import Sql, identifier, sql


class ReachableParameters(BaseModel):
    """The channel, and for what (marketing unless said)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reachable: str
    purpose: Literal["marketing", "service", "transactional"] = "marketing"

    @field_validator("reachable")
    @classmethod
    def _channel(cls, value: str) -> str:
        if value not in CHANNELS:
            raise ValueError(f"unknown channel {value!r} (one of {', '.join(CHANNELS)})")
        return value


@operators.register("reachable")
class ReachableOperator(Operator):
    """An address, a consent where the purpose needs one, no suppression, no restriction: as the outbox judges.

    A channel whose addresses profiles do not hold reaches nobody.
    """

    parameters = ReachableParameters

    def sentence(self, parameters: ReachableParameters) -> str:
        said = {"channel": parameters.reachable}
        return {
            "marketing": gettext("can be reached by %(channel)s for marketing"),
            "service": gettext("can be reached by %(channel)s for service messages"),
            "transactional": gettext("can be reached by %(channel)s for transactional messages"),
        }[parameters.purpose] % said

    def condition(self, parameters: ReachableParameters, context: Context) -> Sql:
        channel = CHANNELS[parameters.reachable]
        if channel.address is None:
            return Sql("FALSE")
        return sql(
            "(c.{address} <> '' AND c.restricted_at IS NULL AND {consent} AND {clear})",
            address=identifier(channel.address),
            consent=_consent(parameters, context),
            clear=sql("({suppressed}) IS NOT TRUE", suppressed=_suppressed(parameters)),
        )

    def value(self, parameters: ReachableParameters, context: Context) -> Sql | None:
        channel = CHANNELS[parameters.reachable]
        if channel.address is None:
            return sql("{text}::text", text=gettext("profiles hold no address for this channel"))
        return sql(
            "CASE WHEN coalesce(c.{address}, '') = '' THEN {no_address}::text"
            " WHEN c.restricted_at IS NOT NULL THEN {restricted}::text WHEN {suppressed} THEN {barred}::text"
            " WHEN NOT {consent} THEN {no_consent}::text ELSE {reachable}::text END",
            address=identifier(channel.address),
            no_address=gettext("no address"),
            restricted=gettext("processing is restricted"),
            suppressed=_suppressed(parameters),
            barred=gettext("the address is suppressed"),
            consent=_consent(parameters, context),
            no_consent=gettext("no consent"),
            reachable=gettext("reachable"),
        )


def _consent(parameters: ReachableParameters, context: Context) -> Sql:
    if parameters.purpose == "transactional":
        return Sql("TRUE")
    is_service = parameters.purpose == "service"
    return sql(
        "(c.id {among} (SELECT s.customer_id FROM consent_state s WHERE s.channel = {channel} AND s.purpose = {purpose}"
        " AND s.status = {status}{scope}))",
        among=Sql("NOT IN" if is_service else "IN"),
        channel=parameters.reachable,
        purpose=parameters.purpose,
        status="withdrawn" if is_service else "granted",
        scope=context.within_scope("s.customer_id"),
    )


def _suppressed(parameters: ReachableParameters) -> Sql:
    """A dead address (hard bounce) bars transactional messages too, everything else the rest."""
    transactional = parameters.purpose == "transactional"
    digest = CHANNELS[parameters.reachable].digest
    return sql(
        "(c.{digest} IS NOT NULL AND c.{digest} IN (SELECT p.digest FROM suppression p WHERE p.channel = {channel}"
        " AND p.digest IS NOT NULL{which}))",
        digest=identifier(digest or ""),
        channel=parameters.reachable,
        which=Sql(" AND p.purpose = '' AND p.reason = 'hard_bounce'")
        if transactional
        else sql(" AND p.purpose IN ('', {purpose})", purpose=parameters.purpose),
    )
