"""Pure: what a document of kind `store` says."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from loyalty.program.definition import Names, Strict

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


def _place(value: Any) -> Any:
    """[lat, lon] or {lat, lon}."""
    if isinstance(value, dict) and set(value) == {"lat", "lon"}:
        value = [value["lat"], value["lon"]]
    if not (isinstance(value, list) and len(value) == 2 and all(isinstance(one, int | float) for one in value)):
        raise ValueError("write [latitude, longitude]")
    if not (-90 <= value[0] <= 90 and -180 <= value[1] <= 180):
        raise ValueError("latitude goes from -90 to 90, longitude from -180 to 180")
    return value


class StoreDocument(Strict):
    """A place where people buy; `geo` is [latitude, longitude]."""

    kind: Literal["store"] = Field("store", exclude=True)
    key: Annotated[str, StringConstraints(pattern="^[a-z0-9_][a-z0-9_.-]{0,49}$")] = Field(exclude=True)
    name: Names = {}
    street: Line | None = None
    postcode: Line | None = None
    city: Line | None = None
    country: Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")] | None = None
    region: Line | None = None
    geo: Annotated[list[float] | None, BeforeValidator(lambda value: None if value is None else _place(value))] = None
    closed: bool = False

    def plain(self) -> dict[str, Any]:
        """The document as it is stored and shown: without kind, key, and what has its usual value."""
        usual = {name: info.default for name, info in type(self).model_fields.items()}
        return {name: value for name, value in super().plain().items() if getattr(self, name) != usual[name]}
