"""What customers hold about people: profile with history, keys, change queue, the log of joined people. Erased last:
others look things up here."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from loyalty.customers.changes import mark_changed
from loyalty.customers.rows import COLUMNS
from loyalty.kit.erasures import (
    Held,
    Moved,
    Pairs,
    PersonalData,
    Return,
    give_back,
    hand_over,
    hold_personal_data,
    pairs_sql,
    put_back,
    take_out,
)
from loyalty.kit.sql import Sql, execute, fetch_values, identifier, sql

PACKAGE = "loyalty.customers"

# What a winner gets from a loser when it has none itself, as (what decides, all that comes with it).
_RESTRICTION = ("restricted_at", "restricted_by", "restricted_reason")
_FILLED: tuple[tuple[str, tuple[str, ...]], ...] = (
    *((name, (name,)) for name in COLUMNS if name not in ("external_id", "email", "phone")),
    ("email", ("email", "email_digest")),
    ("phone", ("phone", "phone_digest")),
    ("restricted_at", _RESTRICTION),
)
FILLED_COLUMNS = tuple(name for _field, names in _FILLED for name in names)
# Every merge that these people are the outcome of, also of merges before.
_MERGES = (
    "WITH RECURSIVE theirs (id) AS (SELECT unnest({ids}) UNION"
    " SELECT m.loser_id FROM customer_merge m JOIN theirs ON m.winner_id = theirs.id AND m.undone_at IS NULL)"
    " SELECT id FROM theirs"
)


def erase(customer_ids: Sequence[int]) -> int:
    """Delete the people's keys, history, log of merges, queued changes and profiles."""
    ids = sql("{ids}::bigint[]", ids=list(customer_ids))
    _forget_rejections(ids)
    theirs = sql("ARRAY({merges})", merges=sql(_MERGES, ids=ids))
    rows = execute(sql("DELETE FROM customer_merge WHERE winner_id = ANY({t}) OR loser_id = ANY({t})", t=theirs))
    tables = ("customer_identity", "customer_revision", "customer_change", "customer")
    for table in tables:
        column = Sql("id" if table == "customer" else "customer_id")
        rows += execute(sql("DELETE FROM {t} WHERE {c} = ANY({ids})", t=identifier(table), c=column, ids=ids))
    return rows


def _forget_rejections(ids: Sql) -> int:
    """Delete the refused rows of imports in which a key of these people stands, whatever column it is in."""
    keys = sql(
        "SELECT lower(key) FROM customer c, unnest(ARRAY[c.external_id, c.email, c.phone]) AS key"
        " WHERE c.id = ANY({ids}) AND key IS NOT NULL"
        " UNION SELECT lower(value) FROM customer_identity WHERE customer_id = ANY({ids})",
        ids=ids,
    )
    query = sql(
        "DELETE FROM import_rejection r WHERE EXISTS (SELECT FROM jsonb_path_query(r.cells, '$.**') AS cell"
        " WHERE lower(btrim(cell #>> '{{}}')) IN ({keys}))",
        keys=keys,
    )
    return execute(query)


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """The person's rows by table, and what is known about the attributes they have: origin and purpose."""
    profile = sql(
        "SELECT c.id, {columns}, attributes, s.key AS source, c.created_at, c.updated_at, restricted_at,"
        " restricted_reason FROM customer c LEFT JOIN customer_source s ON s.id = c.source_id WHERE c.id = {id}",
        id=customer_id,
        columns=Sql(", ").join(identifier(name) for name in COLUMNS),
    )
    identities = sql(
        "SELECT kind, value, created_at FROM customer_identity WHERE customer_id = {id} ORDER BY id", id=customer_id
    )
    revisions = sql(
        "SELECT r.at, s.key AS source, r.actor, r.reason, r.before FROM customer_revision r"
        " LEFT JOIN customer_source s ON s.id = r.source_id WHERE r.customer_id = {id} ORDER BY r.id",
        id=customer_id,
    )
    merges = sql(
        "SELECT merged_at, reason, actor, loser, undone_at FROM customer_merge WHERE winner_id IN ({theirs})"
        " ORDER BY id",
        theirs=sql(_MERGES, ids=sql("{ids}::bigint[]", ids=[customer_id])),
    )
    return {
        "customer": fetch_values(profile),
        "customer_identity": fetch_values(identities),
        "customer_revision": fetch_values(revisions),
        "customer_merge": fetch_values(merges),
        "attribute": fetch_values(_attributes(customer_id)),
    }


def _attributes(customer_id: int) -> Sql:
    return sql(
        "SELECT a.key, a.type, coalesce(s.key, a.source_class) AS source, a.purpose FROM attribute a"
        " LEFT JOIN customer_source s ON s.id = a.source_id"
        " WHERE a.key IN (SELECT jsonb_object_keys(attributes) FROM customer WHERE id = {id}) ORDER BY a.key",
        id=customer_id,
    )


def merge(pairs: Pairs, now: datetime) -> Moved:
    """The winners get the losers' keys, and their values where they have none themselves; see docs/rights.md."""
    moved: Moved = {
        "customer_revision": take_out(pairs, "customer_revision"),
        "customer": {loser: [fields] for loser, fields in _fill(pairs, now).items()},
        "customer_identity": hand_over(pairs, "customer_identity"),
    }
    execute(sql("DELETE FROM customer_change WHERE customer_id = ANY({ids}::bigint[])", ids=list(pairs)))
    former = sql(
        "WITH gone AS (DELETE FROM customer WHERE id = ANY({ids}::bigint[]) RETURNING id, external_id)"
        " INSERT INTO customer_identity (customer_id, kind, value, created_at)"
        " SELECT pairs.winner, 'external_id', gone.external_id, {now}::timestamptz"
        " FROM gone JOIN {pairs} ON pairs.loser = gone.id WHERE gone.external_id IS NOT NULL ORDER BY 3",
        now=now,
        ids=list(pairs),
        pairs=pairs_sql(pairs),
    )
    execute(former)
    mark_changed(sorted(set(pairs.values())))
    return moved


def _fill(pairs: Pairs, now: datetime) -> dict[int, dict[str, Any]]:
    """Give the winners what they lack; {field: value} by loser. Of several losers the oldest counts."""
    rows = fetch_values(_gains(pairs))
    gains = {row["loser"]: {**row["columns"], "attributes": row["attributes"]} for row in rows}
    per_winner: dict[int, dict[str, Any]] = {}
    for row in rows:
        whole = per_winner.setdefault(row["winner"], {"attributes": {}})
        whole["attributes"] |= row["attributes"]
        whole |= row["columns"]
    if per_winner:
        execute(_write(per_winner, now))
        execute(_revisions(rows, now))
    return gains


def _gains(pairs: Pairs) -> Sql:
    choices = Sql(", ").join(
        sql(
            "({field}, l.{name} IS NOT NULL AND w.{name} IS NULL, jsonb_build_object({parts}))",
            field=Sql(f"'{field}'"),
            name=identifier(field),
            parts=Sql(", ").join(sql("{n}, l.{c}", n=Sql(f"'{name}'"), c=identifier(name)) for name in names),
        )
        for field, names in _FILLED
    )
    return sql(
        "WITH joined AS MATERIALIZED (SELECT pairs.loser, pairs.winner FROM {pairs}), choices AS ("
        " SELECT DISTINCT ON (w.id, f.field) l.id AS loser, f.value FROM joined"
        " JOIN customer l ON l.id = joined.loser JOIN customer w ON w.id = joined.winner"
        " CROSS JOIN LATERAL (VALUES {choices}) AS f (field, fits, value) WHERE f.fits"
        " ORDER BY w.id, f.field, l.id), attributes AS ("
        " SELECT DISTINCT ON (w.id, a.key) l.id AS loser, a.key, a.value FROM joined"
        " JOIN customer l ON l.id = joined.loser JOIN customer w ON w.id = joined.winner"
        " CROSS JOIN LATERAL jsonb_each(l.attributes) AS a WHERE NOT w.attributes ? a.key"
        " ORDER BY w.id, a.key, l.id), gains AS ("
        " SELECT joined.loser, joined.winner, l.source_id,"
        " (SELECT jsonb_object_agg(one.key, one.value) FROM choices c, jsonb_each(c.value) AS one"
        " WHERE c.loser = joined.loser) AS columns,"
        " (SELECT jsonb_object_agg(a.key, a.value) FROM attributes a WHERE a.loser = joined.loser) AS attributes"
        " FROM joined JOIN customer l ON l.id = joined.loser)"
        " SELECT loser, winner, source_id, coalesce(columns, '{{}}') AS columns,"
        " coalesce(attributes, '{{}}') AS attributes FROM gains"
        " WHERE columns IS NOT NULL OR attributes IS NOT NULL ORDER BY loser",
        pairs=pairs_sql(pairs),
        choices=choices,
    )


def _write(fields: Mapping[int, Mapping[str, Any]], now: datetime) -> Sql:
    """The statement that writes these fields of these customers, absent ones left; attributes are added."""
    columns = Sql(", ").join(sql("{n} = r.{n}", n=identifier(name)) for name in FILLED_COLUMNS)
    return sql(
        "UPDATE customer c SET {columns}, attributes = c.attributes || coalesce(given.fields -> 'attributes', '{{}}'),"
        " updated_at = {now}"
        " FROM unnest({ids}::bigint[], {fields}::jsonb[]) AS given (id, fields)"
        " JOIN customer before ON before.id = given.id"
        " CROSS JOIN LATERAL jsonb_populate_record(before, given.fields - 'attributes') AS r WHERE c.id = given.id",
        columns=columns,
        now=now,
        ids=list(fields),
        fields=[json.dumps(one) for one in fields.values()],
    )


def _revisions(rows: Sequence[Mapping[str, Any]], now: datetime) -> Sql:
    """The statement that keeps in the winners' history that these fields were empty before."""
    shown = set(COLUMNS)
    before = [
        {name: None for name in (*row["columns"], *row["attributes"]) if name in shown or name in row["attributes"]}
        for row in rows
    ]
    return sql(
        "INSERT INTO customer_revision (customer_id, at, source_id, reason, before)"
        " SELECT customer_id, {now}::timestamptz, source_id, 'joined', before"
        " FROM unnest({ids}::bigint[], {sources}::bigint[], {before}::jsonb[]) AS r (customer_id, source_id, before)"
        " WHERE before <> '{{}}'",
        now=now,
        ids=[row["winner"] for row in rows],
        sources=[row["source_id"] for row in rows],
        before=[json.dumps(one) for one in before],
    )


def unmerge(given: Return) -> None:
    """Make the loser again as it was; the winner gives up what it got from it and has not changed since."""
    pair = {"winner": given.winner, "loser": given.loser}
    profile = json.dumps(given.profile)
    execute(
        sql(
            "DELETE FROM customer_identity WHERE customer_id = {winner} AND kind = 'external_id' AND value = {former}",
            winner=given.winner,
            former=given.profile.get("external_id"),
        )
    )
    execute(sql("INSERT INTO customer SELECT * FROM jsonb_populate_record(NULL::customer, {p}::jsonb)", p=profile))
    for gains in given.moved.get("customer", ()):
        _give_up(given, gains)
    give_back(given, "customer_identity")
    put_back(given, "customer_revision")
    mark_changed(sorted(pair.values()))


def _give_up(given: Return, gains: dict[str, Any]) -> None:
    """Empty the winner's fields that still hold what came from the loser, and keep that in its history."""
    kept = sql("{gains}::jsonb", gains=json.dumps(gains))
    columns = Sql(", ").join(
        sql(
            "{name} = CASE WHEN to_jsonb(c) -> {field} = {gains} -> {field} THEN NULL ELSE {name} END",
            name=identifier(name),
            field=Sql(f"'{field}'"),
            gains=kept,
        )
        for field, names in _FILLED
        if field in gains
        for name in names
    )
    attributes = sql(
        "attributes = attributes - ARRAY(SELECT key FROM jsonb_each({gains} -> 'attributes') AS got"
        " WHERE c.attributes -> got.key = got.value)",
        gains=kept,
    )
    query = sql(
        "WITH before AS MATERIALIZED (SELECT * FROM customer WHERE id = {winner}),"
        " after AS (UPDATE customer c SET {settings}, updated_at = {now} WHERE id = {winner} RETURNING c.*),"
        " differing AS (SELECT coalesce(jsonb_object_agg(b.key, b.value), '{{}}') AS was FROM before,"
        " jsonb_each(to_jsonb(before) || before.attributes) AS b WHERE b.key = ANY({shown}) AND b.value"
        " IS DISTINCT FROM (SELECT (to_jsonb(after) || after.attributes) -> b.key FROM after))"
        " INSERT INTO customer_revision (customer_id, at, reason, before)"
        " SELECT {winner}, {now}, 'separated', was FROM differing WHERE was <> '{{}}'",
        winner=given.winner,
        now=given.now,
        settings=Sql(", ").join([columns, attributes] if columns.text else [attributes]),
        shown=[*COLUMNS, *gains["attributes"]],
    )
    execute(query)


TABLES = (
    Held(
        "customer",
        _("Your profile: name, addresses, language and what else you or others told us about you"),
        _("to know whom we speak with, to address you correctly and to choose what fits you"),
        _("from you, from your purchases and registrations, or from the sources named beside the values"),
        _("you are addressed in your language and get what concerns you"),
        _("until you ask us to erase it or the membership ends"),
        rows="id = ANY({ids})",
    ),
    Held(
        "customer_identity",
        _("The keys you are known by: cards, devices, accounts of messengers, receipts"),
        _("to recognize you at every point of contact and to credit purchases to you"),
        _("from the use of your card, your login or a receipt that you claimed"),
        _("your purchases count wherever you make them"),
        _("as long as your profile"),
    ),
    Held(
        "customer_revision",
        _("What your data were before they were changed, when and by whom"),
        _("to correct mistakes and to prove what was changed"),
        _("kept with each change"),
        _("a wrong change can be taken back"),
        _("as long as your profile"),
    ),
    Held(
        "customer_merge",
        _("Profiles that turned out to be yours and were joined to it"),
        _("to separate them again if that was a mistake"),
        _("kept when profiles are joined"),
        _("nothing is lost, and a mistake can be undone"),
        _("as long as your profile"),
        rows="winner_id = ANY({ids})",
    ),
    Held(
        "customer_change",
        _("A note that something about you changed"),
        _("to look at your groups again"),
        _("kept with each change, for seconds"),
        _("you get nothing that no longer fits"),
        _("seconds, until it was worked off"),
    ),
)

hold_personal_data(PersonalData(PACKAGE, erase, export, merge, unmerge, TABLES))
