"""What customers hold about people: profile, keys, change queue. Erased last: others look things up here."""

from collections.abc import Sequence
from typing import Any

from loyalty.customers.changes import mark_changed
from loyalty.customers.rows import COLUMNS
from loyalty.kit.erasures import PersonalData, hold_personal_data
from loyalty.kit.sql import Sql, execute, fetch_values, identifier, sql

PACKAGE = "loyalty.customers"


def erase(customer_ids: Sequence[int]) -> int:
    """Delete the people's identities, queued changes and profiles."""
    rows = 0
    for table, column in (("customer_identity", "customer_id"), ("customer_change", "customer_id"), ("customer", "id")):
        query = sql(
            "DELETE FROM {t} WHERE {c} = ANY({ids})", t=identifier(table), c=Sql(column), ids=list(customer_ids)
        )
        rows += execute(query)
    return rows


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """The person's rows by table, and what is known about the attributes they have: origin and purpose."""
    profile = sql(
        "SELECT id, {columns}, attributes, created_at, updated_at FROM customer WHERE id = {id}",
        id=customer_id,
        columns=Sql(", ").join(identifier(name) for name in COLUMNS),
    )
    identities = sql(
        "SELECT kind, value, created_at FROM customer_identity WHERE customer_id = {id} ORDER BY id", id=customer_id
    )
    attributes = sql(
        "SELECT key, type, source_class AS source, purpose FROM attribute"
        " WHERE key IN (SELECT jsonb_object_keys(attributes) FROM customer WHERE id = {id}) ORDER BY key",
        id=customer_id,
    )
    return {
        "customer": fetch_values(profile),
        "customer_identity": fetch_values(identities),
        "attribute": fetch_values(attributes),
    }


def merge(winner: int, loser: int) -> int:
    """The winner gets the loser's keys, and its values where it has none itself."""
    pair = {"winner": winner, "loser": loser}
    rows = execute("UPDATE customer_identity SET customer_id = %(winner)s WHERE customer_id = %(loser)s", pair)
    rows += execute("DELETE FROM customer_change WHERE customer_id = %(loser)s", pair)
    names = [name for name in (*COLUMNS, "email_digest", "phone_digest") if name != "external_id"]
    fill = Sql(", ").join(sql("{n} = coalesce(w.{n}, l.{n})", n=identifier(name)) for name in names)
    rows += execute(
        sql(
            "UPDATE customer w SET {fill}, attributes = l.attributes || w.attributes"
            " FROM customer l WHERE w.id = {winner} AND l.id = {loser}",
            fill=fill,
            winner=winner,
            loser=loser,
        )
    )
    rows += execute("DELETE FROM customer WHERE id = %(loser)s", pair)
    return rows + mark_changed([winner])


hold_personal_data(PersonalData(PACKAGE, erase, export, merge))
