"""The SQL of a personal offer: who gets which target and which size, and what people did in a round."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from loyalty.kit import audiences
from loyalty.kit.buckets import place_sql
from loyalty.kit.sql import Sql, sql
from loyalty.offers.definition import OfferDocument, Personal

# Margin that a purchase tells, by itself or by all of its lines; NULL where it does not.
TOLD = """coalesce(b.margin, (SELECT sum(l.margin) FROM jsonb_to_recordset(coalesce(b.lines, '[]'))
    AS l (margin numeric) HAVING count(*) = count(l.margin)))"""
_NOT_VOID = "NOT EXISTS (SELECT FROM booking v WHERE v.original_id = b.id AND v.kind = 'void')"


def people(document: OfferDocument, personal: Personal, program_id: int, cursor: int, limit: int) -> Sql:
    """SELECT of (member_id, customer_id) of the next members that a round may look at, by member."""
    parts = [sql("m.program_id = {p} AND m.state = 'active' AND m.id > {c}", p=program_id, c=cursor)]
    if personal.basis == "consent":
        parts.append(
            Sql(
                "EXISTS (SELECT FROM consent_state s WHERE s.customer_id = c.id AND s.purpose = 'profiling'"
                " AND s.status = 'granted')"
            )
        )
    parts.append(
        Sql(
            "NOT EXISTS (SELECT FROM consent_state s WHERE s.customer_id = c.id AND s.purpose = 'profiling'"
            " AND s.status = 'withdrawn')"
        )
    )
    if tiers := document.when.tiers:
        parts.append(sql("m.tier_id IN (SELECT id FROM tier WHERE key = ANY({tiers}::text[]))", tiers=tiers))
    if segments := document.when.segments:
        members = audiences.members_of(segments)
        parts.append(sql("c.id IN (SELECT a.customer_id FROM ({members}) a)", members=members))
    return sql(
        "SELECT m.id AS member_id, m.customer_id FROM member m JOIN customer c ON c.id = m.customer_id"
        " WHERE c.restricted_at IS NULL AND {where} ORDER BY m.id LIMIT {limit}",
        where=Sql(" AND ").join(parts),
        limit=limit,
    )


def _past(personal: Personal, since: datetime, now: datetime) -> Sql:
    """SELECT of (customer_id, usual, share, category) from the purchases of `who` (a CTE)."""
    bought = sql(
        "FROM who w JOIN booking b ON b.member_id = w.member_id AND b.kind = 'purchase'"
        " AND b.occurred_at >= {since} AND b.occurred_at < {now} AND {valid}",
        since=since,
        now=now,
        valid=Sql(_NOT_VOID),
    )
    if personal.target == "spend":
        return sql(
            "SELECT customer_id, percentile_cont(0.5) WITHIN GROUP (ORDER BY amount)::numeric AS usual,"
            " sum(told) / nullif(sum(amount) FILTER (WHERE told IS NOT NULL), 0) AS share, NULL::text AS category"
            " FROM (SELECT w.customer_id, b.amount, {told} AS told {bought}) p GROUP BY 1 HAVING count(*) >= {least}",
            told=Sql(TOLD),
            bought=bought,
            least=personal.purchases,
        )
    return sql(
        "SELECT customer_id, spent / times AS usual, told / nullif(of_told, 0) AS share, category FROM ("
        " SELECT customer_id, category, sum(gross) AS spent, count(DISTINCT id) AS times, sum(margin) AS told,"
        "  sum(gross) FILTER (WHERE margin IS NOT NULL) AS of_told,"
        "  row_number() OVER (PARTITION BY customer_id ORDER BY sum(gross) DESC, category) AS place,"
        "  max(max(n)) OVER (PARTITION BY customer_id) AS purchases"
        "  FROM (SELECT w.customer_id, b.id, l.category, l.gross, l.margin,"
        "   dense_rank() OVER (PARTITION BY w.customer_id ORDER BY b.id) AS n {bought}"
        "   CROSS JOIN LATERAL jsonb_to_recordset(coalesce(b.lines, '[]'))"
        "    AS l (category text, gross numeric, margin numeric)) p"
        "  WHERE category IS NOT NULL GROUP BY 1, 2) r"
        " WHERE place = {rank} AND purchases >= {least}",
        bought=bought,
        rank=personal.rank,
        least=personal.purchases,
    )


def _cost(document: OfferDocument, point_value: Decimal) -> Sql:
    """What the size `r.size` costs when it is used on a purchase of `t.goal`."""
    kind = document.benefit.type
    if kind == "points":
        return sql("r.size * {value}::numeric", value=point_value)
    if kind == "amount":
        return Sql("least(r.size, t.goal)")
    most = getattr(document.benefit, "max", None)
    share = Sql("t.goal * r.size / 100")
    return share if most is None else sql("least({share}, {most}::numeric)", share=share, most=most)


def give(
    document: OfferDocument,
    personal: Personal,
    round_: Mapping[str, Any],
    *,
    program_id: int,
    since: datetime,
    cursor: int,
    limit: int,
) -> Sql:
    """Give the next members their part in the round; selects (members looked at, the last of them, given)."""
    rates = round_["rates"]
    goal = Sql("usual")
    if personal.target == "spend":
        goal = sql("ceil(round(usual * {f}::numeric / {r}::numeric, 6)) * {r}::numeric", f=personal.factor,
                   r=personal.round)  # fmt: skip
        if personal.min is not None:
            goal = sql("greatest({goal}, {least}::numeric)", goal=goal, least=personal.min)
        if personal.max is not None:
            goal = sql("least({goal}, {most}::numeric)", goal=goal, most=personal.max)
    key, number = document.key, round_["number"]
    return sql(
        """WITH who AS MATERIALIZED ({people}), past AS ({past}),
        t AS MATERIALIZED (SELECT customer_id, round(usual, 2) AS usual, {goal} AS goal, category,
            least(1, greatest(0, coalesce(share, {margin}::numeric / 100))) AS share,
            width_bucket(usual, {bands}::numeric[]) AS band,
            {held} < {holdout}::numeric / 100 AS held_out, {chance} < {explore}::numeric / 100 AS explored,
            1 + floor({lot} * {steps})::int AS drawn
            FROM past WHERE usual > 0),
        rate AS (SELECT * FROM unnest({b}::int[], {s}::int[], {z}::numeric[], {reach}::numeric[], {redeem}::numeric[],
            {base}::numeric[]) AS x (band, step, size, reach, redeem, base)),
        chosen AS (SELECT t.*, r.step, r.size, r.expected FROM t LEFT JOIN LATERAL (
            SELECT r.step, r.size, (r.reach - r.base) * t.goal * t.share - r.redeem * ({cost}) AS expected
            FROM rate r WHERE r.band = t.band AND (NOT t.explored OR r.step = t.drawn)
            ORDER BY 3 DESC, 1 LIMIT 1) r ON t.explored OR r.expected > 0),
        given AS (INSERT INTO offer_personal (round_id, customer_id, band, step, size, held_out, explored, usual,
                margin_share, threshold, category, expected)
            SELECT {round}, customer_id, band, CASE WHEN NOT held_out THEN step END,
                CASE WHEN NOT held_out THEN size END, held_out, explored AND NOT held_out, usual, round(share, 6),
                CASE WHEN {spend} THEN goal END, category, CASE WHEN NOT held_out THEN round(expected, 4) END
            FROM chosen ORDER BY customer_id ON CONFLICT DO NOTHING RETURNING customer_id)
        SELECT (SELECT count(*) FROM who), (SELECT max(member_id) FROM who), (SELECT count(*) FROM given)""",
        people=people(document, personal, program_id, cursor, limit),
        past=_past(personal, since, round_["given_at"]),
        goal=goal,
        margin=personal.margin,
        bands=personal.bands,
        held=place_sql(f"offer:{key}", Sql("customer_id")),
        holdout=personal.holdout,
        chance=place_sql(f"offer:{key}:{number}:explore", Sql("customer_id")),
        explore=personal.explore,
        lot=place_sql(f"offer:{key}:{number}:size", Sql("customer_id")),
        steps=len(personal.sizes),
        b=[one["band"] for one in rates],
        s=[one["step"] for one in rates],
        z=[one["size"] for one in rates],
        reach=[one["reach"] for one in rates],
        redeem=[one["redeem"] for one in rates],
        base=[one["base"] for one in rates],
        cost=_cost(document, Decimal(str(round_["point_value"]))),
        round=round_["id"],
        spend=personal.target == "spend",
    )


_MEASURE = """WITH who AS MATERIALIZED (
    SELECT p.customer_id, p.threshold, p.category, p.margin_share AS share, p.held_out, p.size, m.id AS member_id
    FROM offer_personal p LEFT JOIN member m ON m.customer_id = p.customer_id AND m.program_id = {program}
    WHERE p.round_id = {round} AND p.customer_id > {cursor} ORDER BY p.customer_id LIMIT {limit}),
  bought AS (
    SELECT w.customer_id, b.amount + d.amount AS before, b.amount - coalesce(back.amount, 0) AS kept,
        CASE WHEN told.margin IS NOT NULL THEN told.margin - coalesce(back.margin, 0)
            ELSE (b.amount - coalesce(back.amount, 0)) * w.share - d.amount * (1 - w.share) END AS margin,
        w.category IS NOT NULL AND EXISTS (SELECT FROM jsonb_to_recordset(coalesce(b.lines, '[]'))
            AS l (category text) WHERE l.category = w.category) AS meant, w.threshold
    FROM who w JOIN booking b ON b.member_id = w.member_id AND b.kind = 'purchase'
        AND b.occurred_at >= {start} AND b.occurred_at < {end}
    CROSS JOIN LATERAL (SELECT {told} AS margin) told
    CROSS JOIN LATERAL (SELECT coalesce(sum(r.discount), 0) AS amount FROM offer_reservation r
        WHERE r.customer_id = w.customer_id AND r.booking_id = b.id AND r.state = 'redeemed') d
    LEFT JOIN LATERAL (SELECT sum(x.amount) AS amount, sum(x.margin) AS margin FROM booking x
        WHERE x.original_id = b.id AND x.kind IN ('return', 'void')) back ON TRUE),
  spent AS (SELECT customer_id, sum(kept) AS revenue, sum(margin) AS margin,
        bool_or(CASE WHEN threshold IS NOT NULL THEN before >= threshold ELSE meant END) AS reached
    FROM bought GROUP BY 1),
  used AS (SELECT u.customer_id, count(*)::int AS n, sum(u.amount) AS amount FROM who w JOIN offer_use u
        ON u.customer_id = w.customer_id AND u.offer_id = {offer} AND u.state = 'redeemed' AND u.at >= {start}
        AND u.at < {end} GROUP BY 1),
  done AS (UPDATE offer_personal p SET reached = coalesce(s.reached, FALSE), redeemed = coalesce(u.n, 0),
        revenue = coalesce(s.revenue, 0), cost = coalesce(u.amount, 0) + coalesce(u.n, 0) * {points}::numeric
            * coalesce(w.size, 0),
        margin = coalesce(s.margin, 0) - coalesce(u.n, 0) * {points}::numeric * coalesce(w.size, 0)
    FROM who w LEFT JOIN spent s ON s.customer_id = w.customer_id LEFT JOIN used u ON u.customer_id = w.customer_id
    WHERE p.round_id = {round} AND p.customer_id = w.customer_id)
  SELECT count(*), max(customer_id) FROM who"""


def measure(
    round_: Mapping[str, Any], *, offer_id: int, program_id: int, point_value: Decimal, cursor: int, limit: int
) -> Sql:
    """Write what the next people did in the round; selects (people, the last of them).

    The margin is what purchases tell, less returns; where they do not tell it, the share of what was paid, less the
    discount that is not in it. `point_value`: what points of the offer cost, 0 for other benefits.
    """
    return sql(
        _MEASURE,
        program=program_id,
        round=round_["id"],
        cursor=cursor,
        limit=limit,
        start=round_["given_at"],
        end=round_["ends_at"],
        told=Sql(TOLD),
        offer=offer_id,
        points=point_value,
    )


def outcome(round_id: int) -> Sql:
    """One row for each band, size and group of a measured round."""
    return sql(
        "SELECT band, step, size::float8 AS size, held_out, count(*) AS people, count(*) FILTER (WHERE reached) AS"
        " reached, count(*) FILTER (WHERE redeemed > 0) AS redeemers, sum(revenue)::float8 AS revenue,"
        " sum(margin)::float8 AS margin, sum(margin * margin)::float8 AS squares, sum(cost)::float8 AS cost"
        " FROM offer_personal WHERE round_id = {round} AND reached IS NOT NULL GROUP BY 1, 2, 3, 4"
        " ORDER BY band, held_out, size NULLS FIRST",
        round=round_id,
    )
