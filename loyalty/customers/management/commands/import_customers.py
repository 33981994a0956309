"""Import customers from a CSV file: streaming, in one merge per chunk, resumable."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from loyalty.customers.addresses import BUILT_IN
from loyalty.customers.commands import ImportCommand
from loyalty.customers.imports import Chunk, Column, Written
from loyalty.customers.operations import upsert_customers
from loyalty.customers.rows import IDENTITY_KINDS

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


class Command(ImportCommand):
    help = (
        "Import customers: each row makes or changes the customer of its external_id (or identity, email, phone). "
        "Unknown columns become attributes. An empty cell leaves the value alone, unless --empty clear."
    )
    noun = "customer"
    job_kind = "customers"
    columns = (
        *(Column(name, ALIASES[name]) for name in ("external_id", *BUILT_IN)),
        *(Column(f"identities.{kind}", (kind,)) for kind in IDENTITY_KINDS),
        Column("attributes.*"),
    )
    required = (("external_id", "email", "phone", *(f"identities.{kind}" for kind in IDENTITY_KINDS)),)
    extra = "attributes."
    own_options = ("empty",)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--empty", choices=("keep", "clear"), default="keep", help="what an empty cell does")

    def write_chunk(self, chunk: Chunk, *, now: datetime, options: dict[str, Any]) -> Written:
        """Upsert the chunk by one staging pass and one merge."""
        rows = list(_rows(chunk, clear=options["empty"] == "clear"))
        done = upsert_customers(rows, now=now, source="import", written=True)
        return Written(done.accepted, done.created, done.changed, done.rejected)


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
            known = {name: cell for place, name in identities if (cell := cells[place].strip())}
            if known:
                row["identities"] = known
        yield row
