"""What segments hold about people: that they are members, and the lists they stand on. Joined and left facts are the
timeline's."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from loyalty.kit.erasures import (
    Held,
    Moved,
    Pairs,
    PersonalData,
    Return,
    by_loser,
    hold_personal_data,
    put_back,
    share,
    take_out,
    unshare,
)
from loyalty.kit.sql import execute, fetch, fetch_dicts, identifier, sql


def erase(customer_ids: Sequence[int]) -> int:
    """Remove these people from every segment and list; how many memberships ended."""
    gone = sum(
        execute(sql("DELETE FROM {t} WHERE customer_id = ANY({ids})", t=identifier(table), ids=list(customer_ids)))
        for table in ("customer_list_member", "segment_past", "segment_foreseen")
    )
    return gone + _end(list(customer_ids))


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """The segments and lists the person is in."""
    rows = fetch_dicts(
        sql(
            "SELECT s.key AS segment, m.since FROM segment_member m JOIN segment s ON s.id = m.segment_id"
            " WHERE m.customer_id = {id} ORDER BY s.key",
            id=customer_id,
        )
    )
    lists = fetch_dicts(
        sql(
            "SELECT l.key AS list, m.added_at, m.source FROM customer_list_member m JOIN customer_list l"
            " ON l.id = m.list_id WHERE m.customer_id = {id} ORDER BY l.key",
            id=customer_id,
        )
    )
    past = fetch_dicts(
        sql(
            "SELECT s.key AS segment, p.since, p.until FROM segment_past p JOIN segment s ON s.id = p.segment_id"
            " WHERE p.customer_id = {id} ORDER BY p.since, s.key",
            id=customer_id,
        )
    )
    return {"segment_member": rows, "segment_past": past, "customer_list_member": lists}


def merge(pairs: Pairs, now: datetime) -> Moved:
    """End the losers' memberships; the winners' follow from their data, which the merge marks as changed. Lists are
    kept by hand: the winners stand on those of both."""
    were = sql(
        "SELECT customer_id, jsonb_agg(jsonb_build_array(segment_id, since) ORDER BY segment_id)"
        " FROM segment_member WHERE customer_id = ANY({ids}::bigint[]) GROUP BY 1",
        ids=list(pairs),
    )
    moved = {"segment_member": by_loser(fetch(were))}
    _end(list(pairs))
    moved["segment_foreseen"] = take_out(pairs, "segment_foreseen")
    moved |= share(pairs, "segment_past", ["segment_id", "since"])
    return moved | share(pairs, "customer_list_member", ["list_id"])


def unmerge(given: Return) -> None:
    """The loser is again in the segments it was in, without anybody being told that it joined; then they look anew."""
    query = sql(
        "WITH were AS (SELECT (value ->> 0)::integer AS segment_id, (value ->> 1)::timestamptz AS since"
        " FROM jsonb_array_elements({moved}::jsonb)),"
        " there AS (SELECT s.id FROM segment s JOIN were w ON w.segment_id = s.id ORDER BY s.id FOR UPDATE OF s),"
        " again AS (INSERT INTO segment_member (segment_id, customer_id, since)"
        " SELECT w.segment_id, {loser}, w.since FROM were w JOIN there ON there.id = w.segment_id"
        " ON CONFLICT DO NOTHING RETURNING segment_id)"
        " UPDATE segment s SET member_count = member_count + 1 FROM again WHERE s.id = again.segment_id",
        loser=given.loser,
        moved=json.dumps(list(given.moved.get("segment_member", ()))),
    )
    execute(query)
    put_back(given, "segment_foreseen")
    unshare(given, "segment_past")
    unshare(given, "customer_list_member")


def _end(customer_ids: list[int]) -> int:
    # The segments first: a build that holds one may want to remove the same members, and would wait for us in turn.
    fetch(
        sql(
            "SELECT id FROM segment WHERE id IN"
            " (SELECT segment_id FROM segment_member WHERE customer_id = ANY({ids}::bigint[])) ORDER BY id FOR UPDATE",
            ids=customer_ids,
        )
    )
    return int(
        fetch(
            sql(
                """WITH gone AS (
                    DELETE FROM segment_member WHERE customer_id = ANY({ids}::bigint[]) RETURNING segment_id
                ), counted AS (
                    UPDATE segment s SET member_count = s.member_count - g.n
                    FROM (SELECT segment_id, count(*) AS n FROM gone GROUP BY segment_id) g WHERE s.id = g.segment_id
                ) SELECT count(*) FROM gone""",
                ids=customer_ids,
            )
        )[0][0]
    )


_KEPT = _("until it no longer fits you, at most as long as your profile")
TABLES = (
    Held(
        "segment_member",
        _("The groups you belong to at the moment"),
        _("to choose what fits you"),
        _("computed from your profile and from what happened"),
        _("you get what concerns you and not the rest"),
        _KEPT,
    ),
    Held(
        "segment_past",
        _("The groups you belonged to, from when to when"),
        _("to explain why you got a message"),
        _("kept when you leave a group"),
        _("you can ask why you got a message"),
        _("as long as your profile"),
    ),
    Held(
        "segment_foreseen",
        _("When a group will have to be looked at again for you"),
        _("to let you leave a group at the right moment"),
        _("computed"),
        _("you get nothing that no longer fits"),
        _("until that moment"),
    ),
    Held(
        "customer_list_member",
        _("The lists that somebody put you on"),
        _("to choose what fits you"),
        _("put together by hand or by file; the source stands beside it"),
        _("you get what concerns you and not the rest"),
        _KEPT,
    ),
)

hold_personal_data(PersonalData("campaigns.segments", erase, export, merge, unmerge, TABLES))
