"""What may be wrong with profiles: each check selects the people concerned; the board counts them every day.

People who are nothing but a visitor's or a card's key are left aside: nothing is expected of them.
"""

from datetime import datetime, timedelta

from django.utils.translation import gettext_lazy as _

from loyalty.customers.catalog import AttributeField, attribute_fields, value_sql
from loyalty.customers.rows import COLUMNS
from loyalty.kit.quality import QualityCheck, quality_check, quality_checks
from loyalty.kit.sql import Sql, identifier, sql

KNOWN = Sql("(c.external_id IS NOT NULL OR c.email IS NOT NULL OR c.phone IS NOT NULL)")
STALE_AFTER = timedelta(days=730)
OLDEST_YEARS = 120
MISSING = "missing:"
# Digits of postcodes where every one has the same length.
POSTCODES = {"AT": 4, "BE": 4, "CH": 4, "DE": 5, "DK": 4, "ES": 5, "FR": 5, "IT": 5, "LI": 4, "LU": 4}


def check_of(key: str) -> QualityCheck | None:
    """The check with that key; `missing:<field>` is one for every field of customers."""
    if key.startswith(MISSING):
        field = attribute_fields().get(key.removeprefix(MISSING))
        return None if field is None else _missing(field)
    return next((check for check in quality_checks() if check.key == key), None)


def _missing(field: AttributeField) -> QualityCheck:
    return QualityCheck(
        MISSING + field.key, 0, field.key, _("People who have no value in this field."), "", lambda now: missing(field)
    )


def missing(field: AttributeField) -> Sql:
    """The known people who have no value in the field."""
    if field.column:
        return sql(
            "SELECT c.id AS customer_id FROM customer c WHERE {known} AND c.{column} IS NULL",
            known=KNOWN,
            column=identifier(field.column),
        )
    return sql(
        "SELECT c.id AS customer_id FROM customer c WHERE {known} AND NOT c.attributes ? {key}",
        known=KNOWN,
        key=field.key,
    )


def filled() -> Sql:
    """One row a field: (key, people who have a value), and `*` for all known people; two reads of the table."""
    counts = Sql(", ").join(sql("count(c.{column}) AS {column}", column=identifier(name)) for name in COLUMNS)
    pairs = Sql(", ").join(sql("({name}, n.{column})", name=name, column=identifier(name)) for name in COLUMNS)
    return sql(
        "SELECT pair.key, pair.found FROM (SELECT count(*) AS people, {counts} FROM customer c WHERE {known}) n,"
        " LATERAL (VALUES ('*', n.people), {pairs}) AS pair (key, found)"
        " UNION ALL SELECT key, count(*) FROM customer c, jsonb_object_keys(c.attributes) AS key"
        " WHERE {known} GROUP BY key",
        counts=counts,
        pairs=pairs,
        known=KNOWN,
    )


def _sharing(same: Sql, present: Sql) -> Sql:
    """People who have what another has too; `same` is what they share."""
    return sql(
        "SELECT c.id AS customer_id, {same} AS same FROM customer c WHERE {present} AND {same} IN"
        " (SELECT {same} FROM customer c WHERE {present} GROUP BY 1 HAVING count(*) > 1)",
        same=same,
        present=present,
    )


@quality_check(
    "customers.same_email",
    order=10,
    title=_("Same email address"),
    meaning=_("People who share an email address with somebody else."),
    remedy=_("Often one person twice: open both and merge them. Families may share an address."),
    grouped=True,
)
def same_email(now: datetime) -> Sql:
    return _sharing(Sql("lower(c.email)"), Sql("c.email IS NOT NULL"))


@quality_check(
    "customers.same_phone",
    order=11,
    title=_("Same phone number"),
    meaning=_("People who share a phone number with somebody else."),
    remedy=_("Often one person twice: open both and merge them."),
    grouped=True,
)
def same_phone(now: datetime) -> Sql:
    return _sharing(Sql("c.phone"), Sql("c.phone IS NOT NULL"))


@quality_check(
    "customers.same_person",
    order=12,
    title=_("Same name and birth date"),
    meaning=_("People whose first name, last name and birth date somebody else has too."),
    remedy=_("Almost always one person twice: merge them."),
    grouped=True,
)
def same_person(now: datetime) -> Sql:
    same = Sql("concat_ws(' ', lower(c.first_name), lower(c.last_name), c.birth_date::text)")
    present = "c.first_name IS NOT NULL AND c.last_name IS NOT NULL AND c.birth_date IS NOT NULL"
    return _sharing(same, Sql(present))


@quality_check(
    "customers.conflicting",
    order=20,
    title=_("Contradicting profiles"),
    meaning=_("People who share an email address with somebody of another birth date."),
    remedy=_("Ask which date is right before merging; two people of one household stay apart."),
    grouped=True,
)
def conflicting(now: datetime) -> Sql:
    return sql(
        "SELECT c.id AS customer_id, lower(c.email) AS same FROM customer c WHERE lower(c.email) IN"
        " (SELECT lower(email) FROM customer WHERE email IS NOT NULL AND birth_date IS NOT NULL"
        " GROUP BY 1 HAVING count(DISTINCT birth_date) > 1)"
    )


@quality_check(
    "customers.no_address",
    order=30,
    title=_("No address at all"),
    meaning=_("People with neither email nor phone."),
    remedy=_("Ask for an address at the till or in the account."),
)
def no_address(now: datetime) -> Sql:
    return sql(
        "SELECT c.id AS customer_id FROM customer c"
        " WHERE c.external_id IS NOT NULL AND c.email IS NULL AND c.phone IS NULL"
    )


@quality_check(
    "customers.invalid",
    order=50,
    title=_("Invalid values"),
    meaning=_(
        "People with an impossible birth date, a postcode that their country does not have, or a value that does"
        " not fit its attribute's type."
    ),
    remedy=_("Correct them in the profile, or import the right values."),
)
def invalid(now: datetime) -> Sql:
    wrong = [
        sql("c.birth_date > {today}", today=now.date()),
        sql("c.birth_date < {oldest}", oldest=(now - timedelta(days=366 * OLDEST_YEARS)).date()),
        Sql(" OR ").join(
            sql("(c.country = {country} AND c.postcode !~ {shape})", country=country, shape=f"^[0-9]{{{digits}}}$")
            for country, digits in POSTCODES.items()
        ),
        *(_misfits(field) for field in attribute_fields().values() if not field.column and not field.learned),
    ]
    return sql("SELECT c.id AS customer_id FROM customer c WHERE {wrong}", wrong=Sql(" OR ").join(wrong))


def _misfits(field: AttributeField) -> Sql:
    """Whether the customer `c` has a value that does not fit the defined type."""
    kind = {"text": "string", "choice": "string", "list": "array", "geo": "object"}.get(field.type)
    has = sql("c.attributes ? {key}", key=field.key)
    if field.type == "choice":
        return sql(
            "({has} AND c.attributes ->> {key} <> ALL ({known}))", has=has, key=field.key, known=list(field.choices)
        )
    if kind:
        return sql("({has} AND jsonb_typeof(c.attributes -> {key}) <> {kind})", has=has, key=field.key, kind=kind)
    return sql("({has} AND ({value}) IS NULL)", has=has, value=value_sql(field))


@quality_check(
    "customers.stale",
    order=60,
    title=_("Stale profiles"),
    meaning=_("People of whom nothing was confirmed or changed for two years."),
    remedy=_("Ask them to check their data, or let go of what you no longer need."),
)
def stale(now: datetime) -> Sql:
    return sql(
        "SELECT c.id AS customer_id FROM customer c WHERE {known} AND c.updated_at < {before}",
        known=KNOWN,
        before=now - STALE_AFTER,
    )
