"""The page that compares joining a coalition with a program of one's own."""

from decimal import Decimal
from typing import Any

from django import forms
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalty.kit.admin import admin_page, page
from loyalty.kit.charts import Series, columns
from loyalty.partners.calculator import Business, Way, needed_uplift, years


def _field(label: Any, initial: str, *, most: int | None = None, help_text: Any = "") -> forms.DecimalField:
    return forms.DecimalField(label=label, initial=Decimal(initial), min_value=0, max_value=most, help_text=help_text)


class CompareForm(forms.Form):
    """What both ways need to know."""

    customers = forms.IntegerField(label=_("Customers"), initial=200_000, min_value=1, max_value=1_000_000_000)
    spend = _field(_("Purchases of one customer in a year"), "400")
    margin = _field(_("Margin of purchases in %"), "25", most=100)

    own_share = _field(_("Own: customers who take part after 3 years in %"), "45", most=100)
    own_uplift = _field(_("Own: what members buy more in %"), "6", most=1000)
    own_reward = _field(_("Own: points in % of purchases"), "1", most=100)
    own_breakage = _field(_("Own: points never spent in %"), "20", most=100)
    own_setup = _field(_("Own: one-time cost"), "150000")
    own_yearly = _field(_("Own: cost per year"), "100000")
    own_member = _field(_("Own: cost per member and year"), "0.50")

    join_share = _field(_("Coalition: customers who take part after 3 years in %"), "60", most=100)
    join_uplift = _field(
        _("Coalition: what members buy more in %"), "3", most=1000,
        help_text=_("Usually less: members can spend the points elsewhere, and see the coalition rather than you."),
    )  # fmt: skip
    join_reward = _field(_("Coalition: points in % of purchases"), "0.5", most=100)
    join_fee = _field(_("Coalition: fee in % of the points' value"), "15", most=1000)
    join_setup = _field(_("Coalition: one-time cost"), "80000")
    join_yearly = _field(_("Coalition: cost per year"), "60000")
    join_member = _field(_("Coalition: cost per member and year"), "0.10")


def _shares(last: Decimal) -> tuple[Decimal, ...]:
    """Half of them come in the first year, a third in the second."""
    return (last / 2, last * 5 / 6, last)


@admin_page("partners/calculator/", name="partners_calculator", permission="partners.view_partner")
def calculator(request: HttpRequest) -> HttpResponseBase:
    """Three years of either, from the figures of the form; nothing is stored."""
    asked = bool(request.GET)
    first = {name: field.initial for name, field in CompareForm.base_fields.items()}
    form = CompareForm(request.GET if asked else first)
    context: dict[str, Any] = {"title": gettext("Join or own"), "form": form}
    if form.is_valid():
        given = form.cleaned_data
        business = Business(given["customers"], given["spend"], given["margin"])
        ways = {
            "own": Way(
                _shares(given["own_share"]), given["own_uplift"], given["own_reward"], given["own_breakage"],
                Decimal(0), given["own_setup"], given["own_yearly"], given["own_member"],
            ),
            "join": Way(
                _shares(given["join_share"]), given["join_uplift"], given["join_reward"], Decimal(0),
                given["join_fee"], given["join_setup"], given["join_yearly"], given["join_member"],
            ),
        }  # fmt: skip
        found = {key: years(business, way) for key, way in ways.items()}
        titles = {"own": gettext("A program of your own"), "join": gettext("Joining a coalition")}
        context |= {
            "ways": [(titles[key], found[key], needed_uplift(business, ways[key])) for key in ways],
            "better": titles[max(found, key=lambda key: found[key][-1].total)],
            "difference": abs(found["own"][-1].total - found["join"][-1].total),
            "chart": columns(
                [gettext("Year %(n)s") % {"n": year.number} for year in found["own"]],
                [Series(titles[key], [float(year.total) for year in found[key]]) for key in ways],
                height=240,
            ),
        }
    return page(request, "admin/partners/calculator.html", context)
