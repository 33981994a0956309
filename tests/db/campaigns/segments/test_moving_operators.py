"""Operators whose answer moves: with the clock, with facts about messages, with suppressions."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from campaigns.channels.models import Sender
from campaigns.content.models import Template, TemplateVersion
from campaigns.delivery import ids
from campaigns.delivery.models import Dispatch, Message
from campaigns.segments import operator, queries, tree
from campaigns.segments.values import date_value
from loyalty.consent.operations import suppress
from loyalty.events import facts
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch, sql
from tests.db.campaigns.segments.conftest import NOW, Shop

SECOND = timedelta(seconds=1)


def test_what_did_not_happen_is_noticed_at_its_instant(shop: Shop) -> None:
    shop.customers({"external_id": "a"}, {"external_id": "b"})
    shop.segment("left", {"sequence": [{"event": "cart", "within": "7d"}, {"not": "purchase", "for": "2h"}]})
    shop.event("a", "cart")
    shop.event("b", "cart")
    shop.refresh()
    assert shop.members("left") == []
    shop.refresh(timedelta(hours=1))
    shop.event("b", "purchase")
    shop.refresh(timedelta(hours=1) - SECOND)
    assert shop.members("left") == []
    shop.refresh(SECOND)
    assert shop.members("left") == ["a"]
    shop.refresh(timedelta(days=7, hours=-2) - SECOND)
    assert shop.members("left") == ["a"]
    shop.refresh(SECOND)
    assert shop.members("left") == []


def message(customer_id: int, *, flow: str = "winback") -> int:
    sender = Sender.objects.create(key=f"s-{flow}", channel="email", provider="email_smtp")
    template = Template.objects.create(key=f"t-{flow}", channel="email")
    version = TemplateVersion.objects.create(template=template, number=1, digest="", source={}, compiled={})
    dispatch = Dispatch.objects.create(
        flow_key=flow,
        step="hello",
        step_no=1,
        channel="email",
        purpose="marketing",
        template_version_id=version.pk,
        sender=sender,
    )
    times = dict.fromkeys(("planned_at", "due_at", "entered_at"), NOW)
    sent = Message(id=ids.pack(dispatch.pk, 0, 1, 1), customer_id=customer_id, dispatch=dispatch, channel=1, **times)
    Message.objects.bulk_create([sent])
    return sent.id


def fact(name: str, customer_id: int, ref: int, at: datetime) -> None:
    rows = sql("SELECT {id}::bigint, {at}::timestamptz, {ref}::bigint, NULL", id=customer_id, at=at, ref=ref)
    assert facts.write(name, rows) == 1


def test_messages_of_a_flow_with_their_window(shop: Shop) -> None:
    first, second = shop.customers({"external_id": "a"}, {"external_id": "b"})
    sent, other = message(first), message(second, flow="welcome")
    shop.segment("reached", {"message": "received", "flow": "winback", "within": "7d"})
    fact("message.sent", first, sent, NOW)
    fact("message.sent", second, other, NOW)
    shop.refresh()
    assert shop.members("reached") == ["a"]
    shop.refresh(timedelta(days=7) - SECOND)
    assert shop.members("reached") == ["a"]
    shop.refresh(SECOND)
    assert shop.members("reached") == []
    fact("message.sent", first, sent, shop.now)
    shop.refresh()
    assert shop.members("reached") == ["a"]
    fact("message.bounced", first, sent, shop.now)
    shop.refresh()
    assert shop.members("reached") == []


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"message": "clicked", "flow": "winbak"}, "rule.flow: unknown flow 'winbak' (did you mean 'winback'?)"),
        ({"message": "clicked", "step": "x"}, "rule.step: unknown step 'x' (known: hello)"),
        (
            {"message": "clicked", "template": ["t-winback", "t-x"]},
            "rule.template: unknown template 't-x' (known: t-winback)",
        ),
        (
            {"message": "converted", "goal": "order"},
            "rule.goal: unknown goal 'order' (there is none yet; make it first)",
        ),
        (
            {"message": "sent", "campaign": "x"},
            "rule.campaign: unknown campaign 'x' (there is none yet; make it first)",
        ),
        (
            {"geo": {"near": [50, 6], "radius_km": 5}},
            "rule.geo.of: unknown attribute 'location' (declare an attribute of type geo first)",
        ),
        ({"geo": {"near": [50, 6], "radius_km": 5, "of": "city"}}, "rule.geo.of: city is a text, no place"),
    ],
)
def test_what_nothing_is_called_is_told(shop: Shop, rule: dict[str, Any], problem: str) -> None:
    message(shop.customers({"external_id": "a"})[0])
    with pytest.raises(Problems) as refused:
        queries.checked(rule)
    assert [str(one)[: len(problem)] for one in refused.value.problems] == [problem]


def test_without_the_packages_above_it_is_a_clear_problem(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator, "_message_sources", [])
    monkeypatch.setattr(operator, "_conversion_sources", [])
    rule = {"any": [{"message": "clicked", "channel": "email"}, {"message": "converted"}, {"message": "clicked"}]}
    with pytest.raises(Problems) as refused:
        queries.checked(rule)
    assert [str(one) for one in refused.value.problems] == [
        "rule.any[0].message: messages are not known here (install the package that sends them)",
        "rule.any[1].message: conversions are not known here (install the package that credits them)",
    ]


def test_why_somebody_cannot_be_reached(shop: Shop) -> None:
    consent = {"channel": "email", "purpose": "marketing", "status": "granted", "source": "x", "at": NOW.isoformat()}
    found = shop.customers({"external_id": "a"}, *({"external_id": e, "email": f"{e}@example.com"} for e in "bcde"))
    with connection.cursor() as cursor:
        for one in found[2:]:
            cursor.execute(
                "INSERT INTO consent_state (customer_id, channel, purpose, status, since)"
                " VALUES (%s, 'email', 'marketing', 'granted', %s)",
                [one, consent["at"]],
            )
        cursor.execute("UPDATE customer SET restricted_at = %s WHERE id = %s", [NOW, found[4]])
    shop.segment("reached", {"reachable": "email"})
    assert shop.members("reached") == ["c", "d"]
    suppress("email", addresses=["c@example.com"], reason="opt_out", now=NOW)
    shop.refresh()
    assert shop.members("reached") == ["d"]
    rule = tree.parse({"reachable": "email"})
    said = [queries.explain(rule, one, now=NOW).nodes[0].value for one in found]
    assert said == ["no address", "no consent", "the address is suppressed", "reachable", "processing is restricted"]


@pytest.mark.parametrize(
    ("wall", "zone", "instant"),
    [
        ("2026-03-29 02:00", "Europe/Berlin", "2026-03-29 01:00+00"),
        ("2026-03-29 02:30", "Europe/Berlin", "2026-03-29 01:00+00"),
        ("2026-03-29 02:59:59.999999", "Europe/Berlin", "2026-03-29 01:00+00"),
        ("2026-03-29 03:00", "Europe/Berlin", "2026-03-29 01:00+00"),
        ("2026-03-29 01:59:59", "Europe/Berlin", "2026-03-29 00:59:59+00"),
        ("2026-10-25 02:30", "Europe/Berlin", "2026-10-25 00:30+00"),
        ("2026-10-25 03:00", "Europe/Berlin", "2026-10-25 02:00+00"),
        # Half an hour each way, a day that did not exist, midnights in a gap and twice.
        ("2026-10-04 02:15", "Australia/Lord_Howe", "2026-10-03 15:30+00"),
        ("2026-04-05 01:45", "Australia/Lord_Howe", "2026-04-04 14:45+00"),
        ("2011-12-30 12:00", "Pacific/Apia", "2011-12-30 10:00+00"),
        ("2026-04-24 00:00", "Africa/Cairo", "2026-04-23 22:00+00"),
        ("2026-10-29 23:30", "Africa/Cairo", "2026-10-29 20:30+00"),
        ("1893-04-01 00:00", "Europe/Berlin", "1893-03-31 23:07+00"),
    ],
)
def test_wall_times_on_nights_when_clocks_change(db: None, wall: str, zone: str, instant: str) -> None:
    found = fetch(sql("SELECT segment_instant({wall}::timestamp, {zone})", wall=wall, zone=zone))[0][0]
    assert found == datetime.fromisoformat(instant)


@pytest.mark.parametrize(
    ("day", "zone", "instant"),
    [
        ("2026-11-21", "Europe/Berlin", "2026-11-20 23:00+00"),
        # Midnight in a gap, twice, and after an hour that came twice.
        ("2026-04-24", "Africa/Cairo", "2026-04-23 22:00+00"),
        ("2026-11-01", "America/Havana", "2026-11-01 04:00+00"),
        ("2026-10-30", "Africa/Cairo", "2026-10-29 22:00+00"),
    ],
)
def test_days_on_nights_when_clocks_change(db: None, day: str, zone: str, instant: str) -> None:
    column = date_value(sql("{day}::date", day=day), zone).moment
    query = sql("SELECT {column}, segment_moment(to_jsonb({day}::text), {zone})", column=column, day=day, zone=zone)
    assert fetch(query)[0] == (datetime.fromisoformat(instant),) * 2
