"""A CSV file of customers: which columns it may have, and what becomes of its rows."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from loyalty.customers.addresses import BUILT_IN
from loyalty.customers.imports import Chunk, Column, Written
from loyalty.customers.operations import upsert_customers
from loyalty.customers.rows import IDENTITY_KINDS
from loyalty.customers.seen import row_digests, unchanged

ALIASES = {
    "external_id": ("customer_id", "customer", "id", "externalid"),
    "email": ("e_mail", "mail", "email_address", "e_mail_address"),
    "phone": ("telephone", "mobile", "phone_number", "telefon"),
    "first_name": ("firstname", "given_name", "vorname"),
    "last_name": ("lastname", "surname", "family_name", "nachname"),
    "locale": ("language", "sprache"),
    "timezone": ("time_zone", "tz"),
    "country": ("country_code", "land"),
    "city": ("town", "ort", "stadt"),
    "postcode": ("postal_code", "zip", "zip_code", "plz"),
    "birth_date": ("birthdate", "birthday", "date_of_birth", "geburtsdatum"),
}
KIND = "customers"
COLUMNS = (
    *(Column(name, ALIASES[name]) for name in ("external_id", *BUILT_IN)),
    *(Column(f"identities.{kind}", (kind,)) for kind in IDENTITY_KINDS),
    Column("attributes.*"),
)
REQUIRED = (("external_id", "email", "phone", *(f"identities.{kind}" for kind in IDENTITY_KINDS)),)
# Unknown columns become attributes.
EXTRA = "attributes."
SOURCE = "import"


def write_people(
    chunk: Chunk, *, now: datetime, empty: str = "keep", source: str = SOURCE, actor: str | None = None
) -> Written:
    """Upsert the chunk by one staging pass and one merge; an `empty` cell keeps the value or clears it."""
    digests: list[bytes] = []
    known: dict[int, int] = {}
    if not any(field and field.startswith("identities.") for field in chunk.fields):
        digests = row_digests(chunk, options=empty)
        known = unchanged(chunk, digests)
    places = [place for place in range(len(chunk.rows)) if place not in known]
    rest = Chunk(chunk.fields, [chunk.rows[place] for place in places], [])
    done = upsert_customers(
        list(_rows(rest, clear=empty == "clear")),
        now=now,
        source=source,
        written=True,
        actor=actor,
        digests=[digests[place] for place in places] if digests else None,
    )
    rejected = [(places[index], problems) for index, problems in done.rejected]
    return Written(done.accepted + len(known), done.created, done.changed, rejected, done.learned)


def _rows(chunk: Chunk, *, clear: bool) -> Iterator[dict[str, Any]]:
    """The rows as the intake takes them; cells of `attributes.x` and `identities.x` in their objects."""
    plain: list[tuple[int, str]] = []
    attributes: list[tuple[int, str]] = []
    identities: list[tuple[int, str]] = []
    for place, field in enumerate(chunk.fields):
        if field is None:
            continue
        group, _, name = field.partition(".")
        if not name:
            plain.append((place, field))
        else:
            (attributes if group == "attributes" else identities).append((place, name))
    for cells in chunk.rows:
        row: dict[str, Any] = {name: cell for place, name in plain if (cell := cells[place].strip())}
        if clear:
            row |= {name: None for place, name in plain if not cells[place].strip()}
        if attributes:
            given: dict[str, Any] = {name: cell for place, name in attributes if (cell := cells[place].strip())}
            if clear:
                given |= {name: None for place, name in attributes if not cells[place].strip()}
            if given:
                row["attributes"] = given
        if identities:
            known = {
                name: [one for one in cell.split("|") if one.strip()] if "|" in cell else cell
                for place, name in identities
                if (cell := cells[place].strip())
            }
            if known:
                row["identities"] = known
        yield row
