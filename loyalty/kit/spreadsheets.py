"""Pure: cells of CSV files that a spreadsheet shows as they are and never runs."""

import re

# What spreadsheets take for a formula at the beginning of a cell, the wide forms of East Asian keyboards too.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_BLANKS = " \t\r\n\u00a0"
_NUMBER = re.compile(r"[+-]?[\d ()/.-]*")


def cell(value: object, *, numbers: bool = False) -> str:
    """The value as a cell that is only text: what could begin a formula gets an apostrophe before it.

    `numbers`: texts of nothing but a sign, digits and what stands between them stay as they are, so that phone numbers
    and amounts can be read in again. None is an empty cell.
    """
    text = "" if value is None else str(value).replace("\0", "")
    if numbers and _NUMBER.fullmatch(text):
        return text
    runs = text.lstrip(_BLANKS).startswith(_FORMULA) or text[:1] in ("\t", "\r", "\n")
    return f"'{text}" if runs else text
