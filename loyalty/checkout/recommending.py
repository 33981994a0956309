"""What goes with what is in a basket: articles that stand on the same receipts, reckoned from the latest purchases."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from loyalty.kit.sql import execute, fetch, sql

# The latest purchases that are looked at, and what of each: a longer basket says less about each pair in it.
RECEIPTS, MOST_LINES = 200_000, 30
# Fewer receipts with both are chance; of each article the best so many are kept.
TOGETHER, KEPT = 3, 20
EVERY_HOURS = 24
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Tip:
    """An article to recommend; `because` is the one in the basket it goes with (empty: it is liked in general)."""

    sku: str
    name: str
    because: str
    receipts: int

    @property
    def sentence(self) -> str:
        """For whoever serves."""
        if self.because:
            return _("%(item)s: often bought with %(other)s.") % {"item": self.name, "other": self.because}
        return _("%(item)s: bought often.") % {"item": self.name}


_known: dict[str, str] = {}
_MOST_KNOWN = 50_000


def learn_names(items: Iterable[tuple[str | None, str | None]], *, now: datetime) -> int:
    """Keep the names of articles (sku, name) that this process has not seen yet; almost always nothing to do."""
    fresh = {sku: name for sku, name in items if sku and name and _known.get(sku) != name}
    if not fresh:
        return 0
    skus = sorted(fresh)
    query = sql(
        "INSERT INTO till_item (sku, name, seen_at) SELECT u.sku, u.name, {now} FROM unnest({skus}::text[],"
        " {names}::text[]) AS u (sku, name) ORDER BY u.sku ON CONFLICT (sku) DO UPDATE SET name = excluded.name,"
        " seen_at = excluded.seen_at WHERE till_item.name IS DISTINCT FROM excluded.name",
        now=now,
        skus=skus,
        names=[fresh[sku] for sku in skus],
    )
    changed = execute(query)
    if len(_known) + len(fresh) > _MOST_KNOWN:
        _known.clear()
    _known.update(fresh)
    return changed


@transaction.atomic
def compute(*, now: datetime, receipts: int = RECEIPTS) -> int:
    """Reckon articles and pairs anew from the latest purchases; how many articles. One at a time does it."""
    if not fetch(sql("SELECT pg_try_advisory_xact_lock(hashtextextended('till_pair', 0))"))[0][0]:
        return 0
    execute(sql("DROP TABLE IF EXISTS bought_line"))
    execute(
        sql(
            "CREATE TEMP TABLE bought_line ON COMMIT DROP AS SELECT b.id AS receipt, line ->> 'sku' AS sku,"
            " sum((line ->> 'margin')::numeric) AS margin, sum((line ->> 'quantity')::numeric) AS quantity"
            " FROM (SELECT id, lines FROM booking WHERE kind = 'purchase' AND lines -> 0 ? 'sku'"
            "   ORDER BY id DESC LIMIT {receipts}) b,"
            " LATERAL (SELECT l AS line FROM jsonb_array_elements(b.lines) l LIMIT {most}) x"
            " WHERE line ->> 'sku' IS NOT NULL GROUP BY 1, 2",
            receipts=receipts,
            most=MOST_LINES,
        )
    )
    execute(sql("ANALYZE bought_line"))
    execute(sql("UPDATE till_item SET receipts = 0, margin = NULL WHERE receipts > 0"))
    found = execute(
        sql(
            "INSERT INTO till_item (sku, receipts, margin, seen_at) SELECT sku, count(*),"
            " round(sum(margin) / nullif(sum(quantity) FILTER (WHERE margin IS NOT NULL), 0), 2), {now}"
            " FROM bought_line GROUP BY sku ORDER BY sku"
            " ON CONFLICT (sku) DO UPDATE SET receipts = excluded.receipts, margin = excluded.margin",
            now=now,
        )
    )
    execute(sql("DELETE FROM till_pair"))
    execute(
        sql(
            "INSERT INTO till_pair (sku, other, together, score) SELECT sku, other, together, score FROM ("
            "  SELECT p.sku, p.other, p.together, p.together / sqrt(a.receipts::float8 * b.receipts) AS score,"
            "  row_number() OVER (PARTITION BY p.sku ORDER BY p.together / sqrt(a.receipts::float8 * b.receipts) DESC,"
            "    p.other) AS place FROM (SELECT x.sku, y.sku AS other, count(*)::int AS together FROM bought_line x"
            "    JOIN bought_line y ON y.receipt = x.receipt AND y.sku <> x.sku GROUP BY 1, 2"
            "    HAVING count(*) >= {together}) p JOIN till_item a ON a.sku = p.sku JOIN till_item b ON b.sku = p.other"
            ") ranked WHERE place <= {kept}",
            together=TOGETHER,
            kept=KEPT,
        )
    )
    return found


def tips(
    skus: Sequence[str], *, bought: Collection[str] = (), without: Collection[str] = (), most: int = SHOWN
) -> list[Tip]:
    """What to recommend beside these articles: what goes with them first, then what is bought most.

    Never what is in the basket, what the person `bought` before, what there is none of (`without`), or what is sold
    at a loss. Two queries at most.
    """
    barred = sorted({*skus, *bought, *without})
    fit = sql("t.receipts > 0 AND (t.margin IS NULL OR t.margin > 0) AND t.sku <> ALL({barred}::text[])", barred=barred)
    found: list[Tip] = []
    if skus:
        rows = fetch(
            sql(
                "SELECT sku, name, because, receipts FROM (SELECT DISTINCT ON (t.sku) t.sku,"
                "  coalesce(t.name, t.sku) AS name, coalesce(o.name, o.sku) AS because, t.receipts, p.score,"
                "  sum(p.score) OVER (PARTITION BY t.sku) AS whole FROM till_pair p JOIN till_item t ON t.sku = p.other"
                "  JOIN till_item o ON o.sku = p.sku WHERE p.sku = ANY({skus}::text[]) AND {fit}"
                "  ORDER BY t.sku, p.score DESC) best ORDER BY whole DESC, sku LIMIT {most}",
                skus=list(skus),
                fit=fit,
                most=most,
            )
        )
        found = [Tip(*row) for row in rows]
    if len(found) < most:
        have = [one.sku for one in found]
        rows = fetch(
            sql(
                "SELECT t.sku, coalesce(t.name, t.sku), '', t.receipts FROM till_item t WHERE {fit}"
                " AND t.sku <> ALL({have}::text[]) ORDER BY t.receipts DESC, t.sku LIMIT {most}",
                fit=fit,
                have=have,
                most=most - len(found),
            )
        )
        found += [Tip(*row) for row in rows]
    return found


def bought_by(member_id: int, *, receipts: int = 100) -> set[str]:
    """The articles on a member's latest receipts."""
    query = sql(
        "SELECT DISTINCT line ->> 'sku' FROM (SELECT lines FROM booking WHERE member_id = {member}"
        " AND kind = 'purchase' ORDER BY occurred_at DESC LIMIT {receipts}) b, jsonb_array_elements(b.lines) line"
        " WHERE line ->> 'sku' IS NOT NULL",
        member=member_id,
        receipts=receipts,
    )
    return {row[0] for row in fetch(query)}
