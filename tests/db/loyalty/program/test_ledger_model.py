"""Random sequences of everything that moves points, against the twin: balances, lots and liability equal at each step.

`LEDGER_SEQUENCES` sets how many sequences are tried.
"""

import os
import random
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from loyalty.customers.erasing import erase_customers
from loyalty.customers.joining import merge_customers
from loyalty.events.operations import intake
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch, sql
from loyalty.program import awaiting, fulfilling, households, movements, occasions, orders, purchases, returns
from loyalty.program.setup import load
from tests.db.loyalty.program.club import BASE, NOW, applied, customer, member_of, violations
from tests.db.loyalty.program.ledger_twin import ACTIVE, EXPIRED, MOVED, PENDING, REVERSED, SPENT, Twin

SEQUENCES = int(os.environ.get("LEDGER_SEQUENCES") or 25)
STEPS = int(os.environ.get("LEDGER_STEPS") or 15)
BURST = 12
BERLIN = ZoneInfo("Europe/Berlin")
PEOPLE = ("anna", "ben", "cleo")
WAIT, LAPSE = timedelta(days=1), timedelta(days=10)
LIMIT = 60

people = st.sampled_from(PEOPLE)
AMOUNTS = ["0", "0.99", "1.00", "9.99", "10.01", "33.33", "100", "250.50"]
amounts = st.sampled_from(AMOUNTS)
lines = st.lists(st.tuples(amounts.map(Decimal), st.integers(1, 3)), min_size=1, max_size=3)


def month_after_next(now: datetime) -> datetime:
    """Two months later, at the end of that month, in Berlin."""
    here = now.astimezone(BERLIN)
    year, month = divmod(here.year * 12 + here.month - 1 + 3, 12)
    return datetime(year, month + 1, 1, tzinfo=BERLIN).astimezone(NOW.tzinfo)


class Ledger(RuleBasedStateMachine):
    """The product and the twin, side by side. `waits`: points wait for `delivered`, and lapse without it."""

    waits = False

    @initialize()
    def begin(self) -> None:
        self.block = transaction.atomic()
        self.block.__enter__()
        self.setup = load()
        self.now = NOW
        self.ids = {name: customer(name) for name in PEOPLE}
        self.twin = Twin(month_after_next, LAPSE if self.waits else WAIT, lapses=self.waits, limit=LIMIT)
        self.number = 0
        self.home: int | None = None

    def teardown(self) -> None:
        if hasattr(self, "block"):
            try:
                assert violations() == {}
            finally:
                transaction.set_rollback(True)
                self.block.__exit__(None, None, None)

    def next(self) -> str:
        self.number += 1
        self.now += timedelta(minutes=1)
        return f"t{self.number}"

    @rule(who=people, lines=lines, spend=st.sampled_from([0, 0, 0, 5, 60]))
    def buy(self, who: str, lines: list[tuple[Decimal, int]], spend: int) -> None:
        self.buy_lines(who, lines, spend)

    def buy_lines(self, who: str, lines: list[tuple[Decimal, int]], spend: int) -> None:
        if who not in self.ids:
            return
        key = self.next()
        items = [{"amount": str(amount), "quantity": quantity} for amount, quantity in lines]
        row = {"id": key, "customer": who, "items": items} | ({"spend": spend} if spend else {})
        done = purchases.commit(rows=[row], setup=self.setup, now=self.now)
        again = purchases.commit(rows=[row], setup=self.setup, now=self.now)
        assert again.bookings == done.bookings
        assert bool(not done.rejected) == self.twin.buy(key, who, lines, spend, self.now)

    @rule(pick=st.integers(0, 50), line=st.integers(0, 2), quantity=st.integers(1, 3), everything=st.booleans())
    def give_back(self, pick: int, line: int, quantity: int, everything: bool) -> None:
        self.return_line(pick, line, quantity, everything)

    def return_line(self, pick: int, line: int, quantity: int, everything: bool) -> None:
        if not self.twin.purchases:
            return
        key = sorted(self.twin.purchases)[pick % len(self.twin.purchases)]
        line %= len(self.twin.purchases[key].lines)
        row = {"id": self.next(), "transaction": key}
        row |= {} if everything else {"items": [{"line": line + 1, "quantity": quantity}]}
        done = returns.give_back(rows=[row], setup=self.setup, now=self.now)
        assert bool(not done.rejected) == self.twin.give_back(key, {} if everything else {line: quantity})

    @rule(who=people, points=st.sampled_from([1, 7, 50, 100]))
    def spend(self, who: str, points: int) -> None:
        self.spend_points(who, points)

    def spend_points(self, who: str, points: int) -> None:
        if who in self.twin.members:
            self.next()
            done = self.tried(
                lambda: movements.spend(
                    setup=self.setup, member_id=member_of(who), wallet=None, points=points, now=self.now
                )
            )
            assert done == self.twin.spend(who, points)

    @rule(giver=people, taker=people, points=st.sampled_from([1, 7, 50]))
    def transfer(self, giver: str, taker: str, points: int) -> None:
        self.hand_on(giver, taker, points)

    def hand_on(self, giver: str, taker: str, points: int) -> None:
        if giver in self.twin.members and taker in self.twin.members:
            self.next()
            done = self.tried(
                lambda: movements.transfer(
                    setup=self.setup,
                    giver_id=member_of(giver),
                    taker_id=member_of(taker),
                    wallet=None,
                    points=points,
                    now=self.now,
                )
            )
            assert done == self.twin.transfer(giver, taker, points)

    def tried(self, act) -> bool:  # type: ignore[no-untyped-def]

        try:
            act()
        except Problems:
            return False
        return True

    @rule(pick=st.integers(0, 50))
    def deliver(self, pick: int) -> None:
        self.delivered(pick)

    def delivered(self, pick: int) -> None:
        if self.waits and self.twin.purchases:
            key = sorted(self.twin.purchases)[pick % len(self.twin.purchases)]
            event = {"id": self.next(), "customer": self.twin.purchases[key].owner, "name": "delivered"}
            told = {**event, "occurred_at": self.now.isoformat(), "properties": {"transaction": key}}
            assert intake(events=[told], now=self.now).accepted == 1
            while occasions.earn_from_events([self.setup], consumer="program", now=self.now):
                pass
            self.twin.deliver(key)

    @rule(who=people, points=st.sampled_from([1, 7, 50]), award=st.booleans())
    def order(self, who: str, points: int, award: bool) -> None:
        self.order_points(who, points, award)

    def order_points(self, who: str, points: int, award: bool) -> None:
        if who not in self.ids:
            return
        self.next()
        fetch(
            "INSERT INTO points_order (program_id, wallet_id, customer_id, kind, points, source, key, wanted_at)"
            " VALUES (%(p)s, %(w)s, %(c)s, %(kind)s, %(n)s, 'test', gen_random_uuid(), %(now)s) RETURNING id",
            {"p": self.setup.id, "w": self.setup.wallet_ids["points"], "c": self.ids[who], "n": points,
             "kind": orders.AWARD if award else orders.SPEND, "now": self.now},
        )  # fmt: skip
        assert fulfilling.work(self.setup, now=self.now) == 1
        refused = fetch("SELECT refusal FROM points_order ORDER BY id DESC LIMIT 1")[0][0]
        assert (refused is None) == self.twin.order(who, points, self.now, award=award)

    @rule(who=people)
    def enter(self, who: str) -> None:
        self.enter_home(who)

    def enter_home(self, who: str) -> None:
        if who not in self.twin.members:
            return
        self.next()

        def act() -> None:
            if self.home is None:
                self.home = households.found(owner_id=member_of(who), name=None, setup=self.setup, now=self.now)
            elif self.twin.owner is None:
                raise Problems([])
            else:
                households.add(household_id=self.home, member_id=member_of(who), role=households.ADULT,
                               setup=self.setup, now=self.now)  # fmt: skip

        if self.home is None or self.twin.home:
            assert self.tried(act) == self.twin.enter(who)

    @rule(who=people, points=st.sampled_from([1, 7, 50, 100]))
    def spend_together(self, who: str, points: int) -> None:
        self.together(who, points)

    def together(self, who: str, points: int) -> None:
        if who in self.twin.members:
            self.next()
            here = self.now.astimezone(BERLIN)
            done = self.tried(
                lambda: households.spend(
                    member_id=member_of(who), wallet=None, points=points, setup=self.setup, now=self.now
                )
            )
            assert done == self.twin.spend_together(who, points, (here.year, here.month))

    @rule(days=st.sampled_from([0, 1, 5, 20, 60]))
    def wait(self, days: int) -> None:
        self.wait_days(days)

    def wait_days(self, days: int) -> None:
        self.next()
        self.now += timedelta(days=days)
        while movements.release(self.setup, now=self.now, limit=3):
            pass
        while awaiting.lapse(self.setup, now=self.now, limit=3):
            pass
        while movements.expire(self.setup, now=self.now, limit=3):
            pass
        self.twin.tick(self.now)

    @rule(winner=people, loser=people)
    def merge(self, winner: str, loser: str) -> None:
        self.join(winner, loser)

    def join(self, winner: str, loser: str) -> None:
        if winner != loser and winner in self.ids and loser in self.ids:
            self.next()
            merge_customers({self.ids.pop(loser): self.ids[winner]}, reason="test", now=self.now)
            self.twin.merge(winner, loser)

    @rule(who=people)
    def erase(self, who: str) -> None:
        if who in self.ids and self.number > 8:
            self.next()
            erase_customers(customer_ids=[self.ids.pop(who)])
            self.twin.erase(who)

    @rule(seed=st.integers(0, 2**32 - 1))
    def burst(self, seed: int) -> None:
        """Many steps at once: left alone, hypothesis mostly tries short sequences, in which little has happened."""
        draw = random.Random(seed)
        for _ in range(BURST):
            who, other = draw.choice(PEOPLE), draw.choice(PEOPLE)
            points = draw.choice([1, 7, 50, 100])
            match draw.choices(range(10), weights=(6, 4, 4, 3, 4, 0.2, 2, 2, 1, 3))[0]:
                case 0:
                    bought = [(Decimal(draw.choice(AMOUNTS)), draw.randint(1, 3)) for _ in range(draw.randint(1, 3))]
                    self.buy_lines(who, bought, draw.choice([0, 0, 5, 60]))
                case 1:
                    self.return_line(draw.randrange(50), draw.randrange(3), draw.randint(1, 3), draw.random() < 0.3)
                case 2:
                    self.spend_points(who, points)
                case 3:
                    self.hand_on(who, other, points)
                case 4:
                    self.wait_days(draw.choice([0, 1, 1, 5, 20]))
                case 5:
                    self.join(who, other)
                case 6:
                    self.delivered(draw.randrange(50))
                case 7:
                    self.order_points(who, points, draw.random() < 0.5)
                case 8:
                    self.enter_home(who)
                case 9:
                    self.together(who, points)
            self.same()

    @invariant()
    def same(self) -> None:
        if not hasattr(self, "twin"):
            return
        query = sql(
            "SELECT c.external_id, b.pending, b.active, b.owed FROM member_balance b"
            " JOIN member m ON m.id = b.member_id JOIN customer c ON c.id = m.customer_id WHERE b.wallet_id = {w}",
            w=self.setup.wallet_ids["points"],
        )
        assert {row[0]: row[1:] for row in fetch(query)} == {
            who: (one.total(PENDING), one.total(ACTIVE), one.owed) for who, one in self.twin.members.items()
        }
        stored = fetch(
            "SELECT c.external_id, l.earned_at, l.expires_at, l.amount, l.pending, l.active, l.spent, l.expired,"
            " l.reversed, l.moved FROM lot l JOIN member m ON m.id = l.member_id"
            " JOIN customer c ON c.id = m.customer_id"
        )
        places = (PENDING, ACTIVE, SPENT, EXPIRED, REVERSED, MOVED)
        assert sorted(stored) == sorted(
            (who, lot.earned, lot.expires, sum(lot.at.values()), *(lot.has(place) for place in places))
            for who, one in self.twin.members.items()
            for lot in one.lots
        )


class WaitingLedger(Ledger):
    """The same where points wait for an event."""

    waits = True


@pytest.mark.django_db
@pytest.mark.parametrize("machine", [Ledger, WaitingLedger])
def test_any_sequence_agrees_with_the_twin(machine: type[Ledger]) -> None:
    pending = {"event": "delivered", "within": "10d", "then": "reverse"} if machine.waits else "1d"
    wallet = {"key": "points", "pending": pending, "expiry": {"after": "2 months", "until": "month"}}
    applied(BASE, wallets=[wallet | {"transfer_limit": 10_000}], households={"size": 3, "monthly_limit": LIMIT})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=SEQUENCES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
