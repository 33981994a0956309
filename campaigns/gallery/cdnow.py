"""Pure: the CDNOW purchase log as customers and events, ready for `import_customers` and `import_events`.

Customer numbers, dates, quantities and amounts are real (`data/cdnow.md` says whose). All else about a person and the
time of day of a purchase is SYNTHETIC: computed from the customer number or the row number alone, so that every run and
every machine gets the same. Addresses are in example.com, which is reserved and reaches nobody.
"""

import csv
import gzip
import hashlib
from collections.abc import Iterator
from datetime import date
from importlib import resources
from typing import NamedTuple, TextIO

CUSTOMER_FIELDS = ("external_id", "email", "first_name", "locale", "country", "timezone")
EVENT_FIELDS = ("id", "customer", "name", "occurred_at", "amount", "quantity", "currency")

# (weight of 100, country, locale, time zone, first names)
_GERMAN = (
    "Anna",
    "Ben",
    "Clara",
    "David",
    "Emma",
    "Felix",
    "Hanna",
    "Jonas",
    "Lea",
    "Lukas",
    "Marie",
    "Paul",
    "Sophie",
)
_ENGLISH = ("Alice", "Brian", "Chloe", "Daniel", "Ella", "George", "Grace", "Harry", "Lucy", "Oliver", "Ruby", "Thomas")
_PLACES = (
    (50, "DE", "de", "Europe/Berlin", _GERMAN),
    (12, "AT", "de-AT", "Europe/Vienna", _GERMAN),
    (8, "CH", "de-CH", "Europe/Zurich", _GERMAN),
    (12, "GB", "en-GB", "Europe/London", _ENGLISH),
    (18, "US", "en-US", "America/New_York", _ENGLISH),
)
# Purchases lie between 07:00 and 22:59:59 UTC, so a whole day's worth never falls on one instant.
_OPENS, _OPEN_SECONDS = 7 * 3600, 16 * 3600


class Purchase(NamedTuple):
    """One row of the log: `row` counts from 1, `amount` is the decimal text of US dollars."""

    row: int
    customer: str
    day: date
    quantity: int
    amount: str


class Person(NamedTuple):
    """One customer as a row of `import_customers`, in the order of CUSTOMER_FIELDS."""

    external_id: str
    email: str
    first_name: str
    locale: str
    country: str
    timezone: str


def purchases() -> Iterator[Purchase]:
    """The log in its own order: by customer, then by date."""
    packed = resources.files("campaigns.gallery").joinpath("data", "cdnow.csv.gz")
    with packed.open("rb") as raw, gzip.open(raw, "rt", encoding="ascii", newline="") as text:
        lines = csv.reader(text)
        next(lines)
        for row, (number, day, quantity, amount) in enumerate(lines, start=1):
            yield Purchase(row, external_id(number), date.fromisoformat(day), int(quantity), amount)


def people() -> Iterator[Person]:
    """Everybody in the log, by number."""
    last = ""
    for purchase in purchases():
        if purchase.customer != last:
            last = purchase.customer
            yield person(last)


def external_id(number: str) -> str:
    """How the log's customer number is written here: `cdnow-00001`."""
    return f"cdnow-{number}"


def person(customer: str) -> Person:
    """The synthetic person behind an external id."""
    draw = _draw(customer)
    place, rest = draw % 100, draw // 100
    for weight, country, locale, timezone, names in _PLACES:
        if place < weight:
            name = names[rest % len(names)]
            return Person(customer, f"{customer}@example.com", name, locale, country, timezone)
        place -= weight
    raise AssertionError("the weights of the places must add up to 100")


def occurred_at(purchase: Purchase) -> str:
    """The purchase's own date with a synthetic time of day, in UTC."""
    second = _OPENS + _draw(f"row {purchase.row}") % _OPEN_SECONDS
    return f"{purchase.day}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}+00:00"


def write_customers(out: TextIO) -> int:
    """Write the CSV that `import_customers` takes; how many rows."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CUSTOMER_FIELDS)
    rows = list(people())
    writer.writerows(rows)
    return len(rows)


def write_events(out: TextIO) -> int:
    """Write the CSV that `import_events` takes, its ids stable (`cdnow-1` is the log's first row); how many rows."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(EVENT_FIELDS)
    rows = [
        (f"cdnow-{one.row}", one.customer, "purchase", occurred_at(one), one.amount, one.quantity, "USD")
        for one in purchases()
    ]
    writer.writerows(rows)
    return len(rows)


def _draw(text: str) -> int:
    """A number that is the same everywhere for the same text."""
    return int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest()[:8], "big")
