"""Where random customers are and how they are reached: places, lists, suppressions, messages and what became of them;
rules about these, and their operators once more in plain Python.
"""

import hashlib
import math
import random
from datetime import datetime
from typing import Any

from django.db import connection
from hypothesis import strategies as st

from campaigns.attribution.models import Conversion, Credit
from campaigns.channels.models import Sender
from campaigns.channels.names import NUMBERS
from campaigns.content.models import Template, TemplateVersion
from campaigns.delivery import ids
from campaigns.delivery.models import Dispatch, Message
from campaigns.planning.models import Campaign, Goal
from campaigns.segments.models import CustomerList, CustomerListMember
from loyalty.events import types
from loyalty.kit.periods import Period

NOW = datetime.fromisoformat("2026-11-21T12:00:00+00:00")
ZONE = "Europe/Berlin"

# Cologne, near it, Fiji on both sides of the date line, the poles, nowhere.
PLACES = [
    {"lat": 50.94, "lon": 6.96},
    {"lat": 50.9401, "lon": 6.9602},
    {"lat": "50.73", "lon": "7.10"},
    [51.23, 6.78],
    {"lat": -17.0, "lon": 179.9},
    {"lat": -17.0, "lon": -179.9},
    {"lat": 89.9, "lon": 10},
    {"lat": 89.9, "lon": -170},
    {"lat": -90, "lon": 0},
    {"lat": 0, "lon": 0},
]
NO_PLACES = [{"lat": 91, "lon": 0}, {"lat": 50.94}, [50.94, 6.96, 0], "50.94,6.96", {"lat": None, "lon": 6.96}, 5]
LISTS = ["guests", "press", "nobody"]
# (flow, step, template, campaign, channel)
SENDINGS = [
    ("winback", "hello", "mail_a", "autumn", "email"),
    ("winback", "nudge", "text_a", "autumn", "sms"),
    ("welcome", "hello", "mail_b", None, "email"),
    (None, "single", "mail_a", None, "email"),
]
FACTS = ["sent", "delivered", "opened", "clicked", "bounced", "complained", "unsubscribed", "failed"]
GOALS = ["order", "signup"]
BARRED = [("email", "", "opt_out"), ("email", "", "hard_bounce"), ("email", "marketing", "opt_out"), ("sms", "", "x")]


def drawn(draw: random.Random, some_instant: Any) -> dict[str, Any]:
    """What `Person.contacts` holds."""
    messages = []
    for _ in range(draw.choice([0, 0, 1, 2, 4])):
        facts = [(draw.choice(FACTS), some_instant(draw)) for _ in range(draw.choice([0, 1, 2, 4]))]
        messages.append((draw.randrange(len(SENDINGS)), [("sent", some_instant(draw)), *facts]))
    conversions = []
    for _ in range(draw.choice([0, 0, 1, 2])):
        parts = [None, *range(len(messages))]
        conversions.append((draw.choice(GOALS), some_instant(draw), set(draw.sample(parts, min(2, len(parts))))))
    return {
        "phone": draw.choice([None, "+4915112345678"]),
        "restricted": draw.random() < 0.1,
        "lists": {key for key in LISTS[:2] if draw.random() < 0.4},
        "barred": {each for each in BARRED if draw.random() < 0.15},
        "messages": messages,
        "conversions": conversions,
    }


def digest(one: Any, column: str) -> bytes:
    return hashlib.md5(f"{column} {one.id}".encode()).digest()


def store(people: Any) -> None:
    """Write them straight into the tables."""
    listed = {key: CustomerList.objects.create(key=key, created_at=NOW, updated_at=NOW) for key in LISTS}
    CustomerListMember.objects.bulk_create(
        CustomerListMember(list_id=listed[key].pk, customer_id=one.id, added_at=NOW, source="test")
        for one in people
        for key in one.contacts["lists"]
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO suppression (channel, digest, purpose, reason, created_at) VALUES (%s, %s, %s, %s, now())"
            " ON CONFLICT DO NOTHING",
            [
                [channel, digest(one, "phone" if channel == "sms" else "email"), purpose, reason]
                for one in people
                for channel, purpose, reason in sorted(one.contacts["barred"])
            ],
        )
    dispatches = _dispatches()
    goals = {key: Goal.objects.create(key=key, event="purchase", created_at=NOW, updated_at=NOW) for key in GOALS}
    sent = {}
    for one in people:
        for number, (sending, _) in enumerate(one.contacts["messages"]):
            channel = NUMBERS[SENDINGS[sending][4]]
            sent[one.id, number] = Message(
                id=ids.pack(one.id, number, sending, channel),
                customer_id=one.id,
                dispatch=dispatches[sending],
                channel=channel,
                planned_at=NOW,
                due_at=NOW,
                entered_at=NOW,
            )
    Message.objects.bulk_create(sent.values())
    _store_facts(people, sent)
    _store_conversions(people, sent, goals)


def _dispatches() -> list[Dispatch]:
    sender = Sender.objects.create(key="s", channel="email", provider="email_smtp")
    Campaign.objects.create(key="autumn")
    versions = {}
    for key in sorted({sending[2] for sending in SENDINGS}):
        template = Template.objects.create(key=key, channel="email")
        versions[key] = TemplateVersion.objects.create(template=template, number=1, digest="", source={}, compiled={})
    return [
        Dispatch.objects.create(
            flow_key=flow,
            step=step,
            step_no=number,
            campaign_key=campaign,
            channel=channel,
            purpose="marketing",
            template_version_id=versions[template].pk,
            sender=sender,
        )
        for number, (flow, step, template, campaign, channel) in enumerate(SENDINGS)
    ]


def _store_facts(people: Any, sent: dict[Any, Message]) -> None:
    type_ids = types.type_ids([f"message.{fact}" for fact in FACTS])
    rows = [
        [one.id, type_ids[f"message.{fact}"], at, sent[one.id, number].id]
        for one in people
        for number, (_, facts) in enumerate(one.contacts["messages"])
        for fact, at in facts
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO event (customer_id, type_id, occurred_at, received_at, ref) VALUES (%s, %s, %s, now(), %s)",
            rows,
        )


def _store_conversions(people: Any, sent: dict[Any, Message], goals: dict[str, Goal]) -> None:
    for one in people:
        for number, (goal, at, parts) in enumerate(one.contacts["conversions"]):
            found = Conversion.objects.create(
                goal_id=goals[goal].pk, event_id=one.id * 10 + number, customer_id=one.id, occurred_at=at, value=0
            )
            for touch, part in enumerate(sorted(parts, key=str)):
                message = None if part is None else sent[one.id, part]
                Credit.objects.create(
                    conversion_id=found.pk,
                    model=f"m{touch}",
                    touch_no=0,
                    message_id=message and message.id,
                    dispatch_id=message and message.dispatch_id,
                    channel="email" if message else "none",
                    share=1,
                    value=0,
                )


def list_twin(one: Any, rule: dict[str, Any]) -> bool:
    return rule["list"] in one.contacts["lists"]


def reachable_twin(one: Any, rule: dict[str, Any]) -> bool:
    channel, purpose = rule["reachable"], rule.get("purpose", "marketing")
    address = {"email": one.columns["email"], "sms": one.contacts["phone"], "whatsapp": one.contacts["phone"]}
    if not address.get(channel) or one.contacts["restricted"]:
        return False
    barred = {(why, reason) for where, why, reason in one.contacts["barred"] if where == channel}
    if len(barred) > 1:
        # An address stands on the list once for each purpose; the reason that was there first stays.
        barred = set(dict(sorted(barred, reverse=True)).items())
    consent = one.consents.get((channel, purpose))
    if purpose == "transactional":
        return ("", "hard_bounce") not in barred
    if any(why in ("", purpose) for why, _ in barred):
        return False
    return consent == "granted" if purpose == "marketing" else consent != "withdrawn"


def coordinates(value: Any, number: Any) -> tuple[float, float] | None:
    if isinstance(value, dict):
        pair = [value.get("lat"), value.get("lon")]
    else:
        pair = value if isinstance(value, list) and len(value) == 2 else [None, None]
    lat, lon = map(number, pair)
    if lat is None or lon is None or abs(lat) > 90 or abs(lon) > 180:
        return None
    return float(lat), float(lon)


def kilometers(start: tuple[float, float], end: tuple[float, float]) -> float:
    """By the angle between two vectors, another way than the product's."""
    (a, b), (c, d) = (tuple(map(math.radians, place)) for place in (start, end))
    p = (math.cos(a) * math.cos(b), math.cos(a) * math.sin(b), math.sin(a))
    q = (math.cos(c) * math.cos(d), math.cos(c) * math.sin(d), math.sin(c))
    cross = (p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0])
    return 6371.0088 * math.atan2(math.hypot(*cross), sum(x * y for x, y in zip(p, q, strict=True)))


def geo_twin(one: Any, rule: dict[str, Any], number: Any) -> bool:
    area = rule["geo"]
    if "country" in area and one.columns["country"] not in aslist(area["country"]):
        return False
    postcode = one.columns["postcode"]
    if "postcode" in area and not any((postcode or "").startswith(text) for text in aslist(area["postcode"])):
        return False
    if "near" not in area:
        return True
    here = coordinates(one.attributes.get(area.get("of", "location")), number)
    return here is not None and kilometers(here, tuple(area["near"])) <= area["radius_km"]


def aslist(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def message_twin(one: Any, rule: dict[str, Any]) -> bool:
    def inside(at: datetime) -> bool:
        since = Period.parse(rule["within"]).subtract_from(NOW, ZONE) if "within" in rule else None
        return at <= NOW and (since is None or at > since)

    def meant(sending: int) -> bool:
        names = dict(zip(("flow", "step", "template", "campaign", "channel"), SENDINGS[sending], strict=True))
        return all(names[kind] in aslist(rule[kind]) for kind in names if kind in rule)

    messages = one.contacts["messages"]
    if rule["message"] == "converted":
        return any(
            inside(at)
            and ("goal" not in rule or goal in aslist(rule["goal"]))
            and any(part is not None and meant(messages[part][0]) for part in parts)
            for goal, at, parts in one.contacts["conversions"]
        )
    fact = {"received": "sent"}.get(rule["message"], rule["message"])
    return any(
        meant(sending)
        and any(name == fact and inside(at) for name, at in facts)
        and not (rule["message"] == "received" and any(name == "bounced" and at <= NOW for name, at in facts))
        for sending, facts in messages
    )


def some(values: list[str]) -> st.SearchStrategy[Any]:
    return st.one_of(st.sampled_from(values), st.lists(st.sampled_from(values), min_size=1, max_size=2))


windows = st.sampled_from(["90s", "24h", "7d", "90d", "1 month", "3 calendar days"])
circles = st.fixed_dictionaries(
    {
        "near": st.sampled_from([[50.94, 6.96], [-17, 180], [90, 0], [-89.95, 77], [0, 0], [51.23, 6.78]]),
        "radius_km": st.sampled_from([0.01, 1, 25, 31.4, 100, 5000, 20037.5]),
    },
    optional={"of": st.sampled_from(["location", "shop"])},
)
areas = st.fixed_dictionaries({}, optional={"country": some(["DE", "AT"]), "postcode": some(["0", "007", "ö", "DE"])})
about = {
    "flow": some(["winback", "welcome"]),
    "step": some(["hello", "nudge", "single"]),
    "template": some(["mail_a", "mail_b", "text_a"]),
    "campaign": st.just("autumn"),
    "channel": some(["email", "sms"]),
    "within": windows,
}
leaves = st.one_of(
    st.sampled_from(LISTS).map(lambda key: {"list": key}),
    st.fixed_dictionaries(
        {"reachable": st.sampled_from(["email", "sms", "whatsapp", "push"])},
        optional={"purpose": st.sampled_from(["marketing", "service", "transactional"])},
    ),
    st.builds(lambda circle, area: {"geo": {**circle, **area}}, circles, areas),
    areas.filter(bool).map(lambda area: {"geo": area}),
    st.fixed_dictionaries({"message": st.sampled_from([*FACTS, "received", "opened", "clicked"])}, optional=about),
    st.fixed_dictionaries({"message": st.just("converted")}, optional={**about, "goal": some(GOALS)}),
)
