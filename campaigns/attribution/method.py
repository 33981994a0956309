"""Pure: what an attribution method is: how much each touch of a journey weighs.

A method says its weights twice: as SQL for stored credit and as plain Python for path files and what-if questions. The
suite `tests/contracts/test_methods.py` holds the two together. `shares` turns weights into parts that sum to exactly 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from loyalty.kit.registry import Registry
from loyalty.kit.sql import Sql


@dataclass(frozen=True, slots=True)
class Journey:
    """The touches before one conversion, first to last. Times are seconds before the conversion, None where unknown."""

    channels: Sequence[str]
    seconds_before: Sequence[float] | None = None


class NoParameters(BaseModel):
    """A method with nothing to set."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Method(Protocol):
    """One file in `methods/`; its key is the file name.

    `weight_sql` is a double precision expression over `position` (1 for the first touch), `touches` (how many) and
    `seconds_before` (the touch before its conversion); `weights` is its twin, one number per touch. Weights are never
    negative, and at least one is positive.
    """

    label: Any
    sentence: Any
    parameters: type[BaseModel]

    def weight_sql(self, parameters: BaseModel) -> Sql: ...

    def weights(self, journey: Journey, parameters: BaseModel) -> list[float]: ...


# Named by the public formats; nothing can credit by them yet.
ANNOUNCED = (
    "last_non_direct", "time_decay", "position_based", "w_shaped", "full_path", "markov", "shapley", "custom",
)  # fmt: skip

methods: Registry[Method] = Registry("attribution model", package="campaigns.attribution.methods", announced=ANNOUNCED)
