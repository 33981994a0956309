"""The demo's story: real purchases become a timeline, points, a segment, a flow, mails, clicks, orders and credit.

It uses only what any user has: the import commands, `apply`, the operations behind the admin's buttons, the public
URLs.
The site's own workers do the rest while it looks on.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TextIO

from django.conf import settings

from campaigns.attribution import queries as attribution
from campaigns.attribution.report import Report
from campaigns.delivery.models import PENDING, Message, State
from campaigns.flows import operations as flows
from campaigns.flows import queries as flow_queries
from campaigns.flows.models import Enrollment, Flow, FlowRun
from campaigns.gallery import cdnow, doings
from campaigns.gallery.club import PROGRAM, Club
from campaigns.gallery.doings import Doings
from campaigns.gallery.stage import Stage, run_quietly
from campaigns.segments.models import Segment
from loyalty.access.operations import create_api_key
from loyalty.consent.entries import ConsentEntry
from loyalty.consent.operations import record
from loyalty.customers.models import Customer
from loyalty.kit.buckets import place
from loyalty.kit.clock import now
from loyalty.kit.sql import fetch
from loyalty.local.mailbox import Mailbox
from loyalty.local.readers import Habits, Readers
from loyalty.program.setup import load

PLAYBOOK = Path(__file__).parent / "playbooks" / "winback.yaml"
FLOW, GOAL, SEGMENT = "winback", "repurchase", "lapsing"
# Nobody opts in completely; the demo's people do in these stable shares.
MARKETING_SHARE, TRACKING_SHARE = 0.8, 0.7
SEED = 1998
CONSENT_BATCH = 5_000
# Mails that are looked at in each round: enough for a report, few enough to be done before the flow goes on.
READ_AT_MOST = 2_000


class Scenario:
    """Plays the story once; every step can be repeated, so a second start goes on where the first one ended."""

    def __init__(self, *, site: str, say: Callable[[str], None]) -> None:
        self.site = site
        self.say = say
        self.stage = Stage(say)
        self.club = Club(self.stage)
        self.doings = Doings(self.stage)
        self.mailbox = Mailbox(settings.SINK_DIR)
        self.readers = Readers(self.mailbox, site=site, seed=SEED)
        self.readers.seen = self.mailbox.count()
        self.began = now()  # set anew when the imported past is in
        self.ordered = 0
        self.revenue = 0.0

    def play(self) -> dict[str, Any]:
        """Everything from the import to the report; the report's figures."""
        self.bring_people()
        self.bring_consents()
        self.bring_purchases()
        self.club.open()
        self.doings.shop(load(PROGRAM))
        self.publish()
        self.read("first mails", Habits())
        self.read("reminders", Habits(opens=0.4, clicks=0.2))
        self.settle()
        return self.report()

    def bring_people(self) -> None:
        with self.stage.step("customers of the CDNOW log imported"), _csv(cdnow.write_customers) as path:
            run_quietly("import_customers", path)
        self.say(f"  {Customer.objects.count():,} customers")

    def bring_purchases(self) -> None:
        done = "their purchases imported, dates moved so that the last is today"
        with self.stage.step(done), _csv(cdnow.write_events) as path:
            run_quietly("import_events", path, shift_to_now=True)
        rows = fetch("SELECT count(*) FROM event e JOIN event_type t ON t.id = e.type_id WHERE t.name = 'purchase'")
        self.say(f"  {rows[0][0]:,} purchases in the timeline")

    def bring_consents(self) -> None:
        with self.stage.step("consents recorded (80 % marketing, 70 % of these tracking), with source and time"):
            at = now() - timedelta(days=400)
            entries = []
            for customer_id in Customer.objects.filter(external_id__startswith="cdnow-").values_list("id", flat=True):
                if place("demo:marketing", customer_id) < MARKETING_SHARE:
                    purposes = ["marketing"]
                    if place("demo:tracking", customer_id) < TRACKING_SHARE:
                        purposes.append("tracking")
                    entries += [
                        ConsentEntry(customer_id, "email", purpose, "granted", "demo: sign-up form", at, "v1")
                        for purpose in purposes
                    ]
            if not fetch("SELECT 1 FROM consent_entry WHERE source = 'demo: sign-up form' LIMIT 1"):
                for start in range(0, len(entries), CONSENT_BATCH):
                    record(entries[start : start + CONSENT_BATCH], now=now())

    def publish(self) -> None:
        """Bring the playbook in and let the flow run."""
        self.began = now()
        members = Segment.objects.filter(key=SEGMENT, member_count__gt=0)
        with self.stage.step(f"playbook applied, segment {SEGMENT!r} built"):
            run_quietly("apply", str(PLAYBOOK))
            self.stage.wait(members.exists, "the segment to be built")
        self.say(f"  {members.get().member_count:,} members")
        with self.stage.step(f"flow {FLOW!r} published, first mails sent"):
            if Flow.objects.get(key=FLOW).state == Flow.State.DRAFT:
                flows.publish(key=FLOW, now=now())
            self.stage.wait(FlowRun.objects.filter(finished_at__isnull=False).exists, "everybody to come in")
            self.stage.wait(Message.objects.exists, "the first messages")
            self.stage.wait(lambda: self._pending() == 0, "the first mails to be sent")

    def read(self, what: str, habits: Habits) -> None:
        """Readers work through what came, order, and the rest of the flow goes on."""
        with self.stage.step(f"readers at work on the {what}, through {self.site}"):
            self.readers.habits = habits
            reading = self.readers.read_new(at_most=READ_AT_MOST)
            # Some buy without any click: the report must not credit them to a message.
            organic = self._quiet_buyers(reading.clickers) if reading.mails else []
            orders, value = self._order([*reading.buyers, *organic])
        self.say(
            f"  {reading.mails:,} mails looked at, {reading.opened:,} opened, {reading.clicked:,} clicked,"
            f" {orders:,} orders"
            f" over {value:,.2f}, {reading.unsubscribed:,} unsubscribed, {reading.refused:,} refused"
        )
        if what == "first mails":
            # While the flow rests.
            self.club.live()
            self.doings.live(load(PROGRAM))
            with self.stage.step("the waits of the flow ended, reminders sent"):
                self.stage.wait(lambda: not self._waiting(), "the waits to end")
                self.stage.wait(lambda: self._pending() == 0, "the reminders to be sent")

    def _order(self, addresses: list[str]) -> tuple[int, float]:
        tag = f"demo-{now():%Y%m%d%H%M%S}"
        key = create_api_key(name=tag, scopes=["events:write"], now=now(), lifetime=timedelta(hours=1))
        orders, value = self.readers.buy(addresses, api_key=key.secret, tag=tag)
        self.ordered += orders
        self.revenue = round(self.revenue + value, 2)
        return orders, value

    def _quiet_buyers(self, clickers: set[str]) -> list[str]:
        people = Enrollment.objects.filter(flow__key=FLOW).order_by("id").values_list("customer__email", flat=True)
        return [address for address in people[:400] if address and address not in clickers][::20]

    def settle(self) -> None:
        """Until no event waits for anybody and every conversion is credited."""
        with self.stage.step("credit computed"):
            self.stage.wait(self.doings.settled, "the letters about memberships")
            self.club.settle()
            self.stage.wait(lambda: self._reconciled(), "every conversion to be credited")

    def _reconciled(self) -> bool:
        found = self._credit().reconciliation
        return found.waiting == 0 and found.uncredited == 0 and found.conversions_difference == 0

    def _credit(self, model: str = "last_touch") -> Report:
        return attribution.report(goal=GOAL, model=model, start=self.began, end=now())

    def report(self) -> dict[str, Any]:
        """The figures, with the sink's own log beside ours."""
        credit = {model: self._credit(model) for model in ("last_touch", "first_touch", "linear")}
        stats = flow_queries.stats(Flow.objects.select_related("current_version").get(key=FLOW))
        sent = Message.objects.filter(state=State.SENT).count()
        return {
            "flow": stats,
            "credit": credit,
            "sink": self.mailbox.count(),
            "sent": sent,
            "difference": self.mailbox.count() - sent,
            "orders": self.ordered,
            "revenue": self.revenue,
            "club": self.club.report(),
            "doings": doings.figures(load(PROGRAM)),
        }

    def _pending(self) -> int:
        return Message.objects.filter(state__in=PENDING).count()

    def _waiting(self) -> bool:
        return Enrollment.objects.filter(flow__key=FLOW, status=Enrollment.Status.ACTIVE).exists()


@contextmanager
def _csv(write: Callable[[TextIO], int]) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        # The same name and bytes each time: the import knows a file by its digest.
        path = Path(folder) / "cdnow.csv"
        with path.open("w", newline="") as out:
            write(out)
        yield str(path)
