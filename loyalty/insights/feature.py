"""The contract of a feature (something computed about every customer), and their registry.

A new feature is one file in `features/`, named like its key. It says what its parameters are, which insights it gives,
and selects them for everybody in one statement; it meets `tests/contracts/test_features.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel

from loyalty.kit.registry import Registry
from loyalty.kit.sql import Sql


@dataclass(frozen=True, slots=True)
class Insight:
    """One value that a feature gives: a label out of `choices` (key -> name), or a number from `low` to `high`.

    `key` is unique over all features: segments ask for it. A label stands in the feature's `label`, numbers stand in
    `numbers` in the order the feature lists them.
    """

    key: str
    type: Literal["label", "number"]
    name: Any
    choices: Mapping[str, Any] = field(default_factory=dict)
    low: int | None = None
    high: int | None = None


class Feature:
    """Base of all features: declare `parameters` and `insights` (at most one label), write `sentence` and `rows`."""

    parameters: ClassVar[type[BaseModel]]
    insights: ClassVar[tuple[Insight, ...]]

    def sentence(self, parameters: Any) -> str:
        """What is computed, for a campaign manager, in the active language."""
        raise NotImplementedError

    def rows(self, parameters: Any, *, now: datetime) -> Sql:
        """Selects (customer_id bigint, label text, numbers numeric[]) for everybody it has something to say about."""
        raise NotImplementedError


features: Registry[Feature] = Registry("feature", package="loyalty.insights.features")
