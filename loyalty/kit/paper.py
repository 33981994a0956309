"""PDFs: the fonts they are written in, what those cannot draw, and pages with a line at their foot."""

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import reportlab
from django.conf import settings
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.platypus import Flowable, SimpleDocTemplate

REGULAR, BOLD = "Paper", "Paper-Bold"
MARGIN = 18 * mm
_OWN = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"


class FontError(Exception):
    """PDF_FONT is no file with a TrueType font."""


@cache
def fonts() -> frozenset[int]:
    """Register REGULAR and BOLD; the characters they can draw.

    They are the file PDF_FONT and the one beside it whose name ends in `-Bold`; without the setting those that come
    with reportlab, which have the letters of western Europe, Poland and Turkey. Raises FontError.
    """
    regular = Path(settings.PDF_FONT) if settings.PDF_FONT else _OWN
    stem = regular.stem.removesuffix("-Regular")
    bold = next((path for path in map(regular.with_name, (f"{stem}-Bold.ttf", f"{stem}Bd.ttf")) if path.exists()), None)
    try:
        font = TTFont(REGULAR, str(regular))
        heavy = TTFont(BOLD, str(bold or regular))
    except (TTFError, OSError) as error:
        raise FontError(f"{regular}: {error}") from error
    pdfmetrics.registerFont(font)
    pdfmetrics.registerFont(heavy)
    pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR, boldItalic=BOLD)
    return frozenset(font.face.charToGlyph) & frozenset(heavy.face.charToGlyph)


def drawable(text: str, instead: Callable[[str], str]) -> str:
    """The text in the markup of paragraphs, with line ends; a character that the fonts lack becomes `instead` of it."""
    known = fonts()
    shown = "".join(one if ord(one) in known or one in " \n\t" else instead(one) for one in text)
    return escape(shown).replace("\n", "<br/>")


def pages(story: list[Flowable], *, title: str, foot: str = "") -> bytes:
    """An A4 document; the same story gives the same bytes: no time of making and no random id are inside.

    `foot` stands on the left at the foot of each page, the page's number on the right.
    """
    fonts()
    out = io.BytesIO()

    def number(canvas: Any, document: Any) -> None:
        canvas.setFont(REGULAR, 7)
        canvas.setFillGray(0.4)
        canvas.drawString(MARGIN, 10 * mm, foot)
        canvas.drawRightString(A4[0] - MARGIN, 10 * mm, str(document.page))

    margins = dict.fromkeys(("leftMargin", "rightMargin", "topMargin", "bottomMargin"), MARGIN)
    document = SimpleDocTemplate(out, pagesize=A4, title=title, author="", invariant=1, **margins)
    document.build(story, onFirstPage=number, onLaterPages=number)
    return out.getvalue()
