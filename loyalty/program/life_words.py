"""What members read when a program ends."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext

from loyalty.program.setup import Setup


def ending(setup: Setup, now: datetime) -> str:
    """Until when members of a program that ends earn and spend; empty where it goes on."""
    if setup.earns_until is None or setup.spends_until is None:
        return ""
    said = {
        "earn": date_format(setup.earns_until, "DATE_FORMAT"),
        "spend": date_format(setup.spends_until, "DATE_FORMAT"),
    }
    if now.astimezone(ZoneInfo(setup.zone)).date() > setup.spends_until:
        return gettext("The program ended on %(spend)s.") % said
    if setup.earning_over(now):
        return gettext("The program ends: points are not earned any more. You can use yours until %(spend)s.") % said
    return gettext("The program ends: you earn points until %(earn)s, and can use them until %(spend)s.") % said
