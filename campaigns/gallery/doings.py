"""What the club's members do besides buying: baskets at the till, a paid membership, games, reviews, personal offers.

Who does what follows from the customer's number alone, so every demo tells the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from campaigns.gallery.stage import Stage
from loyalty.checkout import recommending
from loyalty.checkout.models import TillItem
from loyalty.checkout.offline import commit_all
from loyalty.customers.models import Customer
from loyalty.events.operations import intake
from loyalty.kit.buckets import place, place_sql
from loyalty.kit.clock import now
from loyalty.kit.problems import Problem
from loyalty.kit.sql import Sql, fetch, sql
from loyalty.offers import rounds
from loyalty.play import awards
from loyalty.play.models import GamePlay
from loyalty.play.playing import play
from loyalty.program import budgets
from loyalty.program.setup import Setup
from loyalty.subscriptions import operations as subscriptions
from loyalty.subscriptions import paying
from loyalty.subscriptions.models import Charge, Notice, Subscription

PLAN, WHEEL, QUIZ, REVIEWED = "plus", "wheel", "quiz", "club_reviews"
BASKETS, SUBSCRIBERS, PLAYERS, REVIEWS = 240, 40, 60, 80
# Of a hundred first fees so many come in, the next ones fail; the rest is still due.
PAID, FAILED = 0.85, 0.95
# Key, name, price and margin; two and two stand together.
SHELF = (
    ("kind-of-blue", "Kind of Blue", "14.90", "5.20"),
    ("a-love-supreme", "A Love Supreme", "15.90", "5.60"),
    ("time-out", "Time Out", "12.90", "4.50"),
    ("moanin", "Moanin'", "13.90", "4.90"),
    ("blue-train", "Blue Train", "14.50", "5.10"),
    ("mingus-ah-um", "Mingus Ah Um", "13.50", "4.70"),
)
TAKEN_ALONG = 0.6


@dataclass(frozen=True, slots=True)
class Doings:
    """Every scene can be repeated: what was done is found done."""

    stage: Stage

    def shop(self, setup: Setup) -> None:
        """Baskets of the last weeks, as a till sends them that was offline; what goes together is reckoned."""
        with self.stage.step(f"{BASKETS} baskets booked at the till, what goes together reckoned"):
            if not TillItem.objects.exists():
                people = _people("till", BASKETS, setup)
                done = commit_all([_basket(one) for one in people], setup=setup, now=now())
                _nothing_refused([problem for problems in done.rejected.values() for problem in problems])
                recommending.learn_names(((sku, name) for sku, name, _, _ in SHELF), now=now())
            recommending.compute(now=now())

    def live(self, setup: Setup) -> None:
        """Some subscribe, some play, some write reviews; everybody whom it fits gets an offer."""
        with self.stage.step(f"{SUBSCRIBERS} paid memberships ordered, their first fees reported by the bank"):
            if not Subscription.objects.exists():
                for one in _people("plus", SUBSCRIBERS, setup):
                    order = subscriptions.Order(one.pk, PLAN, "demo", early_start=True)
                    subscriptions.order(order, now=now())
                _report_fees()
        with self.stage.step(f"{PLAYERS} members at the wheel and in the quiz, {REVIEWS} reviews written"):
            if not GamePlay.objects.exists():
                for one in _people("play", PLAYERS, setup):
                    play(WHEEL, customer_id=one.pk, now=now(), of_age=True)
                    play(QUIZ, customer_id=one.pk, now=now(), of_age=True, answers=_answers(one.pk))
                awards.give_due(now=now())
                _review(_people("review", REVIEWS, setup))
        with self.stage.step("personal offers made from everybody's purchases"):
            rounds.go_on(now=now())

    def settled(self) -> bool:
        """Whether every letter about a membership has been written."""
        return not Notice.objects.filter(sent_at__isnull=True).exists()


def figures(setup: Setup) -> dict[str, Any]:
    """What stands in the tables: contracts, fees, plays, offers, what to recommend, a budget."""
    offered = fetch(
        "SELECT count(*) FILTER (WHERE NOT held_out AND size IS NOT NULL), count(*) FILTER (WHERE held_out),"
        " avg(threshold) FILTER (WHERE NOT held_out AND size IS NOT NULL) FROM offer_personal"
    )[0]
    plays, wins = fetch("SELECT count(*), count(*) FILTER (WHERE outcome = 'won') FROM game_play")[0]
    left = next((one for one in budgets.forecasts(setup, now=now()).values() if one.rule == REVIEWED), None)
    return {
        "contracts": _by_state("subscription"),
        "fees": _by_state("subscription_charge"),
        "plays": plays,
        "wins": wins,
        "offered": offered[0],
        "held_out": offered[1],
        "target": offered[2],
        "tips": recommending.tips([SHELF[0][0]], most=1),
        "budget": left,
    }


def _people(what: str, most: int, setup: Setup) -> list[Customer]:
    """Members with points, other ones for each thing to do."""
    rows = fetch(
        sql(
            "SELECT m.customer_id FROM member m JOIN member_balance b ON b.member_id = m.id"
            " WHERE m.program_id = {program} AND m.state = 'active' AND m.customer_id IS NOT NULL AND b.active > 0"
            " ORDER BY {place} LIMIT {most}",
            program=setup.id,
            place=place_sql(f"demo:{what}", Sql("m.customer_id")),
            most=most,
        )
    )
    known = Customer.objects.in_bulk([row[0] for row in rows])
    return [known[row[0]] for row in rows]


def _basket(person: Customer) -> dict[str, Any]:
    """A record of the shelf, often with the one that stands beside it."""
    first = int(place("demo:record", person.pk) * len(SHELF))
    chosen = [SHELF[first]]
    if place("demo:second", person.pk) < TAKEN_ALONG:
        chosen.append(SHELF[first ^ 1])
    at = now() - timedelta(hours=2 + int(place("demo:when", person.pk) * 600))
    return {
        "id": f"demo-till-{person.external_id}",
        "customer": person.external_id,
        "occurred_at": at,
        "store": "store",
        "items": [
            {"sku": sku, "name": name, "category": "jazz", "price": price, "margin": margin}
            for sku, name, price, margin in chosen
        ],
    }


def _report_fees() -> None:
    """What the payment provider would report: most fees are paid, a few fail, a few are still to come."""
    for charge in Charge.objects.filter(state="due").order_by("pk"):
        luck = place("demo:fee", charge.subscription_id)
        if luck < PAID:
            paying.report(charge.pk, "paid", reference=f"demo-{charge.pk}", now=now())
        elif luck < FAILED:
            paying.report(charge.pk, "failed", reference=f"demo-{charge.pk}", now=now(), reason="account without funds")


def _answers(customer_id: int) -> dict[str, str]:
    """Most know the record, fewer its time."""
    knows = place("demo:jazz", customer_id)
    taste = ("jazz", "classical", "pop")[int(place("demo:evening", customer_id) * 3)]
    return {
        "kind_of_blue": "davis" if knows < 0.7 else "evans",
        "time_out": "five" if knows < 0.5 else "four",
        "evening": taste,
    }


def _review(people: Sequence[Customer]) -> None:
    events = [
        {
            "id": f"demo-review-{one.external_id}",
            "customer": one.external_id,
            "name": "review",
            "occurred_at": now().isoformat(),
            "properties": {"stars": 3 + int(place("demo:stars", one.pk) * 3)},
        }
        for one in people
    ]
    done = intake(events=events, now=now(), source="demo")
    _nothing_refused([problem for _, problems in done.rejected for problem in problems])


def _by_state(table: str) -> dict[str, int]:
    return dict(fetch(f"SELECT state, count(*) FROM {table} GROUP BY state ORDER BY state"))


def _nothing_refused(problems: Sequence[Problem]) -> None:
    if problems:
        raise RuntimeError(str(problems[0]))
