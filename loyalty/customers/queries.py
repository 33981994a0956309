"""Reading customers: who is meant by a reference, one person's profile."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from loyalty.customers.addresses import BUILT_IN, phone
from loyalty.customers.models import Customer, CustomerIdentity
from loyalty.customers.rows import IDENTITY_KINDS, Key
from loyalty.customers.values import Refused, plain_text
from loyalty.kit.erasures import holders
from loyalty.kit.sql import fetch, sql

Reference = str | Mapping[str, str]
NOBODY: Key = ("", "")
# From here on it is worth asking first whether there is anything to look for.
MANY = 100


@dataclass(frozen=True, slots=True)
class Owner:
    """The customer who has an identity; `known` when it also has an external id."""

    customer_id: int
    known: bool


def resolve(references: Sequence[Reference]) -> list[int | None]:
    """The customer of each reference, None for nobody; one query per kind.

    A reference is an external id or an object with one key: `external_id`, `email`, `phone` or a kind of identity. When
    several customers share an address, the oldest one is meant.
    """
    keys = [_key(reference) for reference in references]
    found: dict[Key, int] = {}
    external = [value for kind, value in keys if kind == "external_id"]
    if external:
        current = by_external_id(external)
        former = former_ids(one for one in external if one not in current)
        found |= {("external_id", one): customer_id for one, customer_id in (current | former).items()}
    for kind in ("email", "phone"):
        values = [value for given, value in keys if given == kind]
        if values:
            found |= {(kind, one): ids[0] for one, ids in by_address(kind, values).items()}
    identities = [one for one in keys if one[0] in IDENTITY_KINDS]
    if identities:
        found |= {one: owner.customer_id for one, owner in identity_owners(identities).items()}
    return [found.get(one) for one in keys]


def _key(reference: Reference) -> Key:
    """(kind, value), or two empty texts for what can be nobody's key."""
    if isinstance(reference, str):
        reference = {"external_id": reference}
    if len(reference) != 1:
        return NOBODY
    kind, value = next(iter(reference.items()))
    try:
        text = plain_text(value)
    except Refused:
        return NOBODY
    return kind, text.lower() if kind == "email" else text


def by_external_id(external_ids: Iterable[str]) -> dict[str, int]:
    """The ids of the customers with these external ids."""
    query = sql(
        "SELECT c.external_id, c.id"
        " FROM unnest({ids}::text[]) AS wanted (external_id) JOIN customer c USING (external_id)",
        ids=sorted(set(external_ids)),
    )
    return dict(fetch(query))


def former_ids(external_ids: Iterable[str]) -> dict[str, int]:
    """Whom the external ids of people mean who were joined to others; costs nothing while nobody was."""
    wanted = sorted(set(external_ids))
    # 20,000 ids take 60 ms on their way to the server, also when there is nothing to find.
    anybody = "SELECT EXISTS (SELECT FROM customer_identity WHERE kind = 'external_id')"
    if not wanted or (len(wanted) > MANY and not fetch(anybody)[0][0]):
        return {}
    query = sql(
        "SELECT i.value, i.customer_id FROM unnest({ids}::text[]) AS wanted (value)"
        " JOIN customer_identity i ON i.kind = 'external_id' AND i.value = wanted.value",
        ids=wanted,
    )
    return dict(fetch(query))


def by_address(kind: str, addresses: Iterable[str]) -> dict[str, tuple[int, int | None]]:
    """By email (in lower case) or phone: (oldest customer, oldest one without external id)."""
    address = sql("lower(c.email)") if kind == "email" else sql("c.phone")
    query = sql(
        "SELECT {address}, min(c.id), min(c.id) FILTER (WHERE c.external_id IS NULL)"
        " FROM unnest({addresses}::text[]) AS wanted (address)"
        " JOIN customer c ON {address} = wanted.address GROUP BY 1",
        address=address,
        addresses=sorted(set(addresses)),
    )
    return {found: (oldest, oldest_unknown) for found, oldest, oldest_unknown in fetch(query)}


def identity_owners(identities: Iterable[Key]) -> dict[Key, Owner]:
    """Who has these identities."""
    wanted = sorted(set(identities))
    query = sql(
        "SELECT i.kind, i.value, i.customer_id, c.external_id IS NOT NULL"
        " FROM unnest({kinds}::text[], {values}::text[]) AS wanted (kind, value)"
        " JOIN customer_identity i USING (kind, value) JOIN customer c ON c.id = i.customer_id",
        kinds=[kind for kind, _ in wanted],
        values=[value for _, value in wanted],
    )
    return {(kind, value): Owner(customer_id, known) for kind, value, customer_id, known in fetch(query)}


def identities_of(customer_id: int) -> list[Key]:
    """The customer's own identities, oldest first."""
    rows = CustomerIdentity.objects.filter(customer_id=customer_id).order_by("kind", "id")
    return list(rows.values_list("kind", "value"))


def profile(customer_id: int) -> dict[str, Any]:
    """One customer as the API shows it; raises Customer.DoesNotExist."""
    customer = Customer.objects.get(pk=customer_id)
    shown: dict[str, Any] = {"external_id": customer.external_id}
    shown |= {name: _plain(getattr(customer, name)) for name in BUILT_IN}
    identities: dict[str, list[str]] = {}
    rows = CustomerIdentity.objects.filter(customer_id=customer.pk).order_by("kind", "id").values_list("kind", "value")
    for kind, value in rows:
        identities.setdefault(kind, []).append(value)
    return shown | {
        "attributes": customer.attributes,
        "identities": identities,
        "created_at": _plain(customer.created_at),
        "updated_at": _plain(customer.updated_at),
    }


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value


def personal_data(customer_id: int, *, external_id: str, now: datetime) -> dict[str, Any]:
    """Everything that every package holds about the person, with all purposes and origins named in it."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for holder in holders():
        for table, rows in holder.export(customer_id).items():
            tables.setdefault(table, []).extend(rows)
    rows = [row for found in tables.values() for row in found]
    return {
        "external_id": external_id,
        "exported_at": now.isoformat(),
        "purposes": sorted({str(row["purpose"]) for row in rows if row.get("purpose")}),
        "origins": sorted({str(row["source"]) for row in rows if row.get("source")}),
        "tables": {table: _json(found) for table, found in tables.items()},
    }


def _json(rows: list[dict[str, Any]]) -> Any:
    return json.loads(json.dumps(rows, default=_text))


def _text(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


FOUND_MAX = 1_000
# Behind every text that begins with what stands before it: lets an index of any collation find beginnings.
_LAST = "\U0010ffff"


def find(term: str) -> list[int]:
    """The customers that a person at a desk means: an external id or email (or the beginning of one), a phone number or
    an identity's value. Every part is answered by an index; at most FOUND_MAX.
    """
    text = term.strip().replace("\0", "")
    lowered = text.lower()
    try:
        number = phone(text)
    except Refused:
        number = text
    query = sql(
        "(SELECT id FROM customer WHERE external_id >= {text} AND external_id < {text_end} LIMIT {most})"
        " UNION (SELECT id FROM customer WHERE lower(email) >= {low} AND lower(email) < {low_end} LIMIT {most})"
        " UNION (SELECT id FROM customer WHERE phone = {number} LIMIT {most})"
        " UNION (SELECT customer_id FROM customer_identity WHERE kind = ANY({kinds}) AND value = {text}) LIMIT {most}",
        text=text,
        text_end=text + _LAST,
        low=lowered,
        low_end=lowered + _LAST,
        number=number,
        kinds=list(IDENTITY_KINDS),
        most=FOUND_MAX,
    )
    return [row[0] for row in fetch(query)]


def countries() -> list[str]:
    """The countries that occur, one probe of the index each."""
    rows = fetch(
        """
        WITH RECURSIVE found AS (
            (SELECT country FROM customer WHERE country IS NOT NULL ORDER BY country LIMIT 1)
            UNION ALL
            SELECT (SELECT country FROM customer WHERE country > found.country ORDER BY country LIMIT 1)
            FROM found WHERE found.country IS NOT NULL
        )
        SELECT country FROM found WHERE country IS NOT NULL"""
    )
    return [row[0] for row in rows]
