"""The statement as PDF and CSV, in the active language."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext, pgettext
from reportlab.lib import colors
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Paragraph, Spacer, Table, TableStyle

from loyalty.kit.admin import localized
from loyalty.kit.paper import BOLD, REGULAR, drawable, pages
from loyalty.kit.spreadsheets import cell
from loyalty.partners import statements
from loyalty.partners.models import Statement

_MUTED, _LINE = colors.HexColor("#5b6472"), colors.HexColor("#d9dde3")
COLUMNS = ("at", "kind", "receipt", "store", "points", "rate", "amount", "currency")


def kind_name(kind: str) -> str:
    """What a line of a statement is about."""
    return {
        "issue": gettext("Points earned at your shops"),
        "return": gettext("Points taken back by returns"),
        "burn": gettext("Points spent at your shops"),
        "refund": gettext("Points given back by returns"),
        "fee": gettext("Service fee"),
        "fee_back": gettext("Service fee of returns"),
    }.get(kind, kind)


def _draw(text: object, size: float = 9, *, bold: bool = False, right: bool = False, muted: bool = False) -> Paragraph:
    style = ParagraphStyle(
        "cell", fontName=BOLD if bold else REGULAR, fontSize=size, leading=size * 1.4, alignment=2 if right else 0,
        textColor=_MUTED if muted else colors.black,
    )  # fmt: skip
    return Paragraph(drawable(str(text), lambda _: "?"), style)


def _money(amount: Any, currency: str) -> str:
    return f"{number_format(amount, 2, force_grouping=True)} {currency}"


def pdf(statement: Statement) -> bytes:
    """The statement on paper."""
    partner = statement.partner
    name = localized(partner.name, partner.key)
    title = gettext("Statement %(number)s") % {"number": statement.number}
    story: list[Flowable] = [
        _draw(title, 17, bold=True),
        Spacer(0, 3 * mm),
        _draw(f"{name}\n{partner.definition.get('address', '')}"),
        Spacer(0, 3 * mm),
        _draw(
            gettext("Points of %(month)s, made on %(day)s")
            % {
                "month": date_format(statement.month, "F Y"),
                "day": date_format(statement.made_at.date(), "SHORT_DATE_FORMAT"),
            },
            muted=True,
        ),
        Spacer(0, 6 * mm),
    ]
    head = (pgettext("statement", "For"), gettext("Points"), gettext("Rate"), gettext("Amount"))
    rows = [[_draw(text, bold=True, right=place > 0) for place, text in enumerate(head)]]
    for line in statement.lines:
        points = "" if line["points"] is None else number_format(line["points"], force_grouping=True)
        rate = "" if line["rate"] is None else number_format(line["rate"])
        cells = (kind_name(line["kind"]), points, rate, _money(line["amount"], statement.currency))
        rows.append([_draw(text, right=place > 0) for place, text in enumerate(cells)])
    sums = [(gettext("Net"), statement.net, False)]
    if statement.tax:
        sums.append((gettext("Tax on service fees"), statement.tax, False))
    owed = gettext("You owe us") if statement.gross >= 0 else gettext("We owe you")
    sums.append((owed, abs(statement.gross), True))
    for text, amount, bold in sums:
        rows.append([_draw(text, bold=bold), "", "", _draw(_money(amount, statement.currency), bold=bold, right=True)])
    style = TableStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LINEBELOW", (0, 0), (-1, -1), 0.4, _LINE),
            ("LEFTPADDING", (0, 0), (0, -1), 0),
            ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
        ]
    )
    story.append(Table(rows, colWidths=(80 * mm, 30 * mm, 24 * mm, 40 * mm), style=style))
    return pages(story, title=title, foot=title)


def csv_lines(statement: Statement) -> Iterator[str]:
    """The bookings behind the statement, line by line; a few million do not have to fit into memory."""
    yield _line(COLUMNS)
    after = 0
    while rows := statements.lines_of(statement.pk, after=after):
        for row in rows:
            yield _line([*(_cell(row[name]) for name in COLUMNS[:-1]), statement.currency])
        after = rows[-1]["entry"]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, str):
        return cell(value)
    return f"{value.normalize():f}" if hasattr(value, "normalize") else str(value)


def _line(cells: Any) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()
