"""How fields of customers are shown to people, and written into forms."""

import json
from typing import Any

from babel import Locale
from django.utils.dateparse import parse_date
from django.utils.formats import date_format, number_format
from django.utils.text import capfirst
from django.utils.translation import get_language, gettext, gettext_lazy

from loyalty.customers.identities import FIELD
from loyalty.customers.models import Attribute, CustomerIdentity, Source
from loyalty.kit.admin import localized

NONE = "–"

LABELS = {
    "external_id": gettext_lazy("External id"),
    "email": gettext_lazy("Email"),
    "phone": gettext_lazy("Phone"),
    "first_name": gettext_lazy("First name"),
    "last_name": gettext_lazy("Last name"),
    "locale": gettext_lazy("Language"),
    "timezone": gettext_lazy("Time zone"),
    "country": gettext_lazy("Country"),
    "city": gettext_lazy("City"),
    "postcode": gettext_lazy("Postcode"),
    "birth_date": gettext_lazy("Birth date"),
}
SOURCES = {
    "admin": gettext_lazy("by hand"),
    "api": gettext_lazy("HTTP API"),
    "events": gettext_lazy("first event"),
    "import": gettext_lazy("import"),
    "preferences": gettext_lazy("preference page"),
    "tracker": gettext_lazy("website"),
}
CLASSES = {
    "zero": gettext_lazy("told by the person (zero party)"),
    "first": gettext_lazy("observed by us (first party)"),
    "second": gettext_lazy("from a partner (second party)"),
    "third": gettext_lazy("bought (third party)"),
}


def country_name(code: str | None) -> str:
    """The country in the active language; the code itself when it is unknown."""
    territories = _locale().territories
    return str(territories.get(code, code)) if code else ""


def label(field: str, attribute: Attribute | None) -> str:
    """What a field is called."""
    if field.startswith(FIELD):
        kind = field.removeprefix(FIELD)
        return capfirst(str(dict(CustomerIdentity.Kind.choices).get(kind, kind)))
    if field in LABELS:
        return str(LABELS[field])
    return localized(attribute.name, field) if attribute else field


def source_name(source: str | Source | None) -> str:
    """What a source is called; the name given to it goes before the product's own."""
    if source is None:
        return gettext("before sources were kept")
    if isinstance(source, Source):
        return localized(source.name, str(SOURCES.get(source.key, source.key)))
    return str(SOURCES.get(source, source))


def field_shown(field: str, value: Any, attribute: Attribute | None) -> str:
    """A field's value as people read it."""
    if value is None:
        return NONE
    if field == "country":
        return country_name(value)
    if field == "locale":
        return str(_locale().languages.get(str(value).partition("-")[0], value))
    if field == "birth_date":
        return _day(value)
    return shown(value, attribute)


def shown(value: Any, attribute: Attribute | None = None) -> str:
    """An attribute's value as people read it."""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, dict) and "amount" in value:
        return f"{number_format(value['amount'])} {value.get('currency', '')}".strip()
    if isinstance(value, dict) and attribute and attribute.type == Attribute.Type.GEO:
        return ", ".join(str(value[name]) for name in ("lat", "lon") if name in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return ", ".join(shown(item) for item in value)
    if isinstance(value, int | float):
        return number_format(value)
    choices = attribute.choices if attribute else None
    if isinstance(choices, dict) and value in choices:
        return localized(choices[value], str(value))
    if isinstance(value, str) and attribute and attribute.type == Attribute.Type.DATE:
        return _day(value)
    return NONE if value is None else str(value)


def written(value: Any) -> str:
    """A value as a form shows it to be changed, and as the intake reads it again."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case {"amount": amount}:
            return f"{amount} {value.get('currency') or ''}".strip()
        case {"lat": lat, "lon": lon}:
            return f"{lat}, {lon}"
        case list():
            return " | ".join(written(item) for item in value)
        case dict():
            return json.dumps(value, ensure_ascii=False)
    return str(value)


def _day(value: str) -> str:
    try:
        found = parse_date(value)
    except ValueError:
        found = None
    return date_format(found, "DATE_FORMAT") if found else value


def _locale() -> Locale:
    return Locale.parse((get_language() or "en").replace("-", "_"))
