"""How many messages one core renders: the newsletter of the sending bench, all limits on, every link sealed."""

from pathlib import Path
from time import process_time
from typing import Any

from django.conf import settings

from campaigns.content import limits
from campaigns.content.compile import compile_template
from campaigns.content.render import Renderer
from loyalty.kit.benches import Done, Target, Workload, bench
from loyalty.kit.tokens import seal

TEMPLATE = Path(__file__).resolve().parent.parent / "gallery" / "data" / "bench_template.mjml"
SUBJECT = "{{ customer.first_name | default('Hello') }}, {{ points.balance | number }} points are waiting"


class SealedLinks:
    """Links as sent to somebody who consented to tracking: a token for each link, the pixel and both own pages."""

    __slots__ = ("_number", "preferences", "unsubscribe")

    def __init__(self, number: int) -> None:
        self._number = number.to_bytes(8, "big")
        self.unsubscribe = self._url("u", "unsubscribe", self._number)
        self.preferences = self._url("p", "preferences", self._number)

    def click(self, index: int | None, url: str) -> str:
        """A token of the message and the link."""
        link = url.encode() if index is None else index.to_bytes(2, "big")
        return self._url("t/c", "click", self._number + link)

    def open_pixel(self) -> str | None:
        """A token of the message."""
        return self._url("t/o", "open", self._number)

    def _url(self, path: str, purpose: str, payload: bytes) -> str:
        return f"{settings.PUBLIC_URL}/{path}/{seal(payload, purpose=purpose, secret=settings.SECRET_KEY)}"


def values(number: int) -> dict[str, Any]:
    """One customer's values for the template: 15 of them and five products."""
    items = [
        {
            "name": f"Thing & {place}",
            "price": f"{place}.9",
            "quantity": place,
            "url": f"https://shop.example.com/p/{place}",
        }
        for place in range(5)
    ]
    return {
        "customer": {
            "external_id": f"c{number}",
            "email": f"a{number}@example.com",
            "first_name": f"Änne {number}",
            "last_name": "Müller",
            "city": "Köln",
            "tier": "gold" if number % 2 else "silver",
            "last_purchase_on": f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}",
        },
        "campaign": {"key": "autumn", "name": "Autumn"},
        "points": {"balance": number * 7, "value": f"{number}.5", "expire_on": "2026-12-31"},
        "offer": {"code": f"A{number}", "percent": 0.2},
        "event": {"currency": "EUR", "total": f"{number}.99", "store": "Köln", "items": items},
        "imprint": "Example Ltd\n1 Street\n12345 City",
        "now": "2026-11-21T10:00:00+00:00",
    }


@bench("render", unit="message", n=20_000, customers=0, targets=(Target("per_cpu_second", at_least=5_000),))
class Render(Workload):
    """The 9 KB newsletter with text part and sealed links, all limits on; the raw limit is the same bytes joined."""

    vacuum = False

    def prepare(self) -> None:
        locales = {"en": {"subject": SUBJECT, "body": TEMPLATE.read_text()}}
        self.renderer = Renderer(compile_template(locales, channel="email", purpose="marketing").content)
        self.contexts = [values(number) for number in range(min(self.size.n, 5_000))]
        with limits.batch():
            message = self.renderer.render(self.contexts[0], locale="en", links=SealedLinks(0))
        size = len(message.html) // 60
        self.pieces = [message.html[place : place + size] for place in range(0, len(message.html), size)]
        self.text = message.text

    def run(self) -> Done:
        started = process_time()
        done = octets = 0
        contexts, render = self.contexts, self.renderer.render
        while done < self.size.n:
            with limits.batch():  # as the sender does: one batch for each claimed set
                for number, context in enumerate(contexts[: self.size.n - done], start=done):
                    message = render(context, locale="en", links=SealedLinks(number))
                    octets += len(message.html) + len(message.text)
            done += len(contexts[: self.size.n - done])
        used = process_time() - started
        extras = {"per_cpu_second": done / used, "us_per_message": used / done * 1e6, "characters": octets // done}
        return Done(done, extras=extras)

    def raw(self) -> int:
        octets = 0
        for _ in range(self.size.n):
            octets += len("".join(self.pieces)) + len("".join([self.text, ""]))
        return self.size.n
