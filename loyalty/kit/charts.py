"""Pure: columns by month and lines over ages, as the theme's script draws them: data and options as JSON texts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

# Told apart without colors too: by their order, and by the table beside the chart.
COLORS = ("var(--color-primary-600)", "#0d9488", "#d97706", "#64748b", "#be185d", "#2563eb")
# Readable on white and on the dark theme's ground.
INK = "#6b7280"


@dataclass(frozen=True, slots=True)
class Series:
    """One set of columns or one line."""

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


def _chart(
    kind: str, labels: Sequence[str], series: Sequence[Series], datasets: list[dict[str, object]], height: int, *,
    stacked: bool,
) -> Chart:  # fmt: skip
    options = {
        "animation": False,
        "responsive": True,
        "maintainAspectRatio": False,
        "interaction": {"mode": "index", "intersect": False},
        "plugins": {
            "legend": {
                "display": len(series) > 1,
                "align": "start",
                "labels": {"color": INK, "boxWidth": 12, "boxHeight": 12, "borderRadius": 3, "useBorderRadius": True},
            }
        },
        "scales": {
            "x": {"stacked": stacked, "ticks": {"color": INK, "maxRotation": 0}, "grid": {"display": False}},
            "y": {"stacked": stacked, "beginAtZero": True, "ticks": {"color": INK, "maxTicksLimit": 6},
                  "border": {"display": False}},
        },
    }  # fmt: skip
    data = json.dumps({"labels": list(labels), "datasets": datasets}, ensure_ascii=False)
    return Chart(kind, data, json.dumps(options), labels, series, height)
