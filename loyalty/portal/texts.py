"""Texts, numbers and days as the portal's pages write them."""

from datetime import datetime, timedelta
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import get_language


def localized(name: Any, fallback: str) -> str:
    """The text in the active language of `{"en": ..., "de": ...}`, else in any, else the fallback."""
    if not isinstance(name, dict) or not name:
        return fallback
    language = (get_language() or "en").partition("-")[0]
    return str(name.get(language) or name.get("en") or next(iter(name.values())) or fallback)


def number(value: Any) -> str:
    """A whole number with the separators of the language."""
    return number_format(int(value), use_l10n=True, force_grouping=True)


def day(value: datetime) -> str:
    """A day as it is written out."""
    return date_format(localtime(value), "DATE_FORMAT")


def moment(value: datetime) -> str:
    """A day and the time."""
    return date_format(localtime(value), "DATETIME_FORMAT")


def last_day(end: datetime) -> str:
    """The last day before something ends: what ends at midnight ends with the day before."""
    return day(end - timedelta(seconds=1))


def amount_of(value: Any, currency: str | None) -> str:
    """Money, with the separators of the language."""
    return f"{number_format(value, 2, use_l10n=True, force_grouping=True)} {currency or ''}".strip()
