"""Pure: what a document of kind `card_series` says."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from loyalty.program.definition import Names, Strict

SHORTEST, LONGEST = 6, 32


class SeriesDocument(Strict):
    """Numbers of `digits` digits that begin with `prefix` and end with a check digit.

    `order` `random`: nobody can guess the next card; `running`: one after the other from `start`, for a series that
    was begun elsewhere. `holder` `staff`: cards of those who work in stores.
    """

    kind: Literal["card_series"] = Field("card_series", exclude=True)
    key: Annotated[str, StringConstraints(pattern="^[a-z0-9_][a-z0-9_.-]{0,49}$")] = Field(exclude=True)
    name: Names = {}
    prefix: Annotated[str, StringConstraints(pattern="^[0-9]{0,12}$")] = ""
    digits: Annotated[int, Field(ge=SHORTEST, le=LONGEST)] = 16
    order: Literal["random", "running"] = "random"
    start: Annotated[int, Field(ge=1)] = 1
    holder: Literal["member", "staff"] = "member"

    def plain(self) -> dict[str, Any]:
        """The document as it is stored and shown: without kind, key, and what has its usual value."""
        usual = {name: info.default for name, info in type(self).model_fields.items()}
        return {name: value for name, value in super().plain().items() if getattr(self, name) != usual[name]}

    @model_validator(mode="after")
    def _room(self) -> "SeriesDocument":
        if self.digits - len(self.prefix) < 4:
            raise ValueError("prefix: leaves no room: at least three digits stand between it and the check digit")
        return self
