"""Which insights exist and where they stand: what segments and pages ask by key."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from loyalty.insights.feature import Insight, features
from loyalty.kit.sql import Sql, sql


@dataclass(frozen=True, slots=True)
class Placed:
    """An insight, its feature's key and its place among the feature's numbers (from 1; 0 for the label)."""

    insight: Insight
    feature: str
    place: int

    def value(self, row: Sql) -> Sql:
        """The value in SQL over an alias of `customer_insight`: text for a label, else numeric."""
        if self.place == 0:
            return sql("{row}.label", row=row)
        return sql("{row}.numbers[{place}]", row=row, place=Sql(str(self.place)))


def insights() -> dict[str, Placed]:
    """Every insight by key, features in order of their keys."""
    found: dict[str, Placed] = {}
    for key, feature in features.items():
        place = 0
        for insight in feature.insights:
            if insight.type == "number":
                place += 1
            if insight.key in found:
                raise ValueError(f"insight {insight.key!r} is given by {found[insight.key].feature} and by {key}")
            found[insight.key] = Placed(insight, key, place if insight.type == "number" else 0)
    return found


def parameters_of(key: str, stored: dict[str, Any]) -> BaseModel:
    """A feature's parameters, what is not stored being as the feature has it; raises pydantic's ValidationError."""
    return features.get(key).parameters.model_validate(stored)
