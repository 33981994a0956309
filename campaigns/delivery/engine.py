"""The body of the sending loop: claim, load, render, start, hand over, settle; sets all the way.

While one sub-chunk is on the wire (in the network thread) the next is rendered and started here. Only what was started
can come into doubt when the process dies: two sub-chunks, each of 10 to 100 messages and as large as what the wire
takes in 40 ms. So a kill costs at most a tenth of a second of sending, whether the provider is fast or slow.
"""

import logging
import secrets
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from django.db import InterfaceError, OperationalError, connection

from campaigns.channels import loop
from campaigns.channels import outcome as outcomes
from campaigns.channels.outcome import Outcome
from campaigns.delivery import load, single, trials
from campaigns.delivery.claim import Claimed, claim, release
from campaigns.delivery.compose import Composed, compose
from campaigns.delivery.halves import halved
from campaigns.delivery.load import Route
from campaigns.delivery.models import Dispatch
from campaigns.delivery.reconnect import reconnected
from campaigns.delivery.settle import Handed, settle
from campaigns.delivery.start import skip, start
from loyalty.events import partitions
from loyalty.kit.logs import fields
from loyalty.kit.sql import execute

logger = logging.getLogger(__name__)

# 100 messages are 20-30 ms of rendering, so a start and a settle commit (1 ms each) weigh under 10 %; at 10 they weigh
# half, but then the wire is the slower part by far. Two in flight keep it busy while the third is made.
SMALLEST_CHUNK = 10
LARGEST_CHUNK = 100
CHUNK_SECONDS = 0.04
IN_FLIGHT = 2
RUN_SECONDS = 20.0
# A provider that forgets its own timeouts is cut here: less than the lease, so that the outcome is still ours to write.
WIRE_SECONDS = 45.0
# Every statement of a run takes 100 to 1,000 rows by their keys. Left alone, the planner reads whole tables into
# hashes where they are small or its statistics are old: 286 us per message for the judgment at 10,000 customers, 15 by
# key.
BY_KEY = "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off"
BY_KEY_NO_MORE = "RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_seqscan"
_NOT_RENDERED = outcomes.retry("it had no address when it was rendered", after=1.0)


@dataclass(slots=True)
class Flight:
    """One sub-chunk on the wire: (message, attempt) as they were started, and the provider's answer to come."""

    attempts: list[tuple[int, int]]
    answer: "Future[list[Outcome]]"
    left_at: float = field(default_factory=time.monotonic)
    landed_at: float = 0.0

    def __post_init__(self) -> None:
        self.answer.add_done_callback(lambda _answer: self._land(time.monotonic()))

    def _land(self, at: float) -> None:
        self.landed_at = at


@dataclass(frozen=True, slots=True)
class Given:
    """What the messages of one claim share."""

    dispatches: Mapping[int, Dispatch]
    routes: Mapping[int, Route]

    def reachable(self, message: Claimed) -> bool:
        """Whether its sender's provider is known and its settings are right."""
        dispatch = self.dispatches.get(message.dispatch_id)
        route = self.routes.get(dispatch.sender_id) if dispatch else None
        return route is not None and route.trouble is None


@dataclass(slots=True)
class Run:
    """One run of one worker. `owner` is new for each, so that nothing of an earlier run can be mistaken for its own."""

    channel: str
    now: Callable[[], datetime]
    owner: int = field(default_factory=lambda: secrets.randbelow(2**31 - 1) + 1)
    flights: deque[Flight] = field(default_factory=deque)
    handled: int = 0
    size: int = field(default_factory=lambda: SMALLEST_CHUNK)
    until: float = 0.0

    def work(self, seconds: float, stop: Callable[[], bool]) -> int:
        """Send what is due for at most so many seconds; how many messages were handled (sent, skipped, failed)."""
        self.until = time.monotonic() + seconds
        try:
            self._prepare()
            while time.monotonic() < self.until and not stop():
                try:
                    wait = self._round(stop)
                except (OperationalError, InterfaceError):
                    self._reconnect()
                    continue
                if wait is None:
                    break
                time.sleep(min(wait, max(self.until - time.monotonic(), 0)))
        finally:
            # Whatever happened above: settle what flies, give back what was only claimed.
            try:
                self._land(0)
            finally:
                release(owner=self.owner)
                execute(BY_KEY_NO_MORE)
        return self.handled

    def _prepare(self) -> None:
        try:
            partitions.ensure(self.now(), self.now())
            execute(BY_KEY)
        except (OperationalError, InterfaceError):  # the server was restarted while this worker was idle
            self._reconnect()

    def _round(self, stop: Callable[[], bool]) -> float | None:
        """Claim once and send it; seconds to wait before the next round, None when nothing is due."""
        routes = load.routes(self.channel)
        senders = {key: route.rate for key, route in routes.items() if route.trouble is None}
        taken = claim(channel=self.channel, owner=self.owner, now=self.now(), senders=senders)
        if taken.messages:
            self._send(taken.messages, routes, stop)
            return 0.0
        self._land(0)
        return taken.wait

    def _reconnect(self) -> None:
        """After a lost connection: settle what flies, give back what was claimed (nobody here remembers it), go on."""
        if connection.in_atomic_block:
            raise
        logger.warning("delivery.database.reconnecting")
        reconnected(lambda: execute(BY_KEY))
        self._land(0)
        release(owner=self.owner)

    def _send(self, messages: Sequence[Claimed], routes: Mapping[int, Route], stop: Callable[[], bool]) -> None:
        given = Given(load.dispatches(messages), routes)
        together, alone = trials.apart(messages)
        for message in alone:
            if stop() or time.monotonic() >= self.until:
                return
            if trials.begin(message, owner=self.owner, at=self.now()):
                self._chunk([message], given)
            else:
                self.handled += 1
        first = 0
        # What a slow provider leaves of a claim goes back at the end of the run, long before the lease is over.
        while first < len(together) and not stop() and time.monotonic() < self.until:
            size = self.size
            self._chunk(together[first : first + size], given)
            first += size

    def _chunk(self, messages: Sequence[Claimed], given: Given) -> None:
        """Render, start and hand over one sub-chunk. Where it fails as a whole it is halved until the bad row is
        alone."""
        # A sender that came to be between two queries is left to the next claim.
        messages = [message for message in messages if given.reachable(message)]
        self.handled += len(messages)
        refused: dict[int, dict[str, Any]] = {}
        composed = Composed()
        for part in halved(messages, partial(self._compose, given), refused):
            composed.add(part)
        skip(composed.broken, owner=self.owner, at=self.now(), gate="render", code="render_error")
        messages = [message for message in messages if message.id not in composed.broken and message.id not in refused]
        self._land(IN_FLIGHT - 1)
        attempts: dict[int, int] = {}
        for started in halved(messages, partial(self._start, given), refused):
            attempts.update(started)
        # Nothing may come between the start and the hand-over that could fail and leave a doubt for nothing.
        self._hand_over([message for message in messages if message.id in attempts], attempts, composed, given)
        skip(refused, owner=self.owner, at=self.now(), gate="batch", code="render_error")

    def _compose(self, given: Given, messages: Sequence[Claimed]) -> Composed:
        at = self.now()
        composed = compose(
            messages,
            dispatches=given.dispatches,
            renderers=load.renderers(given.dispatches.values()),
            recipients=load.recipients(messages, self.channel),
            contexts=load.contexts(messages, given.dispatches, at),
            at=at,
        )
        single.keep_copies(composed.emails, messages, given.dispatches, at=at)
        return composed

    def _start(self, given: Given, messages: Sequence[Claimed]) -> dict[int, int]:
        exits = {key: dispatch.exit_on for key, dispatch in given.dispatches.items() if dispatch.exit_on}
        topics = any(dispatch.topic for dispatch in given.dispatches.values())
        return start(messages, channel=self.channel, owner=self.owner, at=self.now(), exits=exits, topics=topics)

    def _hand_over(
        self, messages: Sequence[Claimed], attempts: Mapping[int, int], composed: Composed, given: Given
    ) -> None:
        """Give each sender's messages to its provider; the answers come in later."""
        by_sender: dict[int, list[Claimed]] = {}
        for message in messages:
            by_sender.setdefault(given.dispatches[message.dispatch_id].sender_id, []).append(message)
        for sender_id, some in by_sender.items():
            emails = [composed.emails[message.id] for message in some if message.id in composed.emails]
            route = given.routes[sender_id]
            if route.provider is not None and route.account is not None and emails:
                answer = loop.submit(route.provider.send(route.account, emails))
                self.flights.append(Flight([(email.id, attempts[email.id]) for email in emails], answer))
        # An address that appeared between rendering and judging: nothing was handed over, the next try renders it.
        bare = [Handed(m.id, attempts[m.id], _NOT_RENDERED) for m in messages if m.id not in composed.emails]
        settle(bare, channel=self.channel, owner=self.owner, at=self.now())

    def _learn_size(self, flight: Flight) -> None:
        """The next sub-chunks are what the wire took in 40 ms of this flight, at most twice the last one."""
        seconds = max(flight.landed_at - flight.left_at, 0.001)
        fitting = int(len(flight.attempts) / seconds * CHUNK_SECONDS)
        self.size = max(SMALLEST_CHUNK, min(fitting, 2 * self.size, LARGEST_CHUNK))

    def _land(self, keep: int) -> None:
        """Settle the oldest flights until at most `keep` are in the air."""
        while len(self.flights) > keep:
            flight = self.flights[0]
            handed = [
                Handed(message_id, attempt, outcome)
                for (message_id, attempt), outcome in zip(flight.attempts, _answers(flight), strict=True)
            ]
            ours = settle(handed, channel=self.channel, owner=self.owner, at=self.now())
            self.flights.popleft()
            self._learn_size(flight)
            if ours < len(handed):
                logger.error("delivery.settle.too_late", extra=fields(lost=len(handed) - ours))


def run(*, channel: str, now: Callable[[], datetime], seconds: float = RUN_SECONDS) -> int:
    """Send what is due on a channel; how many messages were handled. `now` is business time, asked again and again.

    SIGTERM ends the run after the sub-chunk at hand, with everything settled and the rest given back.
    """
    with _draining() as stop:
        return Run(channel, now).work(seconds, stop)


@contextmanager
def _draining() -> Iterator[Callable[[], bool]]:
    """Within the block a SIGTERM only asks to stop; afterwards it does what it always did."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: asked.append(number))
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGTERM, before)
        if asked:
            signal.raise_signal(signal.SIGTERM)


def _answers(flight: Flight) -> list[Outcome]:
    """The provider's outcomes; a provider that raises, answers too few or never answers leaves a doubt, not a guess."""
    count = len(flight.attempts)
    try:
        answers = flight.answer.result(WIRE_SECONDS)
    except TimeoutError:
        flight.answer.cancel()
        return [outcomes.in_doubt("the provider did not answer in time")] * count
    except Exception as error:
        logger.exception("delivery.provider.error")
        return [outcomes.in_doubt(f"the provider failed: {type(error).__name__}")] * count
    if len(answers) != count:
        logger.error("delivery.provider.miscount", extra=fields(given=count, answered=len(answers)))
        return [outcomes.in_doubt("the provider answered for another number of messages")] * count
    return answers
