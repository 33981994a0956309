"""The attribution report as a page shows it: the question as a form, the answer as cards, charts, tables and words."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from campaigns.attribution import queries
from campaigns.attribution.method import methods
from campaigns.attribution.report import Report, Total
from campaigns.channels import words
from campaigns.planning.models import Goal
from campaigns.reports.kept import Kept, kept
from loyalty.kit.admin import localized
from loyalty.kit.charts import COLORS, Chart, Series, bars
from loyalty.kit.periods import Period, local

DAYS = 30
LONGEST_WINDOW = 366 * 86_400
# More bars than this cannot be told apart; the table has them all.
BARS = 12
COMPARED = 8
NONE = "none"
Key = tuple[str | None, ...]


def _day(label: Any) -> forms.DateField:
    return forms.DateField(label=label, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))


class ReportForm(forms.Form):
    """`from` and `to` are both inside the period. What is missing is preset: first goal, last touch, 30 days."""

    goal = forms.ChoiceField(label=_("Goal"))
    model = forms.ChoiceField(label=_("Model"))

    def __init__(self, data: Mapping[str, str], goals: list[Goal], today: date) -> None:
        preset = {
            "goal": goals[0].key if goals else "",
            "model": "last_touch",
            "from": (today - timedelta(days=DAYS - 1)).isoformat(),
            "to": today.isoformat(),
            "window": "",
        }
        super().__init__({name: data.get(name) or value for name, value in preset.items()}, auto_id="report_%s")
        self.fields["goal"].choices = [(goal.key, localized(goal.name, goal.key)) for goal in goals]  # type: ignore[attr-defined]
        self.fields["model"].choices = [(key, method.label) for key, method in methods.items()]  # type: ignore[attr-defined]
        self.fields["from"] = _day(pgettext_lazy("day", "From"))
        self.fields["to"] = _day(pgettext_lazy("day", "To"))
        self.fields["window"] = forms.CharField(
            label=_("Window"),
            required=False,
            max_length=40,
            widget=forms.TextInput(attrs={"placeholder": gettext("the goal's own"), "size": 14}),
        )

    def clean_window(self) -> timedelta | None:
        text = self.cleaned_data["window"]
        if not text:
            return None
        try:
            seconds = Period.parse(text).seconds
        except ValueError:
            seconds = None
        if not seconds or seconds > LONGEST_WINDOW:
            raise forms.ValidationError(_("Write a time such as 12h, 7d or 2w, up to 366d."))
        return timedelta(seconds=seconds)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("from") and data.get("to") and data["to"] < data["from"]:
            self.add_error("to", _("This day lies before the first one."))
        return data

    def bounds(self) -> tuple[datetime, datetime]:
        """The period `[start, end)` in the project's time zone."""
        first, last = self.cleaned_data["from"], self.cleaned_data["to"]
        return local(first, time(), settings.TIME_ZONE), local(last + timedelta(days=1), time(), settings.TIME_ZONE)

    def reports(self, goal: Goal) -> Kept[dict[str, Report]]:
        """The answer by every model; raises Problems."""
        start, end = self.bounds()
        window = self.cleaned_data["window"]
        models = list(methods)
        return kept(
            "credit",
            lambda: queries.reports(goal=goal.key, models=models, start=start, end=end, window=window),
            *(goal.pk, goal.updated_at, models, start, end, window),
        )


def today() -> date:
    """Today in the project's time zone."""
    return timezone.localdate()


def answer(form: ReportForm, goals: list[Goal]) -> dict[str, Any]:
    """Everything the page shows for a valid form; raises Problems."""
    chosen = form.cleaned_data["model"]
    goal = next(goal for goal in goals if goal.key == form.cleaned_data["goal"])
    read = form.reports(goal)
    reports = read.value
    report = reports[chosen]
    untouched = report.channels.get((NONE,))
    touched = report.total.conversions - (untouched.conversions if untouched else 0)
    method = methods.get(chosen)
    return {
        "as_of": read.at,
        "report": report,
        "goal": goal,
        "goal_name": localized(goal.name, goal.key),
        "model_label": method.label,
        "model_sentence": method.sentence,
        "window": str(Period(seconds=int(report.window.total_seconds()))),
        "touched": touched,
        "touched_share": 100 * float(touched / report.total.conversions) if report.total.conversions else 0.0,
        "untouched": untouched,
        "chart": _chart(report),
        "comparison": _comparison(reports),
        "compared": _compared(reports),
        "tables": [
            (gettext("By channel"), gettext("Channel"), rows(report.channels, channel_name)),
            (gettext("By campaign"), gettext("Campaign"), rows(report.campaigns)),
            (gettext("By flow"), gettext("Flow"), rows(report.flows)),
            (gettext("By message"), gettext("Message"), rows(report.messages)),
        ],
        "words": report.reconciliation,
        "agrees": not (report.reconciliation.conversions_difference or report.reconciliation.revenue_difference),
    }


def rows(totals: Mapping[Key, Total], named: Callable[[Key], str] | None = None) -> list[dict[str, Any]]:
    """Lines of a table: name, figures and the share in percent."""
    return [
        {"name": (named or name)(key), "total": total, "percent": 100 * total.share} for key, total in totals.items()
    ]


def name(key: Key) -> str:
    """A campaign, flow or message in words; credit that belongs to none is told apart."""
    if len(key) == 3:
        flow, step, channel = key
        return (
            gettext("no touch")
            if channel == NONE
            else f"{flow or '–'} / {step or '–'} ({words.channel(channel or '')})"
        )
    return key[0] or gettext("none")


def channel_name(key: Key) -> str:
    """A channel in words."""
    return gettext("no touch") if key[0] == NONE else words.channel(key[0] or "")


def _messages(report: Report, most: int) -> list[Key]:
    """The messages with the most conversions, without what no touch came before."""
    return [key for key in report.messages if key[-1] != NONE][:most]


def _chart(report: Report) -> Chart | None:
    keys = _messages(report, BARS)
    if not keys:
        return None
    values = [float(report.messages[key].conversions) for key in keys]
    color = list(methods).index(report.model) % len(COLORS)
    return bars([name(key) for key in keys], [Series(gettext("Conversions"), values)], first=color)


def _comparison(reports: Mapping[str, Report]) -> Chart | None:
    keys = _union(reports)[:COMPARED]
    if not keys:
        return None
    series = [
        Series(str(methods.get(model).label), [_conversions(report, key) for key in keys])
        for model, report in reports.items()
    ]
    return bars([name(key) for key in keys], series)


def _compared(reports: Mapping[str, Report]) -> dict[str, Any]:
    """The comparison as a table, with revenue."""
    return {
        "models": [methods.get(model).label for model in reports],
        "rows": [(name(key), [report.messages.get(key) for report in reports.values()]) for key in _union(reports)],
    }


def _union(reports: Mapping[str, Report]) -> list[Key]:
    """Every message that any model credits, those with the most conversions first."""
    found: dict[Key, float] = {}
    for report in reports.values():
        for key in _messages(report, 1_000):
            found[key] = found.get(key, 0.0) + _conversions(report, key)
    return sorted(found, key=lambda key: -found[key])


def _conversions(report: Report, key: Key) -> float:
    total = report.messages.get(key)
    return float(total.conversions) if total else 0.0
