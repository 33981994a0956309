"""Pure: reading the built-in fields of a customer: addresses, language, time zone, country, names.

Addresses are judged by their syntax alone; no name server is asked. The same rules for parsers as in `values`.
"""

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any
from zoneinfo import available_timezones

import phonenumbers
from babel import Locale
from email_validator import EmailNotValidError, validate_email

from loyalty.customers.values import Parser, Refused, day, plain_text, shown

NAME_MAX = 300
# With the plus sign: E.164 ends at 15 digits, and what is shorter than 7 can only be dialed locally.
PHONE_LENGTHS = range(8, 17)
EXTERNAL_ID_MAX = 200

# What nearly every address looks like; it is right without the library, which takes 21 us an address (this: 0.6 us).
_USUAL_EMAIL = re.compile(
    r"[A-Za-z0-9_+\-]+(?:\.[A-Za-z0-9_+\-]+)*@(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)
_LOCALE = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}|\d{3}))?")
# Country codes whose national numbers have no prefix but "0".
_PLAIN_PLANS = {"31", "32", "33", "41", "43", "44", "46", "49"}
_NOT_COUNTRIES = {"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ"}


def email(value: Any) -> str:
    """An address with its domain in lower case."""
    text = plain_text(value)
    local, _, domain = text.rpartition("@")
    short = len(local) <= 64 and len(text) <= 254
    if short and "--" not in domain and _USUAL_EMAIL.fullmatch(text):
        return f"{local}@{domain.lower()}"
    try:
        return validate_email(text, check_deliverability=False, test_environment=True, strict=True).normalized
    except EmailNotValidError as error:
        raise Refused(f"{shown(text)} is not an email address: {str(error).rstrip('.').lower()}") from None


@lru_cache(maxsize=1024)
def _possible(country_code: str, length: int) -> bool:
    """Whether numbers of this length (with `+` and country code) exist in the plan."""
    sample = country_code + "9" * (length - 3)
    return length in PHONE_LENGTHS and phonenumbers.is_possible_number(phonenumbers.parse(sample, None))


@lru_cache(maxsize=4096)
def _phone(text: str) -> str:
    try:
        found = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        raise Refused(f"{shown(text)} is not a phone number", "write it with the country code, +49171...") from None
    written = str(phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164))
    if not phonenumbers.is_possible_number(found) or len(written) not in PHONE_LENGTHS:
        raise Refused(f"{shown(text)} has too many or too few digits for a phone number")
    return written


def phone(value: Any) -> str:
    """A number in E.164 (`+491711234567`), written internationally with any separators."""
    text = plain_text(value)
    if text.startswith("00"):
        text = "+" + text[2:]
    # 18 us in the library, 1 us here: in these plans only the length decides once the trunk zero is ruled out.
    plain = text[1:3] in _PLAIN_PLANS and text[3:4] != "0" and text[0] == "+" and text[1:].isdigit() and text.isascii()
    return text if plain and _possible(text[:3], len(text)) else _phone(text)


@lru_cache(maxsize=512)
def _locale(text: str) -> str:
    match = _LOCALE.fullmatch(text)
    if match is None:
        raise Refused(f"{shown(text)} is not a language", "use a BCP 47 tag such as de or de-AT")
    language, script, region = match.groups()
    parts = [language.lower(), script and script.title(), region and region.upper()]
    return "-".join(part for part in parts if part)


@cache
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime", "Factory"})


@lru_cache(maxsize=1024)
def _timezone(text: str) -> str:
    if text not in _timezones():
        raise Refused(f"{shown(text)} is not a time zone", "use an IANA name such as Europe/Berlin")
    return text


@cache
def _countries() -> frozenset[str]:
    known = {str(code) for code in Locale("en").territories}
    return frozenset(code for code in known if len(code) == 2 and code.isalpha()) - _NOT_COUNTRIES


@lru_cache(maxsize=1024)
def _country(text: str) -> str:
    code = text.upper()
    if code not in _countries():
        raise Refused(f"{shown(text)} is not a country", "use the two letters of ISO 3166 such as DE")
    return code


def _of_text(parse: Callable[[str], str]) -> Parser:
    return lambda value: parse(plain_text(value))


locale = _of_text(_locale)
timezone = _of_text(_timezone)
country = _of_text(_country)


def name(value: Any) -> str:
    """One line of text, inner white space made single."""
    text = " ".join(plain_text(value).split())
    if len(text) > NAME_MAX:
        raise Refused(f"is {len(text)} characters long", f"at most {NAME_MAX} are kept")
    return text


def key(value: Any) -> str:
    """An id of another system: one line of 1 to 200 characters."""
    text = plain_text(value)
    if not text:
        raise Refused("is empty", "give the id or leave the field out")
    if len(text) > EXTERNAL_ID_MAX:
        raise Refused(f"is {len(text)} characters long", f"at most {EXTERNAL_ID_MAX} are kept")
    if not text.isprintable():
        raise Refused("contains control characters", "remove them")
    return text


# The built-in fields in the order of their columns: (type, parser). `external_id` stands apart, it is the key.
BUILT_IN: dict[str, tuple[str, Parser]] = {
    "email": ("text", email),
    "phone": ("text", phone),
    "first_name": ("text", name),
    "last_name": ("text", name),
    "locale": ("text", locale),
    "timezone": ("text", timezone),
    "country": ("text", country),
    "city": ("text", name),
    "postcode": ("text", name),
    "birth_date": ("date", day),
}
