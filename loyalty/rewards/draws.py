"""Draws: who redeemed tickets takes part, and whoever knows the seed gets the same winners."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from hashlib import md5
from uuid import UUID

from django.db import transaction

from loyalty.kit.sql import execute, fetch, sql
from loyalty.rewards.loading import Loaded, load, ready
from loyalty.rewards.models import Reward, RewardDraw
from loyalty.rewards.placing import tell
from loyalty.rewards.redeeming import give
from loyalty.rewards.shapes import Gift


@dataclass(frozen=True, slots=True)
class Drawn:
    """Tickets that took part, and people who won."""

    tickets: int
    winners: int


def due(*, now: datetime) -> list[Loaded]:
    """Tickets whose draw is due and was not held."""
    held = RewardDraw.objects.values("reward_id")
    rows = Reward.objects.filter(type="draw_ticket").exclude(id__in=held).order_by("id")
    return [one for one in ready(list(rows)) if one.document.draw and one.document.draw.at <= now]


@transaction.atomic
def hold(reward_id: int, *, now: datetime, seed: str | None = None) -> Drawn | None:
    """Draw the winners and give them the prize; None when it was held already.

    Every ticket gets the place `sha256(seed:redemption:number)`; the first ones win, everybody at most once. The seed
    comes into being now, so nobody can have known it; it is kept, so everybody can count again.
    """
    row = Reward.objects.select_for_update(no_key=True).get(id=reward_id)
    loaded = ready([row])[0]
    if loaded.document.draw is None or RewardDraw.objects.filter(reward_id=reward_id).exists():
        return None
    seed = seed or secrets.token_hex(16)
    winners = fetch(
        sql(
            "WITH ticket AS (SELECT o.id, o.customer_id, sha256(convert_to({seed}::text || ':' || o.id || ':' || n,"
            " 'UTF8')) AS place FROM reward_redemption o, generate_series(1, o.quantity) AS n"
            " WHERE o.reward_id = {reward} AND o.state <> 'cancelled' AND o.customer_id IS NOT NULL),"
            " best AS (SELECT DISTINCT ON (customer_id) id, customer_id, place FROM ticket"
            " ORDER BY customer_id, place)"
            " SELECT id, customer_id FROM best ORDER BY place LIMIT {n}",
            seed=seed,
            reward=reward_id,
            n=loaded.document.draw.winners,
        )
    )
    tickets = fetch(
        sql(
            "SELECT coalesce(sum(quantity), 0)::int FROM reward_redemption WHERE reward_id = {reward}"
            " AND state <> 'cancelled' AND customer_id IS NOT NULL",
            reward=reward_id,
        )
    )[0][0]
    prize = load(loaded.document.draw.prize)
    gifts = [Gift(customer_id, _key(reward_id, customer_id)) for _id, customer_id in winners]
    given = give(gifts, reward=prize.row.key, now=now, source="draw") if gifts else {}
    won = [redemption_id for redemption_id, customer_id in winners if customer_id in given]
    execute(
        sql(
            "UPDATE reward_redemption SET won = id = ANY({won}::bigint[]) WHERE reward_id = {reward}"
            " AND state <> 'cancelled'",
            won=won,
            reward=reward_id,
        )
    )
    RewardDraw.objects.create(reward_id=reward_id, drawn_at=now, seed=seed, tickets=tickets, winners=len(won))
    tell("reward.won", won, now=now, prize=prize.row.key)
    return Drawn(tickets, len(won))


def _key(reward_id: int, customer_id: int) -> UUID:
    return UUID(md5(f"draw:{reward_id}:{customer_id}".encode(), usedforsecurity=False).hexdigest())
