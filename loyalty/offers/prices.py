"""Pure: prices that are struck out or compared in the texts of vouchers and offers.

Who announces a lower price beside an earlier one must name the lowest price of the last 30 days (§ 11 PAngV, Art. 6a of
Directive 98/6/EC). A text that compares and does not say so is allowed here, and warned of.
"""

import re
from collections.abc import Mapping

from loyalty.kit.problems import Problem

_MONEY = r"(?:(?:€|EUR|\$|£)\s*\d+(?:[.,]\d+)*|\d+(?:[.,]\d+)*\s*(?:€|EUR\b|Euro\b|\$|£)|\d+[.,]\d\d\b)"
_WORDS = r"(?:statt(?:\s+bisher)?|bisher(?:iger\s+Preis)?|vorher|früher|instead\s+of|was|formerly|previously|before)"
_COMPARED = re.compile(rf"\b{_WORDS}\b[:\s]*(?:nur\s+|only\s+)?{_MONEY}", re.IGNORECASE)
_STRUCK = re.compile(rf"(?:~~|<s>|<del>|<strike>)\s*{_MONEY}|\d\u0336", re.IGNORECASE)
_SAID = re.compile(r"30[\s-]*(?:Tage|Tagen|days?\b)|niedrigste[rn]?\s+(?:Gesamt)?preis|lowest\s+price", re.IGNORECASE)


def compared(text: str) -> str | None:
    """The words that compare a price, where the text does not name the lowest price of the last 30 days."""
    hit = _COMPARED.search(text) or _STRUCK.search(text)
    return None if hit is None or _SAID.search(text) else hit.group(0)


def found(texts: Mapping[str, Mapping[str, str]]) -> list[tuple[str, str]]:
    """(place, words) of each text that compares; `texts` are those of a document by field and language."""
    return [
        (f"{field}.{language}", words)
        for field, by_language in texts.items()
        for language, text in by_language.items()
        if (words := compared(text))
    ]


def warnings(texts: Mapping[str, Mapping[str, str]]) -> list[Problem]:
    """What to look at again, for who applies the document."""
    remedy = "name the lowest price of the last 30 days beside it (§ 11 PAngV), or leave the comparison out"
    return [Problem(where, f"{words!r} compares with an earlier price", remedy) for where, words in found(texts)]
