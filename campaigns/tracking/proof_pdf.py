"""The proof of a double opt-in as a PDF to print, in English or German."""

from collections.abc import Iterable
from datetime import datetime
from textwrap import wrap
from typing import Any

from django.http import HttpResponse
from django.utils import translation
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from reportlab.lib import colors
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import Paragraph, Spacer, Table, TableStyle

from loyalty.consent.models import Purpose
from loyalty.kit import clock
from loyalty.kit.paper import BOLD, REGULAR, drawable, pages

# About a third of a page.
PART_MAX = 1000
Rows = list[tuple[str, Any]]


def answer(found: dict[str, Any], locale: str) -> HttpResponse:
    """The proof (`proof.of`) as a PDF in that language."""
    with translation.override(locale):
        content = made(found)
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="double-opt-in-{found["id"]}.pdf"'
    response["Cache-Control"] = "no-store"
    return response


def made(found: dict[str, Any]) -> bytes:
    """The PDF in the active language."""
    title = _("Proof of consent by double opt-in")
    at = date_format(localtime(clock.now()), "DATETIME_FORMAT")
    foot = _("%(number)s, printed %(at)s") % {"number": found["id"], "at": at}
    return pages(list(_story(found, title)), title=title, foot=foot)


def _story(found: dict[str, Any], title: str) -> Iterable[Any]:
    heading = ParagraphStyle("title", fontName=BOLD, fontSize=16, leading=20, spaceAfter=3 * mm)
    lead = ParagraphStyle("lead", fontName=REGULAR, fontSize=9.5, leading=14, textColor=colors.HexColor("#444444"))
    section = ParagraphStyle("section", fontName=BOLD, fontSize=11, leading=14, spaceBefore=6 * mm, spaceAfter=2 * mm)
    yield Paragraph(_told(title), heading)
    yield Paragraph(_told(_lead(found)), lead)
    yield Spacer(1, 2 * mm)
    for name, rows in _sections(found):
        yield Paragraph(_told(name), section)
        yield _table(rows)


def _lead(found: dict[str, Any]) -> str:
    if found["state"] == "confirmed":
        return _(
            "The person asked for messages, got one mail without advertising, and confirmed by pressing the button"
            " behind the link in it. All times are those of our servers."
        )
    return _("This request was not confirmed. It allows nothing.")


def _sections(found: dict[str, Any]) -> list[tuple[str, Rows]]:
    asked, mail, confirmation = found["request"], found["mail"] or {}, found["confirmation"] or {}
    purposes = dict(Purpose.choices)
    sections: list[tuple[str, Rows]] = [
        (
            _("What it is about"),
            [
                (_("Address"), found["address"]),
                (_("Customer"), found["customer"]),
                (_("Channel"), _("Email")),
                (_("Purposes"), ", ".join(str(purposes.get(one, one)) for one in found["purposes"])),
                (_("Topics"), ", ".join(found["topics"])),
                (_("Number"), found["id"]),
            ],
        ),
        (
            _("1. The request"),
            [
                (_("When"), asked["at"]),
                (_("Where"), asked["source"]),
                (_("Form"), asked["form"]),
                (_("IP address"), asked["ip"]),
                (_("Browser"), asked["user_agent"]),
                (_("Version of the text"), asked["text_version"]),
                (_("Text that was shown"), asked["text"]),
            ],
        ),
        (
            _("2. The mail"),
            [
                (_("Sent"), mail.get("sent_at")),
                (_("To"), mail.get("to")),
                (_("Subject"), mail.get("subject")),
                (_("Message number"), mail.get("message_id")),
                (_("Receipt of the mail server"), mail.get("provider_id") or mail.get("answer")),
                (_("SHA-256 of the mail"), mail.get("sha256")),
                (_("Text of the mail"), mail.get("text")),
            ],
        ),
        (
            _("3. The confirmation"),
            [
                (_("When"), confirmation.get("at")),
                (_("IP address"), confirmation.get("ip")),
                (_("Browser"), confirmation.get("user_agent")),
                (_("Entries in the ledger"), ", ".join(f"{one['id']} ({one['purpose']})" for one in found["entries"])),
            ],
        ),
    ]
    return sections


def _table(rows: Rows) -> Any:
    label = ParagraphStyle("label", fontName=REGULAR, fontSize=8.5, leading=12, textColor=colors.HexColor("#555555"))
    value = ParagraphStyle("value", fontName=REGULAR, fontSize=9, leading=12.5, splitLongWords=1)
    cells = [[Paragraph(_told(name), label), part] for name, given in rows for part in _parts(given, value)]
    # A long text goes on in rows of its own, since a row cannot be broken over pages; its label stands once.
    for place in range(len(cells) - 1, 0, -1):
        if cells[place][0].text == cells[place - 1][0].text:
            cells[place][0] = Paragraph("", label)
    table = Table(cells, colWidths=[46 * mm, 124 * mm])
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEABOVE", (0, 0), (-1, 0), 0.5, colors.HexColor("#bbbbbb")),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
                ("LEFTPADDING", (0, 0), (0, -1), 0),
            ]
        )
    )
    return table


def _parts(given: Any, style: ParagraphStyle) -> list[Any]:
    if isinstance(given, datetime):
        given = date_format(localtime(given), "DATETIME_FORMAT") + f" ({given.isoformat(timespec='seconds')})"
    # A row that is higher than a page could not be printed.
    lines = [part for line in str(given or "–").splitlines() for part in wrap(line, PART_MAX)]
    return [Paragraph(_told(line) or " ", style) for line in lines if line.strip()] or [Paragraph("–", style)]


def _told(text: str) -> str:
    """Text for the PDF's own markup: escaped, and letters that the font lacks shown as what they are called."""
    return drawable(text, lambda char: f"[U+{ord(char):04X}]")
