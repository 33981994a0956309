"""All credit to the last touch before the conversion."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from campaigns.attribution.method import Journey, NoParameters, methods
from loyalty.kit.sql import Sql


@methods.register("last_touch")
class LastTouch:
    label: Any = _("Last touch")
    sentence: Any = _("The last message before the conversion gets all the credit.")
    parameters = NoParameters

    def weight_sql(self, parameters: object) -> Sql:
        return Sql("(position = touches)::int::float8")

    def weights(self, journey: Journey, parameters: object) -> list[float]:
        return [0.0] * (len(journey.channels) - 1) + [1.0]
