"""Plans and contracts in words, in the active language."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from loyalty.kit.admin import localized
from loyalty.program.setup import Setup
from loyalty.subscriptions.definition import PlanDocument
from loyalty.subscriptions.models import Declaration
from loyalty.subscriptions.terms import WITHDRAWAL_DAYS


def money(amount: Decimal, currency: str) -> str:
    """An amount as prices are written."""
    return f"{number_format(amount, 2, use_l10n=True, force_grouping=True)} {'€' if currency == 'EUR' else currency}"


def price(amount: Decimal, currency: str, months: int) -> str:
    """The fee with its period."""
    said = money(amount, currency)
    return (_("%(money)s a year") if months == 12 else _("%(money)s a month")) % {"money": said}


def day(value: datetime, zone: str) -> str:
    """A day as it is written out."""
    return date_format(value.astimezone(ZoneInfo(zone)), "DATE_FORMAT")


def last_day(end: datetime, zone: str) -> str:
    """The last day before something ends."""
    return day(end - timedelta(seconds=1), zone)


def moment(value: datetime, zone: str) -> str:
    """A day and the time, to the minute, with the zone."""
    here = value.astimezone(ZoneInfo(zone))
    return f"{date_format(here, 'DATE_FORMAT')}, {here:%H:%M:%S} {here:%Z}"


def days(document: PlanDocument, field: str) -> int:
    """A length of time in whole days."""
    return document.seconds(field) // 86_400


def benefits(document: PlanDocument, setup: Setup) -> list[str]:
    """What members get, one sentence each."""
    given = document.benefits
    said = []
    if given.tier:
        tier = next((one for one in setup.tiers if one.key == given.tier), None)
        name = localized(tier.name, tier.key) if tier else given.tier
        said.append(_("The tier %(tier)s as long as you pay") % {"tier": name})
    if given.points:
        _id, wallet = setup.wallet(given.wallet)
        count = number_format(given.points, force_grouping=True)
        said.append(_("%(n)s %(points)s every month") % {"n": count, "points": localized(wallet.name, _("points"))})
    for pool in given.vouchers:
        monthly = pool.per == "month" or document.fee.per == "month"
        if monthly:
            text = ngettext("%(n)s voucher every month", "%(n)s vouchers every month", pool.count)
        else:
            text = ngettext("%(n)s voucher every year", "%(n)s vouchers every year", pool.count)
        said.append(text % {"n": pool.count})
    return said + [localized(one, "") for one in given.texts]


def conditions(document: PlanDocument, *, trial: int, currency: str = "EUR") -> list[tuple[str, str]]:
    """What an order binds to: (what, how), all of it, for the page with the button."""
    currency = document.fee.currency or currency
    fee = price(document.fee.amount, currency, document.fee.months)
    found = [(_("Price"), _("%(fee)s, all taxes included") % {"fee": fee})]
    if trial:
        text = ngettext(
            "%(n)s day for free. Cancel before it ends, and you pay nothing.",
            "%(n)s days for free. Cancel before they end, and you pay nothing.", trial,
        )  # fmt: skip
        found.append((_("Trial"), text % {"n": trial}))
    else:
        found.append((_("First payment"), _("due at once; the membership begins with it")))
    notice = days(document, "notice")
    if document.term:
        text = ngettext("%(n)s month", "%(n)s months", document.term) % {"n": document.term}
        found.append((_("First term"), text))
        text = ngettext(
            "until %(n)s day before the first term ends", "until %(n)s days before the first term ends", notice
        )
        found.append((pgettext("contract", "Cancel"), text % {"n": notice}))
    else:
        found.append((_("First term"), _("none: it can be cancelled from the first day")))
    if notice:
        later = ngettext(
            "for an unlimited time; cancel whenever you like, it ends after %(n)s day at the latest, and what was paid"
            " for later is paid back",
            "for an unlimited time; cancel whenever you like, it ends after %(n)s days at the latest, and what was paid"
            " for later is paid back",
            notice,
        ) % {"n": notice}
    else:
        later = _("for an unlimited time; cancel whenever you like, it ends at once, and what was paid for later is"
                  " paid back")  # fmt: skip
    found.append((_("How it goes on"), later))
    return found


def withdrawal(document: PlanDocument) -> str:
    """What members are told about the right of withdrawal."""
    own = localized(document.withdrawal, "")
    return own or _(
        "You can withdraw from this contract within %(n)s days without giving any reason. The period ends %(n)s days"
        " after the day of the contract. To exercise the right, tell us so in a clear statement, for example by the"
        " button for withdrawals on our website or by letter or email. All payments are given back without delay, at"
        " the latest 14 days after your statement reached us, by the means with which you paid. If you asked that the"
        " membership begins before the period is over, you pay for the part that you had until then."
    ) % {"n": WITHDRAWAL_DAYS}


def as_declared(said: Declaration, zone: str, *, words: bool = True) -> list[tuple[str, str]]:
    """A declaration as it was made: (what, how); without `words` only what was chosen, not what was written."""
    rows = [(_("Received"), moment(said.received_at, zone))]
    if words:
        rows.append((_("Name"), said.name or ""))
    rows.append((_("Email"), said.email or ""))
    if said.contract and words:
        rows.append((_("Contract as written"), said.contract))
    if said.kind == "cancel":
        rows.append((_("Kind"), _("for good cause") if said.extraordinary else _("ordinary")))
        wished = date_format(said.wished_end, "DATE_FORMAT") if said.wished_end else _("as soon as possible")
        rows.append((_("Last day"), wished))
    if said.reason and words:
        rows.append((_("Cause"), said.reason))
    return rows
