"""The one reward that a member saves points for."""

from datetime import datetime

from django.db import transaction

from loyalty.events import facts, partitions
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.program.setup import Setup
from loyalty.rewards import eligibility, people
from loyalty.rewards.loading import load
from loyalty.rewards.models import Wish


@transaction.atomic
def set_wish(*, customer_id: int, reward: str, setup: Setup, now: datetime) -> None:
    """Wish for this reward instead of another; raises Problems for one that the customer cannot see."""
    loaded = load(reward, program_id=setup.id)
    # Erasing and merging lock the customer too.
    here = fetch(sql("SELECT id FROM customer WHERE id = {id} FOR KEY SHARE", id=customer_id))
    person = people.know(customer_id, setup=setup, segments=loaded.document.visible.segments)
    if not here or not person.state:
        raise Problems([Problem("customer", "is no member of the program", "let the customer join first")])
    if not eligibility.visible(loaded.document, person, now):
        raise Problems([Problem("reward", f"{reward!r} is not there for this customer", "choose another")])
    execute(
        sql(
            "INSERT INTO wish (customer_id, program_id, reward_id, since)"
            " VALUES ({customer}, {program}, {reward}, {now})"
            " ON CONFLICT (customer_id, program_id) DO UPDATE SET reward_id = EXCLUDED.reward_id,"
            " since = EXCLUDED.since, reached_at = NULL WHERE wish.reward_id <> EXCLUDED.reward_id",
            customer=customer_id,
            program=setup.id,
            reward=loaded.row.id,
            now=now,
        )
    )


def clear_wish(*, customer_id: int, setup: Setup) -> bool:
    """Wish for nothing; whether there was a wish."""
    return Wish.objects.filter(customer_id=customer_id, program_id=setup.id).delete()[0] > 0


def notice_reached(*, now: datetime, limit: int = 10_000) -> int:
    """Tell the timeline, once for each wish, that there are points enough for it; how many."""
    with transaction.atomic():
        rows = fetch(
            sql(
                "SELECT w.customer_id, w.program_id FROM wish w JOIN reward r ON r.id = w.reward_id"
                " JOIN member m ON m.customer_id = w.customer_id AND m.program_id = w.program_id"
                " JOIN member_balance b ON b.member_id = m.id JOIN wallet l ON l.id = b.wallet_id"
                " WHERE w.reached_at IS NULL AND r.state = 'active' AND m.state = 'active'"
                " AND l.id = (SELECT id FROM wallet WHERE program_id = w.program_id"
                "   AND (r.definition ->> 'wallet' IS NULL OR key = r.definition ->> 'wallet')"
                "   ORDER BY position LIMIT 1)"
                " AND b.active - b.owed >= r.points ORDER BY 1 LIMIT {limit} FOR UPDATE OF w SKIP LOCKED",
                limit=limit,
            )
        )
        if not rows:
            return 0
        partitions.ensure(now, now)
        done = sql(
            "done AS (UPDATE wish w SET reached_at = {now} FROM unnest({customers}::bigint[], {programs}::int[])"
            " AS d (customer, program) WHERE w.customer_id = d.customer AND w.program_id = d.program"
            " RETURNING w.customer_id, w.reward_id)",
            now=now,
            customers=[row[0] for row in rows],
            programs=[row[1] for row in rows],
        )
        told = facts.ctes(
            "told",
            "wish.reached",
            sql(
                "SELECT d.customer_id, {now}::timestamptz, r.id, jsonb_build_object('reward', r.key, 'name', r.name,"
                " 'points', r.points) FROM done d JOIN reward r ON r.id = d.reward_id",
                now=now,
            ),
        )
        fetch(sql("WITH {done}, {told} SELECT count(*) FROM done", done=done, told=told))
    return len(rows)
