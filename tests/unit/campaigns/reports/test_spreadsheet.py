"""The CSV of the credit report runs nothing in a spreadsheet."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from campaigns.attribution.report import Reconciliation, Report, Total
from campaigns.reports.spreadsheet import HEADER, spreadsheet

ZERO = Decimal(0)


def report(step: str, revenue: str = "10.50") -> Report:
    total = Total(Decimal("1.5"), Decimal(revenue), 1.0)
    return Report(
        goal="order",
        model="linear",
        start=None,
        end=datetime(2026, 3, 1, tzinfo=UTC),
        window=timedelta(days=7),
        total=total,
        channels={("email",): total},
        campaigns={(None,): total},
        flows={("winback",): total},
        messages={("winback", step, "email"): total},
        reconciliation=Reconciliation(1, ZERO, ZERO, ZERO, 0, 0),
    )


def test_rows() -> None:
    text = spreadsheet(report('=HYPERLINK("http://x")', "-3.00"))
    assert text.startswith("\ufeff")
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert rows == [
        list(HEADER),
        ["total", "", "", "", "", "1.5", "-3.00", "1.000000"],
        ["channel", "email", "", "", "", "1.5", "-3.00", "1.000000"],
        ["campaign", "", "", "", "", "1.5", "-3.00", "1.000000"],
        ["flow", "", "", "winback", "", "1.5", "-3.00", "1.000000"],
        ["message", "email", "", "winback", '\'=HYPERLINK("http://x")', "1.5", "-3.00", "1.000000"],
    ]
