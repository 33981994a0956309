"""The PDF of a person's data: for each kind of data what it is, why, from where, for what benefit, until when; then the
profile and the newest rows. In the active language."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext, ngettext
from reportlab.lib import colors
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, KeepTogether, Paragraph, Spacer, Table, TableStyle

from loyalty.customers import showing
from loyalty.kit.paper import BOLD, REGULAR, drawable, pages

# A page of each is enough on paper; all rows are in the files beside it.
ROWS_SHOWN = 20
CELL_MAX = 400
_MUTED = colors.HexColor("#5b6472")
_LINE = colors.HexColor("#d9dde3")


def _style(name: str, **fields: Any) -> ParagraphStyle:
    return ParagraphStyle(name, **{"fontName": REGULAR, "fontSize": 8.5, "leading": 12, **fields})


_TITLE = _style("title", fontName=BOLD, fontSize=17, leading=22, spaceAfter=2 * mm)
_HEADING = _style("heading", fontName=BOLD, fontSize=11, leading=15, spaceBefore=6 * mm, spaceAfter=1.5 * mm)
_TEXT = _style("text", spaceAfter=2 * mm)
_LABEL = _style("label", textColor=_MUTED)
_CELL = _style("cell")
_SMALL = _style("small", fontSize=7, leading=9.5)


class _Writer:
    """Turns texts into what the font can draw, and remembers whether something was missing."""

    def __init__(self) -> None:
        self.missing = False

    def draw(self, text: object, style: ParagraphStyle) -> Paragraph:
        return Paragraph(drawable(str(text), self._replace), style)

    def _replace(self, one: str) -> str:
        self.missing = True
        return "?"


def paper(data: Mapping[str, Any]) -> bytes:
    """The PDF of the answer of `queries.access`."""
    write = _Writer()
    story: list[Flowable] = [
        write.draw(gettext("Your data"), _TITLE),
        write.draw(
            gettext(
                "This is what we hold about you, as of %(at)s: which data, what for, where from, what you have of it"
                " and how long it is kept. The files beside this one contain every row."
            )
            % {"at": _value(data["exported_at"])},
            _TEXT,
        ),
    ]
    story += _profile(data, write)
    for item in data["classes"]:
        story += _class(item, data["tables"][item["table"]], write)
    story.append(write.draw(gettext("Your rights"), _HEADING))
    story.append(write.draw(_rights(), _TEXT))
    if write.missing:
        note = gettext("Characters that this paper cannot show stand as “?”; the files beside it have them.")
        story.append(write.draw(note, _LABEL))
    return pages(story, title=gettext("Your data"), foot=gettext("Your data"))


def _rights() -> str:
    return gettext(
        "You may have wrong data corrected, have your data erased or their use restricted, take them along to somebody"
        " else (the JSON and CSV files are made for that), object to advertising and profiling, and withdraw any"
        " consent at any time. You may complain to a data protection authority."
    )


def _profile(data: Mapping[str, Any], write: _Writer) -> list[Flowable]:
    rows = data["tables"].get("customer") or [{}]
    pairs = [(name, value) for name, value in rows[0].items() if value not in (None, {}, "") and name != "attributes"]
    pairs += list((rows[0].get("attributes") or {}).items())
    sources = {row["key"]: row for row in data["tables"].get("attribute", ())}
    lines = []
    for name, value in pairs:
        known = sources.get(name, {})
        told = " · ".join(str(known[one]) for one in ("source", "purpose") if known.get(one))
        text = showing.field_shown(name, value, None) if name in showing.LABELS else _value(value)
        lines.append([write.draw(_label(name), _LABEL), write.draw(text, _CELL), write.draw(told, _SMALL)])
    return [write.draw(gettext("Profile"), _HEADING), _table(lines, (45 * mm, 85 * mm, 44 * mm))] if lines else []


def _label(name: str) -> str:
    own = {"source": gettext("Source"), "created_at": gettext("Known since"), "updated_at": gettext("Last changed")}
    return own.get(name) or showing.label(name, None)


def _class(item: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], write: _Writer) -> list[Flowable]:
    facts = [
        (gettext("What for"), item["purpose"]),
        (gettext("Where from"), item["origin"]),
        (gettext("Your benefit"), item["benefit"]),
        (gettext("Kept"), item["kept"]),
        (
            gettext("How many"),
            ngettext("%(n)s entry, in %(file)s", "%(n)s entries, in %(file)s", item["rows"])
            % {"n": item["rows"], "file": f"tables/{item['table']}.csv"},
        ),
    ]
    lines = [[write.draw(label, _LABEL), write.draw(text, _CELL)] for label, text in facts]
    head = KeepTogether([write.draw(item["what"], _HEADING), _table(lines, (30 * mm, 144 * mm))])
    if item["table"] == "customer":
        return [head]
    shown = [_line(row) for row in rows[-ROWS_SHOWN:]]
    title = gettext("The entries") if len(rows) <= ROWS_SHOWN else gettext("The newest entries")
    return [head, Spacer(0, 1.5 * mm), write.draw(title, _LABEL), *(write.draw(line, _SMALL) for line in shown)]


def _line(row: Mapping[str, Any]) -> str:
    text = " · ".join(f"{name}: {_value(value)}" for name, value in row.items() if value not in (None, "", {}, []))
    return text if len(text) <= CELL_MAX else f"{text[:CELL_MAX]}…"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and len(value) > 18 and (instant := _instant(value)):
        return instant
    return str(value)


def _instant(text: str) -> str | None:
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return date_format(localtime(found), "SHORT_DATETIME_FORMAT") if found and found.tzinfo else None


def _table(lines: list[list[Paragraph]], widths: tuple[float, ...]) -> Table:
    style = TableStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LINEBELOW", (0, 0), (-1, -1), 0.4, _LINE),
            ("LEFTPADDING", (0, 0), (0, -1), 0),
            ("TOPPADDING", (0, 0), (-1, -1), 2),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
        ]
    )
    return Table(lines, colWidths=widths, style=style)
