"""Where people are: `{geo: {near: [50.94, 6.96], radius_km: 25}}`, `{geo: {country: DE, postcode: ["50", "51"]}}`."""

import math
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any

from django.utils.text import get_text_list
from django.utils.translation import gettext
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from campaigns.segments import words
from campaigns.segments.comparisons import MAX_LIST
from campaigns.segments.operator import Context, CustomerField, Operator, field_names, operators
from loyalty.customers.values import Refused, geo
from loyalty.kit.problems import Problem
from loyalty.kit.sql import Sql, sql

DEFAULT_ATTRIBUTE = "location"
# Half around the earth: beyond it everybody is near.
MOST_KM = 20_037.5
EARTH_KM = 6371.0088
# The box is made this much wider, so that rounding never cuts off what the distance lets in.
SPARE_DEGREES = 1e-6


def _place(value: Any) -> tuple[float, float]:
    try:
        found = geo(list(value) if isinstance(value, tuple) else value)
    except Refused as refused:
        raise ValueError(f"{refused.problem}: write [50.94, 6.96], latitude first") from None
    return found["lat"], found["lon"]


def _texts(value: Any) -> tuple[str, ...]:
    texts = list(value) if isinstance(value, list | tuple) else [value]
    if any(isinstance(text, int | float) and not isinstance(text, bool) for text in texts):
        raise ValueError('must be text: quote it ("01067"), else leading zeros are lost')
    if any(isinstance(text, bool) for text in texts):
        raise ValueError('must be text: quote it ("NO"; YAML reads NO as false)')
    if not all(isinstance(text, str) and 0 < len(text) <= 20 for text in texts) or not 0 < len(texts) <= MAX_LIST:
        raise ValueError("must be a text or a list of texts")
    return tuple(texts)


def _countries(value: Any) -> tuple[str, ...]:
    codes = tuple(text.upper() for text in _texts(value))
    if not all(len(code) == 2 and code.isascii() and code.isalpha() for code in codes):
        raise ValueError("must be a country by its two letters, such as DE")
    return codes


Place = Annotated[Any, BeforeValidator(_place)]
Texts = Annotated[Any, BeforeValidator(_texts)]
Countries = Annotated[Any, BeforeValidator(_countries)]


class Area(BaseModel):
    """What must hold of the place, all of it: in a circle, in one of these countries, a postcode that begins so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    near: Place = None
    radius_km: float | None = Field(None, gt=0, le=MOST_KM, allow_inf_nan=False)
    of: str = Field(DEFAULT_ATTRIBUTE, min_length=1, max_length=100)
    country: Countries = None
    postcode: Texts = None

    @model_validator(mode="after")
    def _says_something(self) -> "Area":
        if (self.near is None) != (self.radius_km is None):
            raise ValueError("'near' and 'radius_km' belong together: near: [50.94, 6.96], radius_km: 25")
        if self.near is None and self.country is None and self.postcode is None:
            raise ValueError("says no place: write near and radius_km, country, or postcode")
        if self.near is None and "of" in self.model_fields_set:
            raise ValueError(
                "'of' names the attribute that 'near' looks at; country and postcode have fields of their own"
            )
        return self


class GeoParameters(BaseModel):
    """`{geo: {near: .., radius_km: ..}}`; the name of the attribute may stand first: `{geo: shop, near: .., ..}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    geo: Area

    @model_validator(mode="before")
    @classmethod
    def _other_ways(cls, data: Any) -> Any:
        if not isinstance(data, dict) or isinstance(data.get("geo"), dict):
            return data
        said, rest = data.get("geo"), {key: value for key, value in data.items() if key != "geo"}
        if said is None:
            return {"geo": rest}
        return {"geo": {"of": said, **rest}} if isinstance(said, str) and rest else data


@operators.register("geo")
class GeoOperator(Operator):
    """Country and postcode are the profile's own; a circle looks at an attribute of type geo.

    Who has no place, or one that is not on earth, is nowhere.
    """

    parameters = GeoParameters

    def vocabulary(self, place: str) -> tuple[str, ...]:
        return field_names(Area) if place.startswith("geo.") else super().vocabulary(place)

    def sentence(self, parameters: GeoParameters) -> str:
        area, parts = parameters.geo, []
        if area.near is not None:
            said = {"of": area.of, "radius": f"{area.radius_km:g}", "lat": area.near[0], "lon": area.near[1]}
            parts.append(gettext("%(of)s lies within %(radius)s km of %(lat)s, %(lon)s") % said)
        if area.country is not None:
            said = {"countries": words.shown(area.country)}
            one = len(area.country) == 1
            text = gettext("the country is %(countries)s") if one else gettext("the country is one of %(countries)s")
            parts.append(text % said)
        if area.postcode is not None:
            parts.append(gettext("the postcode begins with %(postcodes)s") % {"postcodes": words.either(area.postcode)})
        return get_text_list(parts, gettext("and"))

    def condition(self, parameters: GeoParameters, context: Context) -> Sql:
        area, parts = parameters.geo, []
        if area.country is not None:
            parts.append(sql("c.country = ANY({codes}::text[])", codes=list(area.country)))
        if area.postcode is not None:
            begins = [sql("starts_with(c.postcode, {text}::text)", text=text) for text in area.postcode]
            parts.append(sql("({any})", any=Sql(" OR ").join(begins)))
        if area.near is not None:
            parts.append(_within(area))
        return sql("({all})", all=Sql(" AND ").join(parts))

    def value(self, parameters: GeoParameters, context: Context) -> Sql | None:
        area, parts = parameters.geo, []
        if area.country is not None:
            parts.append(Sql("c.country"))
        if area.postcode is not None:
            parts.append(Sql("c.postcode"))
        if area.near is not None:
            parts.append(sql("round(({distance})::numeric, 1)::text || ' km'", distance=_distance(area)))
        return sql("nullif(concat_ws(', ', {parts}), '')", parts=Sql(", ").join(parts))

    def check(self, parameters: GeoParameters, fields: Mapping[str, CustomerField]) -> list[Problem]:
        area = parameters.geo
        if area.near is None:
            return []
        found = fields.get(area.of)
        if found is not None and found.type == "geo":
            return []
        places = sorted(field.key for field in fields.values() if field.type == "geo")
        problem = f"{area.of} is a {found.type}, no place" if found is not None else f"unknown attribute {area.of!r}"
        near = get_close_matches(area.of, places, n=1) or places[:1]
        remedy = f"write for example of: {near[0]}" if near else "declare an attribute of type geo first"
        return [Problem("geo.of", problem, remedy)]


def _coordinates(area: Area) -> tuple[Sql, Sql]:
    item = sql("(c.attributes -> {of}::text)", of=area.of)
    return (
        sql("segment_coordinate({item}, 'lat', 0, 90)", item=item),
        sql("segment_coordinate({item}, 'lon', 1, 180)", item=item),
    )


def _distance(area: Area) -> Sql:
    lat, lon = _coordinates(area)
    return sql(
        "segment_distance({lat}, {lon}, {to_lat}::float8, {to_lon}::float8)",
        lat=lat,
        lon=lon,
        to_lat=area.near[0],
        to_lon=area.near[1],
    )


def _within(area: Area) -> Sql:
    """In the box around the circle, which four comparisons tell, and then in the circle."""
    lat, lon = _coordinates(area)
    return sql(
        "CASE WHEN {box} THEN {distance} <= {radius}::float8 END",
        box=_box(area, lat, lon),
        distance=_distance(area),
        radius=area.radius_km,
    )


def _box(area: Area, lat: Sql, lon: Sql) -> Sql:
    angle = (area.radius_km or 0) / EARTH_KM
    height = math.degrees(angle) + SPARE_DEGREES
    center_lat, center_lon = area.near
    south, north = center_lat - height, center_lat + height
    rows = sql("{lat} BETWEEN {south}::float8 AND {north}::float8", lat=lat, south=south, north=north)
    if south <= -90 or north >= 90:
        # A pole lies inside: every meridian passes through.
        return rows
    width = math.degrees(math.asin(min(1.0, math.sin(angle) / math.cos(math.radians(center_lat))))) + SPARE_DEGREES
    spans = [(center_lon - width + turn, center_lon + width + turn) for turn in (-360, 0, 360)]
    columns = [
        sql("{lon} BETWEEN {west}::float8 AND {east}::float8", lon=lon, west=west, east=east)
        for west, east in spans
        if west <= 180 and east >= -180
    ]
    return sql("{rows} AND ({columns})", rows=rows, columns=Sql(" OR ").join(columns))
