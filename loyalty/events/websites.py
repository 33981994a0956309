"""Websites whose pages send what visitors do: their settings, and taking in what a page sent."""

import re
import secrets as randomness
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from loyalty.customers import joining
from loyalty.customers import operations as customers
from loyalty.customers import queries as customer_queries
from loyalty.events import operations
from loyalty.events.models import Website
from loyalty.events.names import FACTS, fold, is_name
from loyalty.events.visitors import anonymous_id, read_link_token, read_shop_token, site_secret
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.tokens import BadToken

# What the script sends by itself. A purchase is nothing that a browser may claim: the shop's server reports it.
USUAL_EVENTS = ("page_viewed", "product_viewed", "cart_updated")
ORIGINS_MAX = 20
EVENTS_MAX = 50
EVENTS_PER_CALL = 20
# A page that was asleep sends late; more is a wrong clock.
LONGEST_DELAY = timedelta(days=1)
_EVENT_ID = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)


class Refused(Exception):
    """What a page sent is not taken; `status` is that of the answer."""

    def __init__(self, status: int, problem: str, remedy: str = "") -> None:
        self.status, self.problem = status, Problem("", problem, remedy)
        super().__init__(problem)


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one call: events taken, and whether the person was recognized (None: nobody asked).

    `recognized` is False where this visitor's id belongs to somebody else already: the browser should take a new one.
    """

    accepted: int
    rejected: list[tuple[int, list[Problem]]] = field(default_factory=list)
    recognized: bool | None = None


def save(
    website: Website | None, *, name: str, origins: Sequence[str], events: Sequence[str], active: bool, now: datetime
) -> Website:
    """Make or change a website; raises Problems, all at once."""
    problems = []
    if not name.strip():
        problems.append(Problem("name", "is missing", "say what people call the site"))
    wanted = [origin.strip().rstrip("/").lower() for origin in origins if origin.strip()]
    if not wanted:
        problems.append(Problem("origins", "are missing", "add the site's address, such as https://shop.example"))
    problems += [Problem("origins", f"{one!r} is no origin", _ORIGIN) for one in wanted if not _is_origin(one)]
    names = [fold(one) for one in events if one.strip()]
    problems += [Problem("events", f"{one!r} is no event name") for one in names if not is_name(one)]
    problems += [Problem("events", f"{one} is written by the system itself") for one in names if one in FACTS]
    if len(wanted) > ORIGINS_MAX or len(names) > EVENTS_MAX:
        problems.append(Problem("", f"at most {ORIGINS_MAX} origins and {EVENTS_MAX} events", "make another website"))
    if problems:
        raise Problems(problems)
    site = website or Website(key=randomness.token_urlsafe(12).replace("_", "a").replace("-", "b"), created_at=now)
    site.name, site.active, site.updated_at = name.strip(), active, now
    site.origins, site.events = sorted(set(wanted)), list(dict.fromkeys(names))
    site.save()
    return site


_ORIGIN = "write scheme and host as browsers do, such as https://shop.example"


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and text == f"{parts.scheme}://{parts.hostname}{port}"
    )


def secret_of(website: Website) -> str:
    """What the shop's server signs with."""
    return site_secret(website.key, website.secret_no, secret=settings.SECRET_KEY)


def renew_secret(website_id: int, *, now: datetime) -> Website:
    """Give the website another secret; what was signed with the old one is refused from now on."""
    with transaction.atomic():
        site = Website.objects.select_for_update().get(pk=website_id)
        site.secret_no, site.updated_at = site.secret_no + 1, now
        site.save(update_fields=["secret_no", "updated_at"])
    return site


def website_for(key: object, origin: str) -> Website:
    """The active website with that key if it may be sent to from `origin`; raises Refused."""
    site = Website.objects.filter(key=key).first() if isinstance(key, str) and len(key) <= 40 else None
    if site is None or not site.active:
        raise Refused(404, "no website has this key", "copy the script from the website's page in the admin")
    if origin.lower() not in site.origins:
        raise Refused(403, f"{origin or 'a call without origin'} may not send for this website", "add it in the admin")
    return site


def take(website: Website, body: dict[str, Any], *, now: datetime) -> Sent:
    """Take what a page sent (`k` key, `a` visitor, `e` events, `t` token); raises Refused for what is malformed."""
    visitor = anonymous_id(body.get("a"))
    if visitor is None:
        raise Refused(422, "a is no visitor's id", "send 16 to 64 of A-Z a-z 0-9 _ -")
    sent = body.get("e", [])
    if not isinstance(sent, list) or len(sent) > EVENTS_PER_CALL:
        raise Refused(422, f"e is no list of at most {EVENTS_PER_CALL} events")
    rejected: list[tuple[int, list[Problem]]] = []
    events, places = [], []
    for place, one in enumerate(sent):
        if not isinstance(one, dict) or not isinstance(one.get("n"), str) or fold(one["n"]) not in website.events:
            rejected.append(
                (place, [Problem("n", "is no event of this website", f"known: {', '.join(website.events)}")])
            )
            continue
        events.append(_event(one, visitor, now))
        places.append(place)
    accepted = 0
    if events:
        taken = operations.intake(events=events, now=now, source=f"web:{website.key}")
        accepted = taken.accepted
        rejected += [(places[index], problems) for index, problems in taken.rejected]
    token = body.get("t")
    recognized = None if token is None else _recognize(website, visitor, token, now)
    return Sent(accepted, sorted(rejected, key=lambda item: item[0]), recognized)


def _event(one: dict[str, Any], visitor: str, now: datetime) -> dict[str, Any]:
    """The event as the intake reads it; the browser only says how long ago it was, for its clock may be wrong."""
    delay = one.get("d")
    ago = min(max(float(delay), 0.0), LONGEST_DELAY.total_seconds() * 1000) if isinstance(delay, int | float) else 0.0
    number = one.get("i")
    return {
        "id": f"{visitor}:{number}" if isinstance(number, str) and _EVENT_ID.fullmatch(number) else None,
        "customer": {"anonymous_id": visitor},
        "name": one["n"],
        "occurred_at": now - timedelta(milliseconds=ago),
        "properties": one.get("p"),
    }


def _recognize(website: Website, visitor: str, token: object, now: datetime) -> bool:
    customer_id = _vouched_for(website, token, now)
    try:
        joining.claim(customer_id=customer_id, kind="anonymous_id", value=visitor, now=now, actor=f"web:{website.key}")
    except Problems:
        return False
    return True


def _vouched_for(website: Website, token: object, now: datetime) -> int:
    """The customer a token speaks of, made where a shop vouches for one we do not know; raises Refused."""
    if not isinstance(token, str):
        raise Refused(422, "t is no token")
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    try:
        if "." not in token:
            return read_link_token(token, secrets=keys, now=now)
        own = [site_secret(website.key, website.secret_no, secret=key) for key in keys]
        external_id = read_shop_token(token, secrets=own, now=now)
    except BadToken as error:
        raise Refused(403, f"the token is refused: {error}") from None
    found = customer_queries.resolve([external_id])[0]
    if found is not None:
        return found
    made = customers.upsert_customers([{"external_id": external_id}], now=now, source=f"web:{website.key}")
    if made.ids[0] is None:
        raise Refused(422, "the token's external id cannot be one: " + "; ".join(map(str, made.rejected[0][1])))
    return made.ids[0]
