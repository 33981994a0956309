"""Pure: numbers, money and dates as a locale writes them, fast enough for a message a time.

Babel needs 30-60 us for a price. So each locale's way of writing is learned from Babel once (where the digits go,
which separators) and then done by plain formatting (about 1 us). A locale whose samples do not come out the same way
keeps Babel.
"""

from datetime import date, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_currency, format_decimal, format_percent, get_currency_precision

_SAMPLES = [Decimal(text) for text in ("0", "5", "12.3", "999.995", "1234.5", "9876543.21", "1234567890")]
_SAMPLES += [-sample for sample in _SAMPLES[1:]]
MAX_DIGITS = 30
LARGEST = Decimal("1e21")


class NotFormattable(ValueError):
    """A value is no number or no date; the text never repeats the value, which may be personal."""


def to_number(value: object) -> Decimal:
    """The value as a finite number below 1e21; raises NotFormattable."""
    kind = type(value)
    if kind is not str and kind is not int and kind is not float and not isinstance(value, Decimal):
        raise NotFormattable("the value is not a number")
    if kind is str and len(value) > 40:  # type: ignore[arg-type]
        raise NotFormattable("the value is not a number")
    try:
        number = Decimal(str(value) if kind is float else value)  # type: ignore[arg-type]
    except (InvalidOperation, ValueError):
        raise NotFormattable("the value is not a number") from None
    if not number.is_finite() or abs(number) >= LARGEST:
        raise NotFormattable("the number is too large")
    return number


def to_moment(value: object) -> date | datetime:
    """The value as a day or an instant: one already, or ISO 8601 text; raises NotFormattable."""
    if isinstance(value, date):
        return value
    if isinstance(value, str) and 8 <= len(value) <= 40:
        try:
            return date.fromisoformat(value) if len(value) <= 10 else datetime.fromisoformat(value)
        except ValueError:
            pass
    raise NotFormattable("the value is not a date")


def known_locale(name: str | None) -> str | None:
    """The name in Babel's spelling if Babel knows it (region dropped if need be), otherwise None."""
    if not name or len(name) > 35:
        return None
    return _known_locale(name)


@lru_cache(maxsize=2048)
def _known_locale(name: str) -> str | None:
    try:
        return str(Locale.parse(name.replace("_", "-"), sep="-"))
    except (UnknownLocaleError, ValueError, TypeError):
        language = name.replace("_", "-").partition("-")[0]
        return _known_locale(language) if language != name else None


class _Writer:
    """One way of writing numbers: fixed digits, learned separators and affixes."""

    __slots__ = ("exact", "negative", "positive", "slow", "spec", "table")

    def __init__(self, digits: int, slow: "_Slow") -> None:
        self.slow = slow
        self.spec = f",.{digits}f"
        self.positive = self.negative = ("", "")
        self.table: dict[int, str] = {}
        self.exact = self._learn(digits)

    def _learn(self, digits: int) -> bool:
        sample = self.slow(Decimal("7654321.5" if digits else "7654321"))
        places = [index for index, char in enumerate(sample) if char.isdigit()]
        if not places:
            return False
        core = sample[places[0] : places[-1] + 1]
        separators = [char for char in core if not char.isdigit()]
        if len(separators) != (3 if digits else 2):
            return False
        self.table = {ord(","): separators[0], ord("."): separators[-1]}
        self.positive = sample[: places[0]], sample[places[-1] + 1 :]
        minus = self.slow(Decimal("-7654321.5" if digits else "-7654321"))
        before, found, after = minus.partition(core)
        self.negative = before, after
        return bool(found) and all(self._fast(value) == self.slow(value) for value in _SAMPLES)

    def _fast(self, value: Decimal) -> str:
        text = format(value, self.spec)
        if text[0] == "-":
            before, after = self.negative
            return f"{before}{text[1:].translate(self.table)}{after}"
        before, after = self.positive
        return f"{before}{text.translate(self.table)}{after}"

    def __call__(self, value: Decimal) -> str:
        return self._fast(value) if self.exact else self.slow(value)


class _Slow:
    """Babel itself, for one locale, number of digits and currency."""

    __slots__ = ("currency", "locale", "pattern")

    def __init__(self, locale: Locale, digits: int, currency: str | None) -> None:
        self.locale = locale
        self.currency = currency
        base = locale.currency_formats["standard"] if currency else locale.decimal_formats[None]
        self.pattern = _with_digits(base.pattern, digits)

    def __call__(self, value: Decimal) -> str:
        if self.currency:
            return format_currency(value, self.currency, format=self.pattern, locale=self.locale, currency_digits=False)
        return format_decimal(value, format=self.pattern, locale=self.locale)


def _with_digits(pattern: str, digits: int) -> str:
    halves = []
    for half in pattern.split(";"):
        end = max(half.rfind("0"), half.rfind("#"))
        whole = half[: end + 1].partition(".")[0]
        halves.append(whole + ("." + "0" * digits if digits else "") + half[end + 1 :])
    return ";".join(halves)


class Formats:
    """How one locale writes values; made once per process and locale by `formats`."""

    def __init__(self, locale: str) -> None:
        self.name = locale
        self.locale = Locale.parse(locale)
        self._writers: dict[tuple[int, str | None], _Writer] = {}
        self._currencies: dict[str, _Writer] = {}
        self._amounts: dict[tuple[str | int, str | int | None], str] = {}

    def _writer(self, digits: int, currency: str | None) -> _Writer:
        key = (digits, currency)
        writer = self._writers.get(key)
        if writer is None:
            if len(self._writers) > 500:
                self._writers.clear()
            writer = self._writers[key] = _Writer(digits, _Slow(self.locale, digits, currency))
        return writer

    def number(self, value: object, digits: int | None = None) -> str:
        """With thousands separators; `digits` behind the decimal mark, as many as the value has (up to 3) if unset."""
        if type(value) is not str and type(value) is not int:
            return self._number(value, digits)
        key = (value, digits)
        return self._amounts.get(key) or self._keep(key, self._number(value, digits))

    def _number(self, value: object, digits: int | None) -> str:
        number = to_number(value)
        if digits is None:
            exponent = number.normalize().as_tuple().exponent
            digits = min(3, max(0, -exponent)) if isinstance(exponent, int) else 0
        if not 0 <= digits <= MAX_DIGITS:
            raise NotFormattable("the number of digits must be between 0 and 30")
        return self._writer(int(digits), None)(number)

    def _keep(self, key: tuple[str | int, str | int | None], text: str) -> str:
        """Remember: the text part repeats what the HTML part shows, and prices repeat between customers."""
        if len(self._amounts) > 20_000:
            self._amounts.clear()
        self._amounts[key] = text
        return text

    def money(self, value: object, currency: str = "EUR") -> str:
        """An amount with its currency sign; `currency` is an ISO 4217 code, unless the value brings its own."""
        if isinstance(value, dict):
            own: dict[str, Any] = value
            value, currency = own.get("amount"), own.get("currency") or currency
        writer = self._currencies.get(currency) if type(currency) is str else None
        if writer is None:
            writer = self._currency_writer(currency)
        if type(value) is not str and type(value) is not int:
            return writer(to_number(value))
        key = (value, currency)
        return self._amounts.get(key) or self._keep(key, writer(to_number(value)))

    def _currency_writer(self, currency: object) -> _Writer:
        if not (isinstance(currency, str) and len(currency) == 3 and currency.isascii() and currency.isalpha()):
            raise NotFormattable("the currency is not a code of three letters such as EUR")
        code = currency.upper()
        writer = self._writer(get_currency_precision(code), code)
        if len(self._currencies) < 500:
            self._currencies[currency] = writer
        return writer

    def percent(self, value: object, digits: int = 0) -> str:
        """A share as a percentage: 0.25 is 25 %."""
        if not 0 <= digits <= MAX_DIGITS:
            raise NotFormattable("the number of digits must be between 0 and 30")
        pattern = _with_digits(self.locale.percent_formats[None].pattern, digits)
        return format_percent(to_number(value), format=pattern, locale=self.locale)

    def date(self, value: object, style: str = "medium", zone: tzinfo | None = None) -> str:
        """A day: `short`, `medium`, `long`, `full`, or a pattern such as `d. MMMM`; instants are seen from `zone`."""
        moment = to_moment(value)
        if isinstance(moment, datetime):
            moment = (moment.astimezone(zone) if zone and moment.tzinfo else moment).date()
        return _date(moment, _style(style), self.name)

    def time(self, value: object, style: str = "short", zone: tzinfo | None = None) -> str:
        """The time of day of an instant, seen from `zone`."""
        return format_time(_instant(value, zone), format=_style(style), locale=self.locale)

    def datetime(self, value: object, style: str = "medium", zone: tzinfo | None = None) -> str:
        """Day and time of an instant, seen from `zone`."""
        return format_datetime(_instant(value, zone), format=_style(style), locale=self.locale)


def _instant(value: object, zone: tzinfo | None) -> datetime:
    moment = to_moment(value)
    if not isinstance(moment, datetime):
        raise NotFormattable("the value is a day without a time")
    return moment.astimezone(zone).replace(tzinfo=None) if zone and moment.tzinfo else moment


def _style(style: object) -> str:
    if not isinstance(style, str) or len(style) > 40:
        raise NotFormattable("the date style is not short, medium, long, full or a pattern of at most 40 characters")
    return style


@lru_cache(maxsize=4096)
def _date(day: date, style: str, locale: str) -> str:
    return format_date(day, format=style, locale=locale)


@lru_cache(maxsize=64)
def formats(locale: str) -> Formats:
    """The formats of a locale that `known_locale` returned."""
    return Formats(locale)
