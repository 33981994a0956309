"""Simulated readers: they open the mails in the sink, click through the public URLs, and some of them buy by the API.

Everything goes over real HTTP, as it would from outside; who does what is drawn from a seed, so two runs are alike.
"""

import http.client
import json
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from loyalty.local.mailbox import Mailbox

# A browser that a bot filter takes for a person.
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
EVENTS_PER_CALL = 500


@dataclass(frozen=True, slots=True)
class Habits:
    """Shares of the mails that are opened, clicked, followed by a purchase (of the clicked), and unsubscribed from."""

    opens: float = 0.5
    clicks: float = 0.18
    buys: float = 0.4
    unsubscribes: float = 0.005


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
        self._connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=30)

    def read_new(self, *, most: int | None = None) -> Reading:
        """Read every mail that came since the last call (at most `most` clicks)."""
        done = Reading()
        for entry in self.mailbox.entries():
            if entry.n <= self.seen:
                continue
            self.seen = entry.n
            done.mails += 1
            draw = self.random.random()
            wanted = draw < max(self.habits.opens, self.habits.clicks)
            if wanted and (most is None or done.clicked < most):
                self._read(entry, draw, done)
        return done

    def _read(self, entry: Any, draw: float, done: Reading) -> None:
        mail = self.mailbox.read(entry.n)
        address = entry.rcpt[0]
        if pixel := _path(r'src="[^"]*(/t/o/[^"]+)"', mail.html):
            self._expect(done, "GET", pixel, 200)
            done.opened += 1
        links = re.findall(r'href="[^"]*(/t/c/[^"]+)"', mail.html)
        if links and draw < self.habits.clicks:
            self._expect(done, "GET", self.random.choice(links), 302)
            done.clicked += 1
            done.clickers.add(address)
            if self.random.random() < self.habits.buys:
                done.buyers.append(address)
        elif draw > max(self.habits.opens, self.habits.clicks) - self.habits.unsubscribes:
            header = dict(mail.headers).get("List-Unsubscribe", "")
            if target := _path(r"<[^>]*(/u/[^>]+)>", header):
                body = b"List-Unsubscribe=One-Click"
                self._expect(done, "POST", target, 200, body, {"Content-Type": "application/x-www-form-urlencoded"})
                done.unsubscribed += 1

    def _expect(
        self,
        done: Reading,
        method: str,
        path: str,
        status: int,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> None:
        if self._ask(method, path, body, headers)[0] != status:
            done.refused += 1

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str] | None) -> tuple[int, bytes]:
        for attempt in (1, 2):
            try:
                self._connection.request(
                    method, path, body=body or None, headers={"User-Agent": AGENT, **(headers or {})}
                )
                answer = self._connection.getresponse()
                return answer.status, answer.read()
            except (http.client.HTTPException, ConnectionError):
                # A kept connection that the server has closed meanwhile: once more on a fresh one.
                self._connection.close()
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")

    def buy(self, addresses: Iterable[str], *, api_key: str, tag: str) -> tuple[int, float]:
        """Each address buys once, by `POST events/batch`; how many were taken, and their sum."""
        events = [
            {
                "id": f"{tag}-{i}",
                "customer": {"email": address},
                "name": "purchase",
                "occurred_at": datetime.now(UTC).isoformat(),
                "properties": {
                    "amount": round(self.random.lognormvariate(3.3, 0.6), 2),
                    "currency": "USD",
                    "channel": "shop",
                },
            }
            for i, address in enumerate(addresses)
        ]
        accepted = 0
        for start in range(0, len(events), EVENTS_PER_CALL):
            batch = json.dumps({"events": events[start : start + EVENTS_PER_CALL]}).encode()
            headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
            status, body = self._ask("POST", "/api/v1/events/batch", batch, headers)
            if status != 202:
                raise RuntimeError(f"the API refused the purchases: {status} {body[:500]!r}")
            accepted += json.loads(body)["accepted"]
        return accepted, round(sum(event["properties"]["amount"] for event in events), 2)


def _path(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text)
    return found[1] if found else None
