"""Households: members who spend from one purse. Each keeps the own ledger, and takes the own points along."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from loyalty.events import partitions
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import fetch, fetch_values, sql
from loyalty.program import membership, names, posting, step_up
from loyalty.program.companions import Household, HouseholdMember
from loyalty.program.movements import Booked
from loyalty.program.setup import Setup

OWNER, ADULT, CHILD = (str(role) for role in HouseholdMember.Role)


@dataclass(frozen=True, slots=True)
class Share:
    """What one member of a household has."""

    member_id: int
    role: str
    available: int


def _allowed(setup: Setup) -> Any:
    if setup.document.households is None:
        raise Problems([Problem("program", f"{setup.key} has no households", "set households in its document")])
    return setup.document.households


@transaction.atomic
def found(*, owner_id: int, name: str | None, setup: Setup, now: datetime) -> int:
    """Make a household of one; its id. Raises Problems."""
    _allowed(setup)
    _fit([owner_id])
    if HouseholdMember.objects.filter(member_id=owner_id).exists():
        raise Problems([Problem("customer", "is in a household already", "leave it first")])
    home = Household.objects.create(program_id=setup.id, name=name, created_at=now)
    HouseholdMember.objects.create(member_id=owner_id, household=home, role=OWNER, joined_at=now)
    return int(home.pk)


@transaction.atomic
def add(*, household_id: int, member_id: int, role: str, setup: Setup, now: datetime) -> None:
    """Take a member in; raises Problems."""
    allowed = _allowed(setup)
    problems = []
    if role not in (ADULT, CHILD):
        problems.append(Problem("role", f"{role!r} is none", f"one of {ADULT}, {CHILD}"))
    home = Household.objects.select_for_update().filter(id=household_id, program_id=setup.id).first()
    if home is None:
        raise Problems([*problems, Problem("household", f"there is no household {household_id}")])
    _fit([member_id])
    if HouseholdMember.objects.filter(member_id=member_id).exists():
        problems.append(Problem("customer", "is in a household already", "leave it first"))
    if HouseholdMember.objects.filter(household=home).count() >= allowed.size:
        problems.append(Problem("household", f"has {allowed.size} members already", "somebody has to leave first"))
    if problems:
        raise Problems(problems)
    HouseholdMember.objects.create(member_id=member_id, household=home, role=role, joined_at=now)


@transaction.atomic
def leave(*, member_id: int) -> None:
    """Out of the household, with the own points. With the owner the household ends. Raises Problems."""
    membership.lock([member_id])
    mine = HouseholdMember.objects.filter(member_id=member_id).first()
    if mine is None:
        raise Problems([Problem("customer", "is in no household")])
    if mine.role == OWNER:
        HouseholdMember.objects.filter(household_id=mine.household_id).delete()
        Household.objects.filter(id=mine.household_id).delete()
    else:
        mine.delete()


def shares(household_id: int, wallet_id: int) -> list[Share]:
    """What each member of the household can spend, in the order in which it is taken."""
    rows = fetch(
        sql(
            "SELECT h.member_id, h.role, greatest(0, b.active - b.owed) FROM household_member h"
            " JOIN member m ON m.id = h.member_id AND m.state = 'active'"
            " JOIN member_balance b ON b.member_id = h.member_id AND b.wallet_id = {wallet}"
            " WHERE h.household_id = {household} ORDER BY h.joined_at, h.member_id",
            wallet=wallet_id,
            household=household_id,
        )
    )
    return [Share(*row) for row in rows]


def spend(
    *, member_id: int, wallet: str | None, points: int, setup: Setup, now: datetime,
    reason: str | None = None, pin: str | None = None,
) -> Booked:  # fmt: skip
    """Take points of the household: the spender's own first, then the others' in the order they joined.

    Children do not spend. Who is not the owner takes at most `monthly_limit` of the others' points in a calendar month.
    Raises Problems.
    """
    allowed = _allowed(setup)
    wallet_id, settings = setup.wallet(wallet)
    if not settings.spendable:
        raise Problems([Problem("wallet", f"{settings.key} is no wallet to pay with")])
    step_up.check(member_id, pin, setup=setup, points=points)
    with transaction.atomic():
        partitions.ensure(now, now)
        mine = HouseholdMember.objects.filter(member_id=member_id).first()
        if mine is None:
            raise Problems([Problem("customer", "is in no household", "spend the member's own points")])
        if mine.role == CHILD:
            raise Problems([Problem("customer", "is a child of the household", "let an adult spend")])
        everybody = HouseholdMember.objects.filter(household_id=mine.household_id).values_list("member_id", flat=True)
        _fit([member_id], others=list(everybody))
        # Asked again under the locks, which who leaves takes too: somebody may have left meanwhile.
        if not HouseholdMember.objects.filter(pk=mine.pk, household_id=mine.household_id, role=mine.role).exists():
            raise Problems([Problem("customer", "has just left the household", "spend the member's own points")])
        have = sorted(shares(mine.household_id, wallet_id), key=lambda share: share.member_id != member_id)
        if sum(share.available for share in have) < points:
            most = sum(share.available for share in have)
            raise Problems([Problem("points", f"{points} points are wanted, the household has {most}")])
        parts, rest = [], points
        for share in have:
            if part := min(rest, share.available):
                parts.append((share.member_id, part))
                rest -= part
        foreign = sum(part for owner_id, part in parts if owner_id != member_id)
        if foreign and mine.role != OWNER:
            left = max(0, allowed.monthly_limit - _taken(member_id, wallet_id, setup, now))
            if foreign > left:
                raise Problems(
                    [
                        Problem(
                            "points",
                            "are more of the others' than allowed in a month",
                            f"take at most {left} of theirs",
                        )
                    ]
                )
        booking_id = posting.new_booking(names.SPEND, program_id=setup.id, member_id=member_id, now=now, reason=reason)
        wants = sql(
            "SELECT {booking}::bigint AS booking_id, w.member_id, {wallet}::int AS wallet_id, w.amount"
            " FROM unnest({members}::bigint[], {points}::bigint[]) AS w (member_id, amount)",
            booking=booking_id,
            wallet=wallet_id,
            members=[part[0] for part in parts],
            points=[part[1] for part in parts],
        )
        posting.post(posting.allot(wants, names.SPENT), now=now, fact="points.spent")
    return Booked(booking_id, points)


def _taken(member_id: int, wallet_id: int, setup: Setup, now: datetime) -> int:
    """Points of others that the member spent in this calendar month."""
    return int(
        fetch(
            sql(
                "SELECT coalesce(sum(e.amount), 0) FROM booking b JOIN entry e ON e.booking_id = b.id"
                " WHERE b.member_id = {member} AND b.kind = {spend} AND e.member_id <> {member}"
                " AND e.wallet_id = {wallet} AND b.occurred_at <= {now}"
                " AND b.occurred_at >= date_trunc('month', {now}::timestamptz AT TIME ZONE {zone}) AT TIME ZONE {zone}",
                member=member_id,
                spend=names.SPEND,
                wallet=wallet_id,
                now=now,
                zone=setup.zone,
            )
        )[0][0]
    )


def _fit(member_ids: list[int], *, others: list[int] | None = None) -> None:
    states = membership.lock([*member_ids, *(others or [])])
    wrong = [state for one in member_ids if (state := states.get(one, "gone")) != "active"]
    if wrong:
        raise Problems([membership.unfit(wrong[0])])


def of_member(member_id: int, wallet_id: int) -> dict[str, Any] | None:
    """The member's household: who is in it, and what they have together."""
    mine = HouseholdMember.objects.select_related("household").filter(member_id=member_id).first()
    if mine is None:
        return None
    rows = fetch_values(
        sql(
            "SELECT c.external_id AS customer, h.role, h.joined_at FROM household_member h JOIN member m"
            " ON m.id = h.member_id LEFT JOIN customer c ON c.id = m.customer_id WHERE h.household_id = {home}"
            " ORDER BY h.joined_at, h.member_id",
            home=mine.household_id,
        )
    )
    available = sum(share.available for share in shares(mine.household_id, wallet_id))
    return {
        "household": mine.household_id,
        "name": mine.household.name,
        "role": mine.role,
        "available": available,
        "members": rows,
    }
