"""All credit to the first touch inside the window."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from campaigns.attribution.method import Journey, NoParameters, methods
from loyalty.kit.sql import Sql


@methods.register("first_touch")
class FirstTouch:
    label: Any = _("First touch")
    sentence: Any = _("The first message inside the window gets all the credit.")
    parameters = NoParameters

    def weight_sql(self, parameters: object) -> Sql:
        return Sql("(position = 1)::int::float8")

    def weights(self, journey: Journey, parameters: object) -> list[float]:
        return [1.0] + [0.0] * (len(journey.channels) - 1)
