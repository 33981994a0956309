"""The contract of a step type, and their registry.

A step never moves anybody. An **instant** step says by a SQL expression which exit each person takes, and adds what
it does as data-modifying CTEs; a **resting** step says until when a person stays. `chains` fuses the fragments of all
instant steps between two resting steps into one statement, and `engine` alone moves people with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from loyalty.kit.problems import Problem
from loyalty.kit.registry import Registry
from loyalty.kit.sql import Sql

NEXT = "next"

# Keys by kind that the documents of one `apply` bring.
Declared = Mapping[str, set[str]]


class StepParameters(BaseModel):
    """What every step may say; a step type adds its own fields. `next`/`exits` route, else the list's order does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_-]{0,39}$")
    type: str
    name: str = ""
    next: str | None = None
    exits: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wake:
    """Which event ends a rest early. `of` names the send step whose message the event must be about."""

    event: str
    where: dict[str, Any]
    of: str | None


@dataclass(frozen=True, slots=True)
class StepContext:
    """What a step knows when its SQL is made: `scope` selects the `customer_id`s of the batch."""

    now: datetime
    node: int
    scope: Sql | None = None
    dispatches: Mapping[int, Any] = field(default_factory=dict)


class StepType:
    """Base of all step types, in reading order: what to declare, then what to write.

    Write: `parameters`, `exits`, `sentence`; for an instant step `decide` and/or `effect`; for a resting step `rests
    = True`, `due` and maybe `wake`. Leave alone: everything else.
    """

    parameters: ClassVar[type[StepParameters]]
    rests: ClassVar[bool] = False
    terminal: ClassVar[bool] = False

    def exits(self, parameters: Any) -> tuple[str, ...]:
        """The named exits, in the order that `decide` numbers them."""
        return (NEXT,)

    def targets(self, parameters: Any) -> dict[str, str]:
        """Exits that the parameters route by themselves (a split's branches); `exits:` and `next:` come on top."""
        return {}

    def exit_label(self, parameters: Any, name: str) -> str:
        """The exit in words, in the active language; empty where the way speaks for itself."""
        return "" if name == NEXT else name

    def sentence(self, parameters: Any) -> str:
        """What the step does, in words for a campaign manager, in the active language."""
        raise NotImplementedError

    def check(self, parameters: Any, declared: Declared) -> list[Problem]:
        """Mistakes that only the database can tell (an unknown template); places are relative to the step.

        What `declared` names comes in the same document and has told its own mistakes.
        """
        return []

    def decide(self, parameters: Any, context: StepContext) -> Sql | None:
        """Integer SQL over the customer `c`: the number of the exit taken. None when there is only one."""
        return None

    def effect(self, parameters: Any, context: StepContext, name: str, rows: Sql) -> Sql | None:
        """CTEs, comma separated and named from `name`, that do the step for `rows`.

        `rows` selects (enrollment_id, customer_id, visit, entered_at, holdout) of the people who pass the step.
        """
        return None

    def due(self, parameters: Any, context: StepContext) -> Sql:
        """timestamptz SQL over the customer `c`: when a rest that begins now is over."""
        raise NotImplementedError

    def needs_customer(self, parameters: Any) -> bool:
        """Does `due` read the customer? `decide` always may."""
        return False

    def wake(self, parameters: Any) -> Wake | None:
        """The event that ends the rest early, by the exit `happened`."""
        return None


# Named by the public formats; the engine has no such step yet.
ANNOUNCED = (
    "experiment", "throttle", "set_attribute", "add_to_list", "remove_from_list", "set_consent", "award_points",
    "issue_voucher", "webhook", "staff_task", "emit_event", "enter_flow",
)  # fmt: skip

step_types: Registry[StepType] = Registry("step type", package="campaigns.flows.steps", announced=ANNOUNCED)
