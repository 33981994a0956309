"""Pure: charts as the theme's script draws them (Chart.js): data and options as JSON texts for a canvas."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

# Told apart without colors too: by their order, and by the table beside the chart.
COLORS = ("var(--color-primary-600)", "#0d9488", "#d97706", "#64748b", "#be185d", "#2563eb")
# Readable on white and on the dark theme's ground.
INK = "#6b7280"


@dataclass(frozen=True, slots=True)
class Series:
    """One set of columns or bars, or one line."""

    label: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Chart:
    """`kind`, `data` and `options` are what the canvas carries; `labels` and `series` are for the table beside it."""

    kind: str
    data: str
    options: str
    labels: Sequence[str]
    series: Sequence[Series]
    height: int

    @property
    def rows(self) -> list[tuple[str, list[float]]]:
        """The figures as a table: a label and one value per series."""
        return [(label, [one.values[number] for one in self.series]) for number, label in enumerate(self.labels)]


def columns(labels: Sequence[str], series: Sequence[Series], *, stacked: bool = False, height: int = 260) -> Chart:
    """Columns for each label: beside each other, or on top of each other."""
    datasets = [
        {"label": one.label, "data": list(one.values), "backgroundColor": color, "borderRadius": 3,
         "maxBarThickness": 36}
        for one, color in zip(series, COLORS, strict=False)
    ]  # fmt: skip
    return _chart("bar", labels, series, datasets, height, stacked=stacked)


def lines(labels: Sequence[str], series: Sequence[Series], *, height: int = 260) -> Chart:
    """A line for each series."""
    datasets = [
        {"label": one.label, "data": list(one.values), "borderColor": color, "backgroundColor": color,
         "borderWidth": 2, "pointRadius": 0, "pointHoverRadius": 4}
        for one, color in zip(series, COLORS, strict=False)
    ]  # fmt: skip
    return _chart("line", labels, series, datasets, height, stacked=False)


def bars(labels: Sequence[str], series: Sequence[Series], *, first: int = 0) -> Chart:
    """Horizontal bars, side by side within a label; `first` is the color of the first series."""
    datasets = [
        {
            "label": one.label,
            "data": list(one.values),
            "backgroundColor": color,
            "borderRadius": 3,
            "maxBarThickness": 18,
        }
        for one, color in zip(series, COLORS[first:] + COLORS, strict=False)
    ]
    options = _options(legend=len(series) > 1) | {
        "indexAxis": "y",
        "scales": {
            "x": {"beginAtZero": True, "ticks": {"color": INK, "precision": 0}, "border": {"display": False}},
            "y": {"ticks": {"color": INK, "autoSkip": False}, "grid": {"display": False}},
        },
    }
    # A label in two lines leaves more room for the bars on a phone.
    lines = [label.split(" / ", 1) for label in labels]
    height = 64 + len(labels) * max(36, 20 * len(series) + 10)
    return Chart("bar", _json({"labels": lines, "datasets": datasets}), _json(options), labels, series, height)


def sparkline(labels: Sequence[str], one: Series, number: int) -> Chart:
    """One low line; `number` chooses its color."""
    color = COLORS[number % len(COLORS)]
    dataset = {
        "label": one.label,
        "data": list(one.values),
        "borderColor": color,
        "borderWidth": 2,
        "pointRadius": 0,
        "pointHoverRadius": 4,
        "pointBackgroundColor": INK,
    }
    options = _options(legend=False) | {
        "interaction": {"mode": "index", "intersect": False},
        "scales": {
            "x": {"ticks": {"color": INK, "maxTicksLimit": 4, "maxRotation": 0}, "grid": {"display": False}},
            "y": {
                "beginAtZero": True,
                "suggestedMax": 4,
                "ticks": {"color": INK, "precision": 0, "maxTicksLimit": 4},
                "border": {"display": False},
            },
        },
    }
    return Chart("line", _json({"labels": list(labels), "datasets": [dataset]}), _json(options), labels, [one], 150)


def _chart(
    kind: str, labels: Sequence[str], series: Sequence[Series], datasets: list[dict[str, object]], height: int, *,
    stacked: bool,
) -> Chart:  # fmt: skip
    options = _options(legend=len(series) > 1) | {
        "interaction": {"mode": "index", "intersect": False},
        "scales": {
            "x": {"stacked": stacked, "ticks": {"color": INK, "maxRotation": 0}, "grid": {"display": False}},
            "y": {"stacked": stacked, "beginAtZero": True, "ticks": {"color": INK, "maxTicksLimit": 6},
                  "border": {"display": False}},
        },
    }  # fmt: skip
    return Chart(kind, _json({"labels": list(labels), "datasets": datasets}), _json(options), labels, series, height)


def _options(*, legend: bool) -> dict[str, object]:
    return {
        "animation": False,
        "responsive": True,
        "maintainAspectRatio": False,
        "plugins": {
            "legend": {
                "display": legend,
                "align": "start",
                "labels": {"color": INK, "boxWidth": 12, "boxHeight": 12, "borderRadius": 3, "useBorderRadius": True},
            }
        },
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
