"""Writes what a program is (documents), who is in it, and what people correct by hand."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from loyalty.events import facts, partitions, queue
from loyalty.kit.documents import Change
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.program import awaiting, membership, movements, names, tiering
from loyalty.program.definition import ProgramDocument, TierDocument
from loyalty.program.earning_part import earning
from loyalty.program.models import Adjustment, EarningRule, Member, Program, Tier, Wallet
from loyalty.program.rule_definition import RuleDocument
from loyalty.program.setup import Setup, load, load_all

CONSUMER = "program"


def _change(kind: str, key: str, before: dict[str, Any] | None, after: dict[str, Any]) -> Change:
    verdict = "created" if before is None else "unchanged" if before == after else "updated"
    return Change(kind=kind, key=key, verdict=verdict, before=before, after=after)


@transaction.atomic
def save_program(document: ProgramDocument, *, now: datetime) -> Change:
    """Create the program or change it to `document`; raises Problems. A wallet that holds points cannot go."""
    found = Program.objects.select_for_update().filter(key=document.key).first()
    after = {"kind": "program", "key": document.key, **document.plain()}
    change = _change("program", document.key, found.definition if found else None, after)
    if change.verdict == "unchanged":
        return change
    written = {"name": document.name, "definition": after, "updated_at": now}
    program, _ = Program.objects.update_or_create(
        key=document.key, defaults=written, create_defaults={**written, "created_at": now}
    )
    have = dict(Wallet.objects.filter(program=program).values_list("key", "id"))
    wanted = [one.key for one in document.wallets]
    gone = {key: wallet_id for key, wallet_id in have.items() if key not in wanted}
    _refuse_gone(gone)
    Wallet.objects.filter(id__in=gone.values()).delete()
    execute(sql("DELETE FROM member_balance WHERE wallet_id = ANY({ids}::int[])", ids=list(gone.values())))
    Wallet.objects.bulk_create(
        Wallet(program=program, key=key, position=place) for place, key in enumerate(wanted) if key not in have
    )
    membership.open_wallets(program_id=program.id)
    listen()
    return change


def _refuse_gone(gone: dict[str, int]) -> None:
    used = fetch(
        sql(
            "SELECT w FROM unnest({ids}::int[]) AS w WHERE EXISTS (SELECT FROM lot WHERE wallet_id = w)"
            " OR EXISTS (SELECT FROM earning_rule WHERE wallet_id = w)",
            ids=list(gone.values()),
        )
    )
    names_of = {wallet_id: key for key, wallet_id in gone.items()}
    if used:
        raise Problems(
            Problem("wallets", f"{names_of[row[0]]} holds points or has earning rules, so it cannot go", "put it back")
            for row in used
        )


@transaction.atomic
def save_tier(document: TierDocument, *, now: datetime) -> Change:
    """Create the tier or change it to `document`; members are looked at by the next chore."""
    setup = load(document.program)
    found = Tier.objects.select_for_update().filter(key=document.key).first()
    after = {"kind": "tier", "key": document.key, "program": setup.key, **document.plain()}
    change = _change("tier", document.key, found.definition if found else None, after)
    if change.verdict == "unchanged":
        return change
    if found and found.program_id != setup.id:
        raise Problems([Problem("program", "a tier stays in its program", "make a new tier")])
    others = Tier.objects.filter(program_id=setup.id).exclude(key=document.key)
    if same := others.filter(rank=document.rank).first():
        raise Problems([Problem("rank", f"{same.key} has the rank {document.rank}", "choose another")])
    written = {
        "program_id": setup.id,
        "rank": document.rank,
        "threshold": document.threshold,
        "name": document.name,
        "definition": after,
        "updated_at": now,
    }
    Tier.objects.update_or_create(key=document.key, defaults=written, create_defaults={**written, "created_at": now})
    return change


@transaction.atomic
def save_rule(document: RuleDocument, parameters: dict[str, Any], *, now: datetime) -> Change:
    """Create the earning rule or change it; `parameters` are its part's own fields."""
    setup = load(document.program)
    wallet_id, wallet = setup.wallet(document.wallet)
    problems = _rule_problems(document, setup, worth=bool(wallet.value), kinds=earning.get(document.type).kinds)
    if problems:
        raise Problems(problems)
    found = EarningRule.objects.select_for_update().filter(key=document.key).first()
    after = {
        "kind": "earning_rule",
        "key": document.key,
        "program": setup.key,
        "wallet": wallet.key,
        **document.plain(),
        **parameters,
    }
    change = _change("earning_rule", document.key, found.definition if found else None, after)
    if change.verdict == "unchanged":
        return change
    if found and found.program_id != setup.id:
        raise Problems([Problem("program", "a rule stays in its program", "make a new rule")])
    written = {
        "program_id": setup.id,
        "wallet_id": wallet_id,
        "type": document.type,
        "priority": document.priority,
        "state": document.state,
        "name": document.name,
        "definition": after,
        "updated_at": now,
    }
    EarningRule.objects.update_or_create(
        key=document.key, defaults=written, create_defaults={**written, "created_at": now}
    )
    listen()
    return change


def _rule_problems(document: RuleDocument, setup: Setup, *, worth: bool, kinds: Sequence[str]) -> list[Problem]:
    known = {tier.key for tier in setup.tiers}
    problems = [
        Problem(f"when.tiers[{place}]", f"there is no tier {key!r}", f"known: {', '.join(sorted(known)) or 'none'}")
        for place, key in enumerate(document.when.tiers)
        if key not in known
    ]
    if document.budget.money is not None and not worth:
        problems.append(Problem("budget.money", "the wallet does not say what a point is worth", "set its value"))
    if document.margin_floor is not None and names.PURCHASE not in kinds:
        problems.append(Problem("margin_floor", f"{document.type} looks at no purchase, so at no margin", "remove it"))
    elif document.margin_floor is not None and not worth:
        problems.append(Problem("margin_floor", "the wallet does not say what a point is worth", "set its value"))
    return problems


def listen() -> None:
    """Subscribe to the events that the programs' rules want, and to no others."""
    wanted = {name for setup in load_all() for name in setup.events()} | awaiting.waiting()
    query = sql(
        "SELECT t.name FROM event_subscription s JOIN event_type t ON t.id = s.type_id WHERE s.consumer = {c}",
        c=CONSUMER,
    )
    have = {row[0] for row in fetch(query)}
    if wanted - have:
        queue.subscribe(CONSUMER, wanted - have)
    if have - wanted:
        queue.unsubscribe(CONSUMER, have - wanted)


@transaction.atomic
def join(*, customer_ids: list[int], setup: Setup, now: datetime) -> int:
    """Make members of these customers; who had left is in again. How many came in. Raises Problems in a program that
    ends."""
    refuse_newcomers(setup, now)
    partitions.ensure(now, now)
    known = membership.of_customers(customer_ids, program_id=setup.id)
    back = [member_id for member_id, state in known.values() if state == "left"]
    if back:
        membership.lock(back)
        _tell("member.joined", back, setup, now)
        Member.objects.filter(id__in=back, state="left").update(state="active", left_at=None)
    return len(back) + membership.join(set(customer_ids) - known.keys(), setup=setup, now=now)


def refuse_newcomers(setup: Setup, now: datetime) -> None:
    """Raises Problems where the last day to earn is over."""
    if setup.earning_over(now):
        raise Problems([Problem("program", f"{setup.key} ends: nobody joins after {setup.earns_until}")])


@transaction.atomic
def leave(*, member_id: int, setup: Setup, now: datetime) -> None:
    """End a membership: nothing more is earned; what is there can be spent until it expires. Raises Problems."""
    partitions.ensure(now, now)
    if membership.lock([member_id]).get(member_id) not in ("active", "frozen"):
        raise Problems([Problem("member", "is no member")])
    Member.objects.filter(id=member_id).update(
        state="left", left_at=now, tier=None, tier_falls_at=None, tier_fixed_until=None
    )
    _tell("member.left", [member_id], setup, now)


def _tell(fact: str, member_ids: list[int], setup: Setup, now: datetime) -> None:
    facts.write(
        fact,
        sql(
            "SELECT customer_id, {now}::timestamptz, id, jsonb_build_object('program', {key}::text) FROM member"
            " WHERE id = ANY({ids}::bigint[]) AND customer_id IS NOT NULL",
            now=now,
            key=setup.key,
            ids=member_ids,
        ),
    )


@transaction.atomic
def freeze(*, member_id: int, frozen: bool) -> None:
    """Stop a member from earning and spending until somebody has looked, or go on; raises Problems."""
    expected, wanted = ("active", "frozen") if frozen else ("frozen", "active")
    if membership.lock([member_id]).get(member_id) != expected:
        raise Problems([Problem("member", f"is not {expected}")])
    Member.objects.filter(id=member_id).update(state=wanted)


@transaction.atomic
def set_tier(*, member_id: int, tier: str | None, until: datetime | None, setup: Setup, now: datetime) -> None:
    """Give a tier by hand (a status match); it is kept until then. Raises Problems."""
    found = next((one for one in setup.tiers if one.key == tier), None)
    if tier is not None and found is None:
        known = ", ".join(one.key for one in setup.tiers) or "none"
        raise Problems([Problem("tier", f"there is no tier {tier!r}", f"known: {known}")])
    if until is not None and until <= now:
        raise Problems([Problem("until", "has passed", "give a later time, or none")])
    partitions.ensure(now, now)
    if membership.lock([member_id]).get(member_id) != "active":
        raise Problems([Problem("member", "is no active member")])
    tiering.fix(member_id, tier_id=found.id if found else None, until=until, setup=setup, now=now)


def request_adjustment(
    *, member_id: int, wallet: str | None, points: int, reason: str, by: str, setup: Setup, now: datetime
) -> int:
    """Ask for points to be given (over 0) or taken; somebody else decides. The request's id; raises Problems."""
    wallet_id, _ = setup.wallet(wallet)
    problems = []
    if not points:
        problems.append(Problem("points", "must not be 0"))
    if not reason.strip():
        problems.append(Problem("reason", "is missing", "say why, for those who look at it later"))
    if problems:
        raise Problems(problems)
    return Adjustment.objects.create(
        member_id=member_id,
        wallet_id=wallet_id,
        points=points,
        reason=reason.strip(),
        requested_by=by,
        requested_at=now,
    ).pk


def decide_adjustment(*, adjustment_id: int, approve: bool, by: str, setup: Setup, now: datetime) -> None:
    """Approve (and book) or reject a request; never by who asked. Raises Problems, and then nothing is booked."""
    with transaction.atomic():
        asked = Adjustment.objects.filter(id=adjustment_id).first()
        if asked is not None:
            membership.lock([asked.member_id])
            asked = Adjustment.objects.select_for_update().filter(id=adjustment_id).first()
        if asked is None or asked.state != "requested":
            raise Problems([Problem("adjustment", "is decided already, or unknown")])
        if asked.requested_by == by:
            remedy = "let a second person look at it"
            raise Problems([Problem("by", "asked for it and cannot decide it", remedy)])
        asked.state, asked.decided_by, asked.decided_at = "approved" if approve else "rejected", by, now
        if approve:
            asked.booking_id = _adjust(asked, setup, by, now)
        asked.save(update_fields=["state", "decided_by", "decided_at", "booking_id"])


def _adjust(asked: Adjustment, setup: Setup, by: str, now: datetime) -> int | None:
    wallet = setup.settings_of(asked.wallet_id).key
    if asked.points < 0:
        return movements.take_back(
            setup=setup, member_id=asked.member_id, wallet_id=asked.wallet_id, points=-asked.points,
            reason=asked.reason or "", actor=by, now=now,
        )  # fmt: skip
    given = movements.grant(
        [movements.Grant(asked.member_id, asked.points)],
        setup=setup, wallet=wallet, kind=names.ADJUST, reason=asked.reason, actor=by, now=now,
    )  # fmt: skip
    if not given:
        raise Problems([Problem("member", "is no active member")])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(id) FROM booking WHERE member_id = %s AND kind = %s", [asked.member_id, names.ADJUST]
        )
        return cursor.fetchone()[0]
