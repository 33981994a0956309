"""What segments hold about people: that they are members. Joined and left facts are the timeline's."""

from collections.abc import Sequence
from typing import Any

from loyalty.kit.erasures import PersonalData, hold_personal_data
from loyalty.kit.sql import fetch, fetch_dicts, sql


def erase(customer_ids: Sequence[int]) -> int:
    """Remove these people from every segment; how many memberships ended."""
    return _end(list(customer_ids))


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """The segments the person is in."""
    rows = fetch_dicts(
        sql(
            "SELECT s.key AS segment, m.since FROM segment_member m JOIN segment s ON s.id = m.segment_id"
            " WHERE m.customer_id = {id} ORDER BY s.key",
            id=customer_id,
        )
    )
    return {"segment_member": rows}


def merge(winner: int, loser: int) -> int:
    """End the loser's memberships; the winner's follow from their data, which the merge marks as changed."""
    return _end([loser])


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


hold_personal_data(PersonalData("campaigns.segments", erase, export, merge))
