"""Pure: the credit report as CSV that a spreadsheet opens without running anything in it."""

import csv
import io
from collections.abc import Iterable, Mapping
from decimal import Decimal

from campaigns.attribution.report import Report, Total
from loyalty.kit.spreadsheets import cell

HEADER = ("by", "channel", "campaign", "flow", "step", "conversions", "revenue", "share")


def spreadsheet(report: Report) -> str:
    """One row per channel, campaign, flow and message; numbers with a decimal point, UTF-8 with a byte order mark."""
    out = io.StringIO()
    out.write("\ufeff")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADER)
    writer.writerow(_row("total", {}, report.total))
    groups: Iterable[tuple[str, Mapping[tuple[str | None, ...], Total], tuple[str, ...]]] = (
        ("channel", report.channels, ("channel",)),
        ("campaign", report.campaigns, ("campaign",)),
        ("flow", report.flows, ("flow",)),
        ("message", report.messages, ("flow", "step", "channel")),
    )
    for by, totals, names in groups:
        for key, total in totals.items():
            writer.writerow(_row(by, dict(zip(names, key, strict=True)), total))
    return out.getvalue()


def _row(by: str, keys: Mapping[str, str | None], total: Total) -> list[str]:
    return [
        by,
        *(cell(keys.get(name)) for name in HEADER[1:5]),
        _number(total.conversions),
        _number(total.revenue),
        f"{total.share:.6f}",
    ]


def _number(value: Decimal) -> str:
    return f"{value:f}"
