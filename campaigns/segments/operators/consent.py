"""What a customer has agreed to: `{consent: email}`, `{consent: email, purpose: tracking, status: withdrawn}`."""

from typing import Any, Literal

from django.utils.translation import gettext
from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from campaigns.segments.operator import Context, Operator, operators
from loyalty.consent.entries import CHANNELS
from loyalty.kit.sql import Sql, sql

PURPOSES = ("marketing", "service", "tracking", "profiling")


class ConsentParameters(BaseModel):
    """The channel, the purpose (marketing unless said) and the status (granted unless said).

    `{consent: {channel: email, purpose: tracking}}` and `{consent: tracking, channel: email}` say the same.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    consent: str
    purpose: Literal["marketing", "service", "tracking", "profiling"] = "marketing"
    status: Literal["granted", "withdrawn"] = "granted"

    @model_validator(mode="before")
    @classmethod
    def _other_ways(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        said = data.get("consent")
        rest = {key: value for key, value in data.items() if key != "consent"}
        if isinstance(said, dict) and not rest:
            return {("consent" if key == "channel" else key): value for key, value in said.items()}
        if said in PURPOSES and "channel" in rest and "purpose" not in rest:
            return {"consent": rest.pop("channel"), "purpose": said, **rest}
        return data

    @field_validator("consent")
    @classmethod
    def _channel(cls, value: str) -> str:
        if value not in CHANNELS:
            raise ValueError(f"unknown channel {value!r} (one of {', '.join(CHANNELS)}, with purpose: beside it)")
        return value


@operators.register("consent")
class ConsentOperator(Operator):
    """Who was never asked has neither granted nor withdrawn."""

    parameters = ConsentParameters

    def sentence(self, parameters: ConsentParameters) -> str:
        said = {"channel": parameters.consent, "purpose": parameters.purpose}
        if parameters.status == "granted":
            return gettext("has agreed to %(purpose)s by %(channel)s") % said
        return gettext("has withdrawn the consent to %(purpose)s by %(channel)s") % said

    def condition(self, parameters: ConsentParameters, context: Context) -> Sql:
        return sql(
            "c.id IN (SELECT s.customer_id FROM consent_state s WHERE s.channel = {channel} AND s.purpose = {purpose}"
            " AND s.status = {status}{scope})",
            channel=parameters.consent,
            purpose=parameters.purpose,
            status=parameters.status,
            scope=context.within_scope("s.customer_id"),
        )

    def value(self, parameters: ConsentParameters, context: Context) -> Sql | None:
        return sql(
            "(SELECT s.status FROM consent_state s WHERE s.customer_id = c.id AND s.channel = {channel}"
            " AND s.purpose = {purpose})",
            channel=parameters.consent,
            purpose=parameters.purpose,
        )
