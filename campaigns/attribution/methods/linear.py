"""The same credit to every touch; a channel that was touched twice gets two parts."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from campaigns.attribution.method import Journey, NoParameters, methods
from loyalty.kit.sql import Sql


@methods.register("linear")
class Linear:
    label: Any = _("Linear")
    sentence: Any = _("Every message inside the window gets the same credit.")
    parameters = NoParameters

    def weight_sql(self, parameters: object) -> Sql:
        return Sql("1.0::float8")

    def weights(self, journey: Journey, parameters: object) -> list[float]:
        return [1.0] * len(journey.channels)
