"""Pure: a flow as people write it, typed. Structure only; `graph` checks how the steps hang together."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from loyalty.kit.periods import Period

KEY_PATTERN = r"^[a-z0-9][a-z0-9_.-]{0,79}$"
END = "end"


def _period(value: Any) -> Any:
    if isinstance(value, str):
        Period.parse(value)
        return value
    raise ValueError("must be a duration such as 15m, 2h, 7d or 1 month")


class Strict(BaseModel):
    """Unknown fields are mistakes, told with their place."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(Strict):
    """One way in; exactly one of `segment_entered`, `segment_left`, `event`, `schedule`, `at`, `api`."""

    segment_entered: str | None = None
    segment_left: str | None = None
    existing: bool = True
    event: str | None = None
    where: dict[str, Any] = Field(default_factory=dict)
    key: str | None = None
    schedule: str | None = None
    at: str | None = None
    segment: str | None = None
    api: bool = False

    @model_validator(mode="before")
    @classmethod
    def _announced(cls, value: Any) -> Any:
        for kind in ANNOUNCED_ENTRIES if isinstance(value, dict) else ():
            if kind in value:
                raise ValueError(f"the entry {kind!r} is not available yet; known: {', '.join(ENTRY_KINDS)}")
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> "Entry":
        named = [kind for kind in ENTRY_KINDS if getattr(self, kind)]
        if len(named) != 1:
            raise ValueError(f"must name exactly one of {', '.join(ENTRY_KINDS)}")
        return self

    @property
    def kind(self) -> str:
        """Which of the ways in this is."""
        return next(kind for kind in ENTRY_KINDS if getattr(self, kind))


ENTRY_KINDS = ("segment_entered", "segment_left", "event", "schedule", "at", "api")
# Named by the public formats; nobody can come in this way yet.
ANNOUNCED_ENTRIES = ("date", "reply")


class Reentry(Strict):
    """May a person come again: `after` a time since the last entry."""

    after: str

    _check = field_validator("after", mode="before")(_period)


class ExitOn(Strict):
    """An event that ends the flow for the person at once."""

    event: str = Field(min_length=1)
    where: dict[str, Any] = Field(default_factory=dict)


class FlowGoal(Strict):
    """What the flow is for; measured for treated and held-out people alike."""

    event: str = Field(min_length=1)
    where: dict[str, Any] = Field(default_factory=dict)
    within: str = "14d"
    value: str | None = None

    _check = field_validator("within", mode="before")(_period)


class FlowDocument(Strict):
    """The whole document; `steps` stay raw here because each step type checks its own parameters."""

    kind: Literal["flow"] = "flow"
    key: str = Field(pattern=KEY_PATTERN)
    name: dict[str, str] = Field(default_factory=dict)
    description: str = ""
    campaign: str | None = None
    entry: list[Entry] = Field(min_length=1)
    reentry: Literal["never", "always"] | Reentry = "never"
    exit_on: list[ExitOn] = Field(default_factory=list)
    goal: FlowGoal | str | None = None
    holdout: float = Field(default=0.0, ge=0.0, lt=1.0)
    steps: list[dict[str, Any]] = Field(min_length=1)

    @field_validator("name", mode="before")
    @classmethod
    def _plain_name(cls, value: Any) -> Any:
        return {"en": value} if isinstance(value, str) else value

    @field_validator("entry", "exit_on", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, dict) else value
