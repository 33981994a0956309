"""The demo's club: purchases of the last year earn points, members rise, redeem and get cards.

The program is text, as anybody's (`club/`). It listens to purchases that come from now on; those of the past are sent
to it once more by `replay_events`. An event is booked once, however often it comes, so no purchase counts twice.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import transaction

from campaigns.delivery.models import PENDING, Message
from campaigns.flows import operations as flows
from campaigns.flows.models import Enrollment, Flow
from campaigns.gallery.stage import Stage, run_quietly
from campaigns.segments.models import Segment
from loyalty.cards import operations as cards
from loyalty.cards.models import CardBatch
from loyalty.customers import measuring
from loyalty.customers.models import Customer, QualityFigure
from loyalty.events import queue
from loyalty.finance import operations as finance
from loyalty.finance import queries as books
from loyalty.insights import operations as insights
from loyalty.kit.applying import apply_documents
from loyalty.kit.buckets import place, place_sql
from loyalty.kit.clock import now
from loyalty.kit.document_text import read
from loyalty.kit.sql import Sql, fetch, sql
from loyalty.program import names
from loyalty.program import queries as program
from loyalty.program.setup import Setup, load
from loyalty.rewards import fulfillment, supplier_reports
from loyalty.rewards.models import Redemption, Supplier
from loyalty.rewards.redeeming import redeem
from loyalty.rewards.shapes import Order
from loyalty.rewards.supplier_reports import Report

FOLDER = Path(__file__).parent / "club"
PLAYBOOKS = Path(__file__).parent / "playbooks"
PROGRAM, FLOW = "club", "tier_up"
# A year of purchases gives the books a past and lets tiers be reached; the log's first months would cost a minute.
PAST = timedelta(days=365)
STAMPED = timedelta(days=90)
LONG_MONTH = timedelta(days=31)
CARDS, REDEMPTIONS = 300, 100
EARNING_PATIENCE_SECONDS = 150
# The playbook lets people rest for a minute before it congratulates; who looks on does not.
REST = "8s"
# What is chosen, with its price, dearest first.
PARCEL, DONATION = "slipmat", "music_school"
SUPPLIER = "feltworks"
SHELF = ((400, "five_off"), (250, PARCEL), (100, DONATION))

_WAITING = "SELECT 1 FROM event_queue LIMIT 1"


@dataclass(frozen=True, slots=True)
class Club:
    """The loyalty side of the demo. Every step can be repeated: what was done is found done."""

    stage: Stage

    def open(self) -> None:
        """Apply the program, let the past earn, and listen to tiers from now on."""
        with self.stage.step("loyalty program applied: tiers, earning rules, rewards, vouchers, stamps, portal"):
            run_quietly("apply", str(FOLDER))
        with self.stage.step("purchases of the last year sent to the program, those of 90 days to the stamp cards"):
            if uncounted(load(PROGRAM)):
                # The books are due once a day: not while the past comes in, or they would close its months half full.
                self.stage.wait(lambda: finance.measure(setup=load(PROGRAM), now=now()), "the books")
                _replay("program", PAST, self.stage)
                _replay("play", STAMPED, self.stage)
            self.settle()
        setup = load(PROGRAM)
        tiers = program.tier_counts(setup.id)
        told = ", ".join(f"{tiers.get(tier.id, 0):,} {tier.key}" for tier in setup.tiers)
        self.stage.say(f"  {_members(setup):,} members: {told}")
        self.count()
        with self.stage.step(f"flow {FLOW!r} published"):
            apply_documents(playbook(), now=now())
            if Flow.objects.get(key=FLOW).state == Flow.State.DRAFT:
                flows.publish(key=FLOW, now=now())

    def count(self) -> None:
        """Compute RFM and build its segments, before any flow listens to who joins segments; count data quality."""
        with self.stage.step("RFM computed, its segments built"):
            insights.compute(feature="rfm", now=now())
            run_quietly("apply", str(PLAYBOOKS / "rfm_segments.yaml"))
            waiting = Segment.objects.filter(key__startswith="rfm_", built_at__isnull=True)
            self.stage.wait(lambda: not waiting.exists(), "the RFM segments to be built")
        with self.stage.step("quality of the data counted"):
            measuring.measure_again(now=now())
            while measuring.measure(now=now()):
                pass

    def live(self) -> None:
        """Members get cards and redeem."""
        setup = load(PROGRAM)
        with self.stage.step(f"{CARDS} cards issued, {REDEMPTIONS} rewards redeemed, parcels sent"):
            if not CardBatch.objects.exists():
                cards.issue(series=PROGRAM, amount=0, by="demo", now=now(), customer_ids=_richest(setup, CARDS))
            if not Redemption.objects.exists():
                _redeem(setup)

    def settle(self) -> None:
        """Until all that happened has earned, and whoever rose is congratulated."""
        self.stage.wait(lambda: not fetch(_WAITING), "the event queue to be empty")
        rising = Enrollment.objects.filter(flow__key=FLOW, status=Enrollment.Status.ACTIVE)
        self.stage.wait(lambda: not rising.exists(), "the congratulations")
        self.stage.wait(lambda: not Message.objects.filter(state__in=PENDING).exists(), "the last mails to be sent")

    def report(self) -> dict[str, Any]:
        """The books closed for now; the figures."""
        setup = load(PROGRAM)
        with self.stage.step("points valued in the books"):
            self.stage.wait(lambda: finance.measure(setup=setup, now=now()), "the books")
        return figures(setup)


def figures(setup: Setup) -> dict[str, Any]:
    """Points of all times by where they went, what is outstanding and owed, and purchases that were not counted once.

    `liability` is what the books expect to cost, in the program's currency.
    """
    moved = program.flows_of_points(setup, since=now() - 10 * PAST)
    point = moved.get(setup.document.wallets[0].key, {})
    open_points = program.liability(setup)
    month = books.month_of(setup.id)
    return {
        "members": _members(setup),
        "issued": point.get("earned", 0),
        "spent": point.get("spent", 0),
        "expired": point.get("expired", 0),
        "outstanding": sum(one.pending + one.active + one.locked for one in open_points),
        "worth": sum((one.worth for one in open_points), Decimal(0)),
        "liability": month.closing if month else Decimal(0),
        "currency": setup.document.currency,
        "redemptions": Redemption.objects.count(),
        "parcels": Redemption.objects.filter(reward__key=PARCEL).count(),
        "shipped": Redemption.objects.filter(reward__key=PARCEL, state="shipped").count(),
        "congratulated": Enrollment.objects.filter(flow__key=FLOW).count(),
        "quality": QualityFigure.objects.count(),
        "uncounted": uncounted(setup),
    }


def playbook() -> list[dict[str, Any]]:
    """The playbook for better tiers, with a shorter rest."""
    written, mistakes = read((PLAYBOOKS / f"{FLOW}.yaml").read_bytes(), FLOW)
    if mistakes:
        raise RuntimeError(str(mistakes[0]))
    documents = [one.value for one in written]
    for document in documents:
        for step in document.get("steps", ()):
            if step["type"] == "wait":
                step["for"] = REST
    return documents


def uncounted(setup: Setup) -> int:
    """Purchases of the last year in the timeline, less those that the program booked: 0, or something is wrong."""
    since = now() - PAST
    return int(
        fetch(
            sql(
                "SELECT (SELECT count(*) FROM event e JOIN event_type t ON t.id = e.type_id WHERE t.name = 'purchase'"
                " AND e.occurred_at >= {since}) - (SELECT count(*) FROM booking WHERE program_id = {program}"
                " AND kind = {kind} AND occurred_at >= {since})",
                since=since,
                program=setup.id,
                kind=names.PURCHASE,
            )
        )[0][0]
    )


def somebody() -> str | None:
    """The address of a member to sign in as: of those with a card, who has the most to see."""
    rows = fetch(
        sql(
            "SELECT c.email FROM customer c JOIN member m ON m.customer_id = c.id JOIN member_balance b"
            " ON b.member_id = m.id WHERE c.email IS NOT NULL AND EXISTS (SELECT FROM customer_identity i"
            " WHERE i.customer_id = c.id AND i.kind = 'card') ORDER BY (EXISTS (SELECT FROM reward_redemption r"
            " WHERE r.customer_id = c.id)) DESC, b.active DESC, c.id LIMIT 1"
        )
    )
    return rows[0][0] if rows else None


def _members(setup: Setup) -> int:
    return int(fetch(sql("SELECT count(*) FROM member WHERE program_id = {id}", id=setup.id))[0][0])


def _replay(consumer: str, past: timedelta, stage: Stage) -> None:
    """Send the purchases of that time to the consumer, oldest month first.

    A batch of events is booked at the time of its last one: month by month, each month of the books gets its own.
    """
    until = now()
    since = until - past
    while since < until:
        end = min((since.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + LONG_MONTH).replace(day=1), until)
        span = {"since": since.isoformat(), "until": end.isoformat()}
        # In one transaction, so that the workers find a full batch.
        with transaction.atomic():
            run_quietly("replay_events", consumer=consumer, names=["purchase"], dry_run=False, **span)
        queue.wake()
        stage.wait(lambda: not fetch(_WAITING), "purchases to earn points", patience=EARNING_PATIENCE_SECONDS)
        since = end


def _richest(setup: Setup, most: int) -> list[int]:
    rows = fetch(
        sql(
            "SELECT m.customer_id FROM member m JOIN member_balance b ON b.member_id = m.id"
            " WHERE m.program_id = {program} AND m.state = 'active' AND m.customer_id IS NOT NULL"
            " ORDER BY b.active DESC, m.id LIMIT {most}",
            program=setup.id,
            most=most,
        )
    )
    return [row[0] for row in rows]


def _redeem(setup: Setup) -> None:
    """Some members with points choose, the same ones in every demo; the supplier reports half of the
    parcels as sent, donations are made."""
    rows = fetch(
        sql(
            "SELECT m.customer_id, b.active FROM member m JOIN member_balance b ON b.member_id = m.id"
            " WHERE m.program_id = {program} AND m.state = 'active' AND m.customer_id IS NOT NULL"
            " AND b.active >= {least} ORDER BY {place} LIMIT {most}",
            program=setup.id,
            least=SHELF[1][0],
            place=place_sql("demo:redeem", Sql("m.customer_id")),
            most=REDEMPTIONS,
        )
    )
    people = Customer.objects.in_bulk([row[0] for row in rows])
    made: dict[str, list[int]] = {key: [] for _, key in SHELF}
    for customer_id, points in rows:
        reward = _choice(points, place("demo:taste", customer_id))
        order = Order(reward, address=_address(people[customer_id]) if reward == PARCEL else None)
        made[reward].append(redeem(order, customer_id=customer_id, setup=setup, now=now()).redemption_id)
    reports = [Report(number, "shipped", f"DEMO-{number}") for number in made[PARCEL][::2]]
    supplier_reports.report(Supplier.objects.get(key=SUPPLIER), reports, now=now())
    fulfillment.advance(made[DONATION], state="delivered", now=now(), actor="demo")


def _choice(points: int, taste: float) -> str:
    """What somebody with these points takes; `taste` in [0, 1) says how far down they look."""
    affordable = [key for price, key in SHELF if price <= points]
    return affordable[int(taste * len(affordable))]


def _address(person: Customer) -> dict[str, str]:
    """Where a parcel goes: made up, as everything about these people but what they bought."""
    return {
        "name": f"{person.first_name} Example",
        "street": f"Example Street {person.pk % 90 + 1}",
        "postcode": "00000",
        "city": "Exampleton",
        "country": person.country or "US",
    }
