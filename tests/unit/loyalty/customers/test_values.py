"""Reading typed values: what is taken, what is refused, and that nothing else comes out."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.customers.addresses import BUILT_IN, country, email, key, locale, phone, timezone
from loyalty.customers.values import PARSERS, Refused, choice, guess_type

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=6,
)
PARSED = [*((name, parser) for name, (_, parser) in BUILT_IN.items()), *PARSERS.items(), ("key", key)]


@pytest.mark.parametrize(("name", "parser"), PARSED, ids=[name for name, _ in PARSED])
@given(value=JSON.filter(lambda value: value is not None))
def test_any_value_is_read_or_refused_with_a_sentence_and_reading_again_changes_nothing(
    name: str, parser: Any, value: Any
) -> None:
    try:
        stored = parser(value)
    except Refused as refused:
        assert refused.problem
        return
    encoded = json.dumps(stored, allow_nan=False)
    assert "\\u0000" not in encoded
    encoded.encode()
    if stored != "":
        assert parser(stored) == stored


@given(value=st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**12), max_value=10**12))
def test_numbers_and_money_are_exact(value: Any) -> None:
    assert str(PARSERS["money"](str(value))) == f"{value:f}"
    assert json.loads(json.dumps(PARSERS["number"](str(value)))) == float(value)


@pytest.mark.parametrize(
    ("type_", "value", "stored"),
    [
        ("text", "  Anna ", "Anna"),
        ("text", 50667, "50667"),
        ("number", "12.50", 12.5),
        ("number", "3.0", 3),
        ("number", 1e3, 1000),
        ("money", "12.50", "12.50"),
        ("money", "12.50 eur", {"amount": "12.50", "currency": "EUR"}),
        ("money", {"amount": 12.5, "currency": "EUR"}, {"amount": "12.5", "currency": "EUR"}),
        ("date", "2024-02-29", "2024-02-29"),
        ("date", "2024-02-29T23:30:00+01:00", "2024-02-29"),
        ("boolean", "ja", True),
        ("boolean", 0, False),
        ("list", "red|blue", ["red", "blue"]),
        ("list", ["a", 1], ["a", 1]),
        ("geo", "50.94, 6.96", {"lat": 50.94, "lon": 6.96}),
        ("geo", {"lat": 50, "lon": -6}, {"lat": 50.0, "lon": -6.0}),
    ],
)
def test_values_are_stored_in_one_form(type_: str, value: Any, stored: Any) -> None:
    assert PARSERS[type_](value) == stored
    assert type(PARSERS[type_](value)) is type(stored)


@pytest.mark.parametrize(
    ("type_", "value", "problem", "remedy"),
    [
        (
            "number",
            "1.234,50",
            "'1.234,50' is not a number",
            "write the decimal point as '.', without thousands separators",
        ),
        ("number", "1234567890.1234567", "'1234567890.1234567' has too many digits", "at most 15 are kept"),
        ("number", True, "True is not a number", ""),
        ("number", float("nan"), "nan is not a number", ""),
        ("money", "12 Euro", "'Euro' is not a currency", "use the ISO 4217 code such as EUR"),
        ("date", "31.12.1980", "'31.12.1980' is not a date", "write it as YYYY-MM-DD"),
        ("date", "2023-02-29", "'2023-02-29' is no day of the calendar", ""),
        ("boolean", "maybe", "'maybe' is not true or false", "write true or false"),
        ("geo", "95,0", "'95,0' is not on earth", "latitude is -90 to 90, longitude -180 to 180"),
        ("text", "a\0b", "contains a NUL character", "remove it"),
        ("text", "\ud800", "contains half a character (a lone surrogate)", "repair the encoding"),
        ("text", {"a": 1}, "{'a': 1} is not text", ""),
    ],
)
def test_refusals_say_what_is_wrong_and_what_to_do(type_: str, value: Any, problem: str, remedy: str) -> None:
    with pytest.raises(Refused) as refused:
        PARSERS[type_](value)
    assert (refused.value.problem, refused.value.remedy) == (problem, remedy)


def test_choices_are_listed_when_one_is_unknown() -> None:
    assert choice(["gold", "silver"])("gold") == "gold"
    with pytest.raises(Refused) as refused:
        choice(["gold", "silver"])("bronze")
    assert refused.value.remedy == "known: gold, silver"


@pytest.mark.parametrize(
    ("parser", "value", "stored"),
    [
        (email, " Ada.L@Example.COM ", "Ada.L@example.com"),
        (email, "ada@shop.test", "ada@shop.test"),
        (email, "ü@münchen.de", "ü@münchen.de"),
        (phone, "+49 171 123 4567", "+491711234567"),
        (phone, "0049171/1234567", "+491711234567"),
        (phone, "+490171 1234567", "+491711234567"),
        (phone, "+12025550123", "+12025550123"),
        (locale, "de_at", "de-AT"),
        (locale, "zh-hant-tw", "zh-Hant-TW"),
        (timezone, "Europe/Berlin", "Europe/Berlin"),
        (country, "de", "DE"),
    ],
)
def test_addresses_are_stored_in_one_form(parser: Any, value: str, stored: str) -> None:
    assert parser(value) == stored


@pytest.mark.parametrize(
    ("parser", "value"),
    [
        (email, "ada"),
        (email, "ada@localhost"),
        (email, "a..b@example.com"),
        (email, "ada@-example.com"),
        (email, "a" * 65 + "@example.com"),
        (email, "ada@example.com\nBcc: eve@example.com"),
        (phone, "0171 1234567"),
        (phone, "+4917"),
        (phone, "+49171123456789012"),
        (locale, "german"),
        (timezone, "Berlin"),
        (timezone, "../../etc/passwd"),
        (country, "Germany"),
        (country, "EU"),
        (key, ""),
        (key, "x" * 201),
        (key, "a\nb"),
    ],
)
def test_what_is_no_address_is_refused(parser: Any, value: str) -> None:
    with pytest.raises(Refused):
        parser(value)


@given(number=st.from_regex(r"\+(49|43|41|44|33|31|32|46)[0-9]{3,13}", fullmatch=True))
def test_the_short_way_to_phone_numbers_agrees_with_the_library(number: str) -> None:
    from loyalty.customers import addresses

    def outcome(parse: Any) -> str | None:
        try:
            return str(parse(number))
        except Refused:
            return None

    assert outcome(phone) == outcome(addresses._phone)


@given(
    local=st.from_regex(r"[A-Za-z0-9_+.\-]{1,20}", fullmatch=True),
    domain=st.from_regex(r"[a-z0-9.\-]{1,20}\.(de|org)", fullmatch=True),
)
def test_the_short_way_to_email_addresses_agrees_with_the_library(local: str, domain: str) -> None:
    from email_validator import EmailNotValidError, validate_email

    try:
        expected = validate_email(f"{local}@{domain}", check_deliverability=False).normalized
    except EmailNotValidError:
        expected = None
    try:
        found = email(f"{local}@{domain}")
    except Refused:
        found = None
    assert found == expected


@pytest.mark.parametrize(
    ("value", "written", "type_"),
    [
        ("12", True, "number"),
        ("12", False, "text"),
        ("01234", True, "text"),
        ("2024-01-31", False, "date"),
        ("true", True, "boolean"),
        (True, False, "boolean"),
        (1.5, False, "number"),
        ([1], False, "list"),
        ({"lat": 1, "lon": 2}, False, "geo"),
        ({"amount": "1", "currency": "EUR"}, False, "money"),
    ],
)
def test_an_unannounced_attribute_gets_the_type_of_its_first_value(value: Any, written: bool, type_: str) -> None:
    assert guess_type(value, written=written) == type_
