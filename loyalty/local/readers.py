"""Simulated readers: they open the mails in the sink, click through the public URLs, and some of them buy by the API.

Everything goes over real HTTP, as it would from outside; who does what is drawn from a seed, so two runs are alike.
"""

import http.client
import json
import random
import re
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from loyalty.local.mailbox import Entry, Mailbox

# A browser that a bot filter takes for a person.
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
EVENTS_PER_CALL = 500
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Habits:
    """Shares of the mails that are opened, some of them clicked or unsubscribed from; `buys` is of the clicks."""

    opens: float = 0.35
    clicks: float = 0.15
    buys: float = 0.4
    unsubscribes: float = 0.004


@dataclass(frozen=True, slots=True)
class Act:
    """One request of a reader, and the status that the site should answer."""

    method: str
    path: str
    status: int
    body: bytes = b""


@dataclass(slots=True)
class Reading:
    """What the readers did; `buyers` are addresses."""

    mails: int = 0
    opened: int = 0
    clicked: int = 0
    unsubscribed: int = 0
    refused: int = 0
    buyers: list[str] = field(default_factory=list)
    clickers: set[str] = field(default_factory=set)


class Readers:
    """Readers of one sink for one site. `read_new` may be called again: it goes on behind the last mail it saw."""

    def __init__(self, mailbox: Mailbox, *, site: str, seed: int, habits: Habits | None = None) -> None:
        self.mailbox = mailbox
        self.random = random.Random(seed)  # noqa: S311 - a simulation, not a secret
        self.habits = habits or Habits()
        self.seen = 0
        parts = urlsplit(site)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port
        self._own = threading.local()

    def read_new(self, *, at_most: int) -> Reading:
        """Read the mails that came since the last call, the first `at_most` of them; the others stay unread for good.
        Who does what is drawn first, in the order of the mails; then several people are at it at once.
        """
        done = Reading()
        acts: list[Act] = []
        for entry in self.mailbox.entries():
            if entry.n <= self.seen:
                continue
            self.seen = entry.n
            if done.mails >= at_most:
                continue
            done.mails += 1
            acts += self._plan(entry, done)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            done.refused = sum(pool.map(self._act, acts))
        return done

    def _plan(self, entry: Entry, done: Reading) -> list[Act]:
        draw = self.random.random()
        habits = self.habits
        if draw >= habits.opens:
            return []
        mail = self.mailbox.read(entry.n)
        acts: list[Act] = []
        if pixel := _path(r'src="[^"]*(/t/o/[^"]+)"', mail.html):
            acts.append(Act("GET", pixel, 200))
            done.opened += 1
        links = re.findall(r'href="[^"]*(/t/c/[^"]+)"', mail.html)
        if draw < habits.unsubscribes:
            if target := _path(r"<[^>]*(/u/[^>]+)>", dict(mail.headers).get("List-Unsubscribe", "")):
                acts.append(Act("POST", target, 200, b"List-Unsubscribe=One-Click"))
                done.unsubscribed += 1
        elif links and draw < habits.unsubscribes + habits.clicks:
            acts.append(Act("GET", self.random.choice(links), 302))
            done.clicked += 1
            done.clickers.add(entry.rcpt[0])
            if self.random.random() < habits.buys:
                done.buyers.append(entry.rcpt[0])
        return acts

    def _act(self, act: Act) -> int:
        """Do it; 1 if the site answered otherwise than it should."""
        form = {"Content-Type": "application/x-www-form-urlencoded"} if act.body else None
        return int(self._ask(act.method, act.path, act.body, form)[0] != act.status)

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str] | None) -> tuple[int, bytes]:
        if not hasattr(self._own, "connection"):
            self._own.connection = http.client.HTTPConnection(self._host, self._port, timeout=30)
        connection: http.client.HTTPConnection = self._own.connection
        for attempt in (1, 2):
            try:
                connection.request(method, path, body=body or None, headers={"User-Agent": AGENT, **(headers or {})})
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (http.client.HTTPException, ConnectionError):
                # A kept connection that the server has closed meanwhile: once more on a fresh one.
                connection.close()
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")

    def buy(self, addresses: Sequence[str], *, api_key: str, tag: str) -> tuple[int, float]:
        """Each address buys once, by `POST events/batch`; how many were taken, and their sum."""
        amounts = [round(self.random.lognormvariate(3.3, 0.6), 2) for _ in addresses]
        events = [
            {
                "id": f"{tag}-{i}",
                "customer": {"email": address},
                "name": "purchase",
                "occurred_at": datetime.now(UTC).isoformat(),
                "properties": {"amount": amount, "currency": "USD", "channel": "shop"},
            }
            for i, (address, amount) in enumerate(zip(addresses, amounts, strict=True))
        ]
        accepted = 0
        for start in range(0, len(events), EVENTS_PER_CALL):
            batch = json.dumps({"events": events[start : start + EVENTS_PER_CALL]}).encode()
            headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
            status, body = self._ask("POST", "/api/v1/events/batch", batch, headers)
            if status != 202:
                raise RuntimeError(f"the API refused the purchases: {status} {body[:500]!r}")
            accepted += json.loads(body)["accepted"]
        return accepted, round(sum(amounts), 2)


def _path(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text)
    return found[1] if found else None
