"""The end of a program: nothing is earned after a day, what is there can be spent until a later one.

Asked for by one person, approved by another. Members are told (a fact each) when it is approved. Until the last day to
earn has passed it can be undone; then it begins, and what would have lasted longer ends with the last day to spend.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import transaction

from loyalty.events import facts, partitions
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, execute, fetch, sql
from loyalty.program.life import Ending
from loyalty.program.models import Program
from loyalty.program.setup import Setup

# A shorter time to spend takes points from people who could not know; it is possible, and warned of.
USUAL_DAYS = 365
BATCH = 20_000
ENDING, CONTINUES = "program.ending", "program.continues"


@dataclass(frozen=True, slots=True)
class Loss:
    """What the members have in a wallet, and what of it would expire earlier than it would have."""

    wallet: str
    points: int
    worth: Decimal
    cut: int
    cut_worth: Decimal


@dataclass(frozen=True, slots=True)
class Preview:
    """What an end would mean. `short`: less than a year to spend, and points are lost by it."""

    members: int
    losses: list[Loss]
    last_expiry: datetime | None
    short: bool

    @property
    def worth(self) -> Decimal:
        return sum((one.worth for one in self.losses), Decimal(0))

    @property
    def cut_worth(self) -> Decimal:
        return sum((one.cut_worth for one in self.losses), Decimal(0))


def today(setup: Setup, now: datetime) -> date:
    """The program's day."""
    return now.astimezone(ZoneInfo(setup.zone)).date()


def ends_at(setup: Setup, day: date) -> datetime:
    """The first instant after that day."""
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), ZoneInfo(setup.zone))


def problems(setup: Setup, *, earns: date, spends: date, now: datetime) -> list[Problem]:
    """What is wrong with these days."""
    found = []
    if earns < today(setup, now):
        found.append(Problem("last_earning_day", "has passed", "choose today or a later day"))
    if spends < earns:
        found.append(Problem("last_spending_day", "is before the last day to earn", "choose a later day"))
    return found


def preview(setup: Setup, *, earns: date, spends: date) -> Preview:
    """What the end would mean, by what members have now. Reads the open lots once."""
    rows = fetch(
        sql(
            "SELECT w.id, w.key, sum(l.pending + l.active + l.locked), sum(l.pending + l.active + l.locked)"
            " FILTER (WHERE l.expires_at IS NULL OR l.expires_at > {until}), max(l.expires_at)"
            " FROM lot l JOIN wallet w ON w.id = l.wallet_id WHERE l.open AND w.program_id = {program}"
            " GROUP BY 1, 2 ORDER BY 1",
            until=ends_at(setup, spends),
            program=setup.id,
        )
    )
    losses = []
    for wallet_id, key, points, cut in (row[:4] for row in rows):
        value = setup.settings_of(wallet_id).value
        points, cut = int(points or 0), int(cut or 0)
        worth, lost = ((n * value).quantize(Decimal("0.01")) for n in (points, cut))
        losses.append(Loss(key, points, worth, cut, lost))
    members = fetch(sql("SELECT count(*) FROM member WHERE program_id = {p} AND state <> 'left'", p=setup.id))[0][0]
    # Points that expire at midnight are good until the end of the day before.
    last = max((row[4] - timedelta(microseconds=1) for row in rows if row[4]), default=None)
    short = spends < earns + timedelta(days=USUAL_DAYS) and any(one.cut for one in losses)
    return Preview(members, losses, last, short)


def request(*, setup: Setup, earns: date, spends: date, by: str, now: datetime) -> int:
    """Ask for the end; somebody else approves it. Its id; raises Problems."""
    found = problems(setup, earns=earns, spends=spends, now=now)
    with transaction.atomic():
        Program.objects.select_for_update().get(id=setup.id)
        if Ending.objects.filter(program_id=setup.id, state__in=["requested", "approved"]).exists():
            found.append(Problem("program", "ends already, or somebody asked for it", "decide on that first"))
        if found:
            raise Problems(found)
        return int(
            Ending.objects.create(
                program_id=setup.id, last_earning_day=earns, last_spending_day=spends, requested_by=by,
                requested_at=now,
            ).pk
        )  # fmt: skip


@transaction.atomic
def decide(*, ending_id: int, approve: bool, by: str, setup: Setup, now: datetime) -> None:
    """Approve or reject; approving never by who asked. Raises Problems."""
    asked = Ending.objects.select_for_update().filter(id=ending_id).first()
    if asked is None or asked.state != Ending.State.REQUESTED:
        raise Problems([Problem("ending", "is decided already, or unknown")])
    if approve and asked.requested_by == by:
        raise Problems([Problem("by", "asked for it and cannot approve it", "let a second person look at it")])
    if approve and asked.last_earning_day < today(setup, now):
        raise Problems([Problem("last_earning_day", "has passed meanwhile", "reject it and ask anew")])
    asked.state = Ending.State.APPROVED if approve else Ending.State.REJECTED
    asked.decided_by, asked.decided_at = by, now
    asked.save(update_fields=["state", "decided_by", "decided_at"])
    if approve:
        Program.objects.filter(id=asked.program_id).update(
            earns_until=asked.last_earning_day, spends_until=asked.last_spending_day
        )


@transaction.atomic
def undo(*, ending_id: int, by: str, setup: Setup, now: datetime) -> None:
    """Let the program go on, as long as the end has not begun; who was told is told. Raises Problems."""
    asked = Ending.objects.select_for_update().filter(id=ending_id).first()
    if asked is None or asked.state != Ending.State.APPROVED:
        raise Problems([Problem("ending", "is not approved, or unknown")])
    if asked.begun_at is not None or asked.last_earning_day < today(setup, now):
        raise Problems([Problem("ending", "has begun: the last day to earn is over", "make a new program")])
    asked.state, asked.decided_by, asked.decided_at = Ending.State.UNDONE, by, now
    asked.save(update_fields=["state", "decided_by", "decided_at"])
    Program.objects.filter(id=asked.program_id).update(earns_until=None, spends_until=None)


def work(setup: Setup, *, now: datetime, limit: int = BATCH) -> int:
    """The next part of what is to do: tell members, begin, cut what would last longer. How many rows."""
    with transaction.atomic():
        latest = Ending.objects.select_for_update(skip_locked=True).filter(
            program_id=setup.id, state__in=[Ending.State.APPROVED, Ending.State.UNDONE]
        )
        one = latest.order_by("-id").first()
        if one is None:
            return 0
        if one.state == Ending.State.UNDONE:
            return _tell(one, CONTINUES, setup, now, limit) if one.told_until else 0
        if told := _tell(one, ENDING, setup, now, limit):
            return told
        if one.last_earning_day >= today(setup, now):
            return 0
        cut = _cut(setup, ends_at(setup, one.last_spending_day), limit)
        if not cut and one.begun_at is None:
            Ending.objects.filter(id=one.id).update(begun_at=now)
        return cut


def _tell(one: Ending, fact: str, setup: Setup, now: datetime, limit: int) -> int:
    """A fact for each of the next members; back from the last who was told when the program goes on."""
    onward = fact == ENDING
    scope = "m.id > {at} ORDER BY m.id" if onward else "m.id <= {at} ORDER BY m.id DESC"
    rows = fetch(
        sql(
            "SELECT m.id FROM member m WHERE m.program_id = {program} AND {scope} LIMIT {limit}",
            program=setup.id,
            scope=sql(scope, at=one.told_until),
            limit=limit,
        )
    )
    ids = [row[0] for row in rows]
    Ending.objects.filter(id=one.id).update(told_until=(ids[-1] if onward else ids[-1] - 1) if ids else one.told_until)
    if not ids:
        if not onward:
            Ending.objects.filter(id=one.id).update(told_until=0)
        return 0
    partitions.ensure(now, now)
    days = sql(
        ", 'earns_until', {earns}::text, 'spends_until', {spends}::text, 'points', greatest(0, b.active - b.owed)",
        earns=one.last_earning_day.isoformat(),
        spends=one.last_spending_day.isoformat(),
    )
    facts.write(
        fact,
        sql(
            "SELECT m.customer_id, {now}::timestamptz, m.id, jsonb_build_object('program', {program}::text{days})"
            " FROM member m JOIN member_balance b ON b.member_id = m.id AND b.wallet_id = {wallet}"
            " WHERE m.id = ANY({ids}::bigint[]) AND m.customer_id IS NOT NULL",
            now=now,
            program=setup.key,
            days=days if onward else Sql(""),
            wallet=setup.wallet(None)[0],
            ids=ids,
        ),
    )
    return len(ids)


def _cut(setup: Setup, until: datetime, limit: int) -> int:
    """Let points end with the program that would have lasted longer; the lots."""
    return execute(
        sql(
            "UPDATE lot SET expires_at = {until} WHERE id IN (SELECT id FROM lot WHERE open"
            " AND wallet_id = ANY({wallets}::int[]) AND (expires_at IS NULL OR expires_at > {until}) LIMIT {limit}"
            " FOR NO KEY UPDATE SKIP LOCKED)",
            until=until,
            wallets=list(setup.wallet_ids.values()),
            limit=limit,
        )
    )
