"""Reads: the shop as a member sees it, and what was redeemed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from loyalty.kit.sql import Sql, fetch, fetch_values, sql
from loyalty.program.setup import Setup
from loyalty.rewards import eligibility, people, ranking, vouchers
from loyalty.rewards.definition import Price
from loyalty.rewards.eligibility import Person
from loyalty.rewards.loading import Loaded, ready
from loyalty.rewards.models import Reward, RewardCategory, RewardSlot, Wish

PAGE = 50
LARGEST_PAGE = 500
# What somebody bought that tells their taste: so many receipts back.
RECEIPTS = 100


@dataclass(frozen=True, slots=True)
class Offered:
    """A reward as one customer sees it; texts by language. `left` is None without a limit.

    `missing` are the points that the cheapest price still needs (0: it can be had); `why_not` says in stable words why
    it cannot be redeemed now (empty: it can): member, later, over, stock, limit, points (`wording.why_not`).
    `reason` says in stable words why it stands where it does (`wording.reason`), `about` which taste it goes with.
    """

    id: int
    key: str
    type: str
    name: dict[str, str]
    text: dict[str, str]
    image: str | None
    categories: list[str]
    featured: bool
    prices: list[Price]
    wallet: str
    currency: str
    value: Decimal | None
    left: int | None
    may: int
    missing: int
    why_not: str
    reason: str
    about: str
    wished: bool
    slots: list[RewardSlot]
    items: list[tuple[str, dict[str, str], int]]
    loaded: Loaded


def shop(
    *, setup: Setup, now: datetime, customer_id: int | None = None, search: str = "", category: str = "",
    type_: str = "", affordable: bool = False, key: str = "",
) -> list[Offered]:  # fmt: skip
    """The rewards that this customer may see, the best for them first; without a customer, those open to everybody.

    At most ten queries, however many rewards there are.
    """
    rows = Reward.objects.filter(program_id=setup.id, state="active")
    if category:
        rows = rows.filter(categories__contains=[category])
    if type_:
        rows = rows.filter(type=type_)
    if key:
        rows = rows.filter(key=key)
    loaded = [one for one in ready(list(rows.order_by("key"))) if _fits(one, search)]
    segments = {segment for one in loaded for segment in one.document.visible.segments}
    person = people.know(customer_id, setup=setup, segments=segments) if customer_id else Person()
    taste = _taste(customer_id, setup.id) if customer_id else {}
    wished = wished_id(customer_id, setup.id) if customer_id else None
    seen = [one for one in loaded if eligibility.visible(one.document, person, now)]
    slots = _slots(seen, now)
    found = []
    for one in seen:
        offer, rank = _offered(one, person, taste, setup=setup, now=now, wished=wished, slots=slots)
        if not affordable or not offer.missing:
            found.append((-rank.score, offer.key, offer))
    return [offer for _score, _key, offer in sorted(found, key=lambda row: row[:2])]


def _fits(one: Loaded, search: str) -> bool:
    if not search:
        return True
    words = [*one.document.name.values(), *one.document.text.values(), *one.document.categories, one.row.key]
    return all(any(part in word.casefold() for word in words) for part in search.casefold().split())


def _offered(
    one: Loaded, person: Person, taste: Mapping[str, int], *, setup: Setup, now: datetime, wished: int | None,
    slots: Mapping[int, list[RewardSlot]],
) -> tuple[Offered, ranking.Ranked]:  # fmt: skip
    document, row = one.document, one.row
    _, wallet = setup.wallet(document.wallet)
    available = person.points.get(wallet.key, 0)
    missing = eligibility.missing(document.options, available)
    mine = slots.get(row.id, [])
    left = one.left
    if document.slots:
        free = max((slot.places - slot.taken for slot in mine), default=0)
        left = free if left is None else min(left, free)
    refusal = eligibility.why_not(
        document, person, reward_id=row.id, wallet=wallet.key, left=left, now=now, zone=setup.zone
    )
    may = eligibility.left_for(document.per_person, person.redeemed.get(row.id, ()), now, setup.zone)
    rank = ranking.rank(
        ranking.Facts(
            [*document.likes, *document.categories],
            min(price.points for price in document.options),
            available,
            wished=row.id == wished,
            featured=document.featured,
            obtainable=refusal in ("", "points", "member") and left != 0,
            position=document.position,
        ),
        taste,
    )
    offer = Offered(
        row.id, row.key, row.type, document.name, document.text, document.image, document.categories,
        document.featured, document.options, wallet.key, setup.document.currency, document.value, left,
        min(n for n in (document.most, left, may) if n is not None), missing, refusal, rank.reason, rank.about,
        row.id == wished, mine, [(part.row.key, part.document.name, n) for part, n in one.parts], one,
    )  # fmt: skip
    return offer, rank


def _slots(seen: Sequence[Loaded], now: datetime) -> dict[int, list[RewardSlot]]:
    timed = [one.row.id for one in seen if one.document.slots]
    found: dict[int, list[RewardSlot]] = {}
    if timed:
        for slot in RewardSlot.objects.filter(reward_id__in=timed, starts_at__gt=now).order_by("starts_at"):
            found.setdefault(slot.reward_id, []).append(slot)
    return found


def _taste(customer_id: int, program_id: int) -> dict[str, int]:
    """How often words (category, brand, article) stand on the last receipts, and categories on what was redeemed."""
    rows = fetch(
        sql(
            "SELECT word, count(*) FROM (SELECT lower(said.word) AS word FROM (SELECT b.lines FROM booking b"
            " JOIN member m ON m.id = b.member_id WHERE m.customer_id = {customer} AND m.program_id = {program}"
            " AND b.kind = 'purchase' AND b.lines IS NOT NULL ORDER BY b.occurred_at DESC LIMIT {receipts}) bought,"
            " jsonb_array_elements(CASE jsonb_typeof(bought.lines) WHEN 'array' THEN bought.lines ELSE '[]' END)"
            " AS line,"
            " LATERAL (VALUES (line ->> 'category'), (line ->> 'brand'), (line ->> 'sku')) AS said (word)"
            " WHERE said.word IS NOT NULL"
            " UNION ALL SELECT lower(chosen.word) FROM (SELECT o.reward_id FROM reward_redemption o"
            " WHERE o.customer_id = {customer} AND o.state <> 'cancelled' ORDER BY o.id DESC LIMIT {receipts}) o"
            " JOIN reward r ON r.id = o.reward_id, unnest(r.categories) AS chosen (word)) words GROUP BY word",
            customer=customer_id,
            program=program_id,
            receipts=RECEIPTS,
        )
    )
    return dict(rows)


def wished_id(customer_id: int, program_id: int) -> int | None:
    """The reward that the customer wishes for."""
    return (
        Wish.objects.filter(customer_id=customer_id, program_id=program_id).values_list("reward_id", flat=True).first()
    )


def wish_of(customer_id: int, *, setup: Setup, now: datetime) -> Offered | None:
    """What the customer saves for, with the points still missing; None for no wish, or one that is gone."""
    wished = wished_id(customer_id, setup.id)
    row = Reward.objects.filter(id=wished).first() if wished else None
    found = shop(setup=setup, now=now, customer_id=customer_id, key=row.key) if row else []
    return found[0] if found else None


def wishes_of(customer_id: int) -> list[Wish]:
    """What the customer wishes for in all programs."""
    return list(Wish.objects.filter(customer_id=customer_id).select_related("reward").order_by("program_id"))


def categories(program_id: int) -> list[tuple[str, dict[str, str]]]:
    """(key, name) of the categories of rewards that are on the shelf, in the order of the shop."""
    rows = fetch(
        sql(
            "SELECT DISTINCT c FROM reward, unnest(categories) AS c WHERE state = 'active' AND program_id = {program}",
            program=program_id,
        )
    )
    used = {row[0] for row in rows}
    named = {one.key: one for one in RewardCategory.objects.filter(key__in=used)}
    order = sorted(used, key=lambda key: (named[key].position if key in named else 30_001, key))
    return [(key, named[key].name if key in named else {}) for key in order]


_REDEMPTION = """SELECT o.id, p.key AS program, c.external_id AS customer, o.customer_id, r.key AS reward, r.name,
    r.type, o.parent_id, o.quantity, o.state, o.state_since, o.source, o.points, o.money, o.currency, o.payment,
    s.starts_at AS slot, o.address, o.tracking, o.note, o.reason, o.won, o.ordered_at, o.booking_id, o.refund_id,
    r.definition ->> 'link' AS link, (r.definition ->> 'value')::numeric AS value,
    coalesce((r.definition -> 'codes')::boolean, false) AS coded,
    r.definition ->> 'voucher_pool' AS voucher_pool
FROM reward_redemption o JOIN reward r ON r.id = o.reward_id JOIN program p ON p.id = o.program_id
LEFT JOIN customer c ON c.id = o.customer_id LEFT JOIN reward_slot s ON s.id = o.slot_id"""


def redemptions(
    *, customer_id: int | None = None, program_id: int | None = None, state: str | None = None,
    after: int | None = None, limit: int = PAGE,
) -> tuple[list[dict[str, Any]], int | None]:  # fmt: skip
    """Redemptions without the parts of bundles, newest first, with what they brought (codes, link, tracking), and the
    cursor of the next page."""
    conditions = [Sql("o.parent_id IS NULL")]
    for name, value in (("o.customer_id", customer_id), ("o.program_id", program_id), ("o.state", state)):
        if value is not None:
            conditions.append(sql("{name} = {value}", name=Sql(name), value=value))
    if after is not None:
        conditions.append(sql("o.id < {after}", after=after))
    rows = fetch_values(
        sql(
            "{redemption} WHERE {conditions} ORDER BY o.id DESC LIMIT {limit}",
            redemption=Sql(_REDEMPTION),
            conditions=Sql(" AND ").join(conditions),
            limit=limit + 1,
        )
    )
    shown = rows[:limit]
    _complete(shown)
    return shown, shown[-1]["id"] if len(rows) > limit else None


def redemption(redemption_id: int) -> dict[str, Any] | None:
    """One redemption with its parts and its steps."""
    rows = fetch_values(sql("{redemption} WHERE o.id = {id}", redemption=Sql(_REDEMPTION), id=redemption_id))
    if not rows:
        return None
    _complete(rows)
    steps = fetch_values(
        sql(
            "SELECT state, at, actor FROM reward_redemption_step WHERE redemption_id = {id} ORDER BY id",
            id=redemption_id,
        )
    )
    return rows[0] | {"steps": steps}


def _complete(rows: list[dict[str, Any]]) -> None:
    """Add the parts of bundles and the codes."""
    ids = [row["id"] for row in rows]
    parts = fetch_values(
        sql(
            "{redemption} WHERE o.parent_id = ANY({ids}::bigint[]) ORDER BY o.id",
            redemption=Sql(_REDEMPTION),
            ids=ids,
        )
    )
    codes: dict[int, list[str]] = {}
    every = [*ids, *(part["id"] for part in parts)]
    for redemption_id, code in fetch(
        sql(
            "SELECT redemption_id, code FROM reward_code WHERE redemption_id = ANY({ids}::bigint[])"
            " AND redemption_id IS NOT NULL AND code <> '' ORDER BY id",
            ids=every,
        )
    ):
        codes.setdefault(redemption_id, []).append(code)
    codes |= vouchers.codes([row["id"] for row in [*rows, *parts] if row["voucher_pool"]])
    for row in [*rows, *parts]:
        row["codes"] = codes.get(row["id"], []) if row["state"] != "cancelled" else []
        if row["state"] != "delivered":
            row["link"] = None
        row["parts"] = [part for part in parts if part["parent_id"] == row["id"]]
