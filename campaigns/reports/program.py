"""The loyalty program on the first page: members, points that are out, and what came and went in the last days."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from campaigns.reports.kept import kept
from loyalty.kit.admin import localized
from loyalty.kit.sql import fetch, sql
from loyalty.program import queries
from loyalty.program.companions import Review
from loyalty.program.models import Adjustment, Program
from loyalty.program.setup import Setup, load_all
from loyalty.rewards import names
from loyalty.rewards.models import Redemption

PROGRAMS = 4
# What waits for somebody is counted up to here.
COUNTED = 1_000
TO_HAND_OUT = (names.ORDERED, names.APPROVED, names.PACKED)


@dataclass(frozen=True, slots=True)
class WalletFigures:
    """Points of one kind: not spent yet with their worth, and earned and spent in the last days."""

    name: str
    outstanding: int
    worth: Decimal
    earned: int
    spent: int


@dataclass(frozen=True, slots=True)
class ProgramFigures:
    """`as_of` is when the figures were worked out, None for just now."""

    id: int
    name: str
    currency: str
    members: int
    wallets: list[WalletFigures]
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for somebody, each up to COUNTED."""

    rewards: int
    corrections: int
    reviews: int


def programs(*, days: int, now: datetime) -> list[ProgramFigures]:
    """The figures of the first programs. Three queries each; slow ones are kept for some minutes."""
    since = now.replace(minute=0, second=0, microsecond=0) - timedelta(days=days)
    stored = list(Program.objects.order_by("id")[:PROGRAMS])
    return [_program(one, setup, since) for one, setup in zip(stored, load_all(stored), strict=True)]


def _program(stored: Program, setup: Setup, since: datetime) -> ProgramFigures:
    found = kept("program", partial(_figures, setup, since), setup.id, since)
    members, outstanding, moved = found.value
    wallets = [
        WalletFigures(
            localized(one.name, one.key),
            *outstanding.get(one.key, (0, Decimal(0))),
            moved.get(one.key, {}).get("earned", 0),
            moved.get(one.key, {}).get("spent", 0),
        )
        for one in setup.document.wallets
    ]
    return ProgramFigures(
        setup.id, localized(stored.name, stored.key), setup.document.currency, members, wallets, found.at
    )


def _figures(setup: Setup, since: datetime) -> tuple[int, dict[str, tuple[int, Decimal]], dict[str, dict[str, int]]]:
    members = fetch(sql("SELECT count(*) FROM member WHERE program_id = {id} AND state <> 'left'", id=setup.id))
    outstanding: dict[str, tuple[int, Decimal]] = {}
    for one in queries.liability(setup):
        points, worth = outstanding.get(one.wallet, (0, Decimal(0)))
        outstanding[one.wallet] = points + one.pending + one.active + one.locked, worth + one.worth
    return members[0][0], outstanding, queries.flows_of_points(setup, since=since)


def waiting() -> Waiting:
    """Rewards to hand out, corrections to approve and members to look into. Three queries."""
    return Waiting(
        Redemption.objects.filter(state__in=TO_HAND_OUT)[:COUNTED].count(),
        Adjustment.objects.filter(state=Adjustment.State.REQUESTED)[:COUNTED].count(),
        Review.objects.filter(state=Review.State.OPEN)[:COUNTED].count(),
    )
