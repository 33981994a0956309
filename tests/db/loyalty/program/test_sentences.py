"""Rules name things as people do: money with its currency, names instead of keys, in the reader's language."""

from typing import Any

import pytest
from django.utils.translation import override

from loyalty.events import facts, partitions
from loyalty.kit.applying import apply_documents
from loyalty.kit.sql import sql
from loyalty.program import occasions, operations, rules, sentences
from loyalty.program.setup import load
from tests.db.loyalty.program.club import BASE, NOW, applied, balance, customer

RULE: dict[str, Any] = {"kind": "earning_rule", "key": "x", "points": 50}


def said(*, ask: bool = True, **rule: Any) -> str:
    """The sentence of a rule that is applied."""
    apply_documents([{**RULE, **rule}], now=NOW)
    setup = load()
    found = next(one for one in setup.rules if one.document.key == "x")
    return sentences.sentence(found, sentences.terms_of(setup, ask=ask))


@pytest.mark.django_db
def test_names_and_money() -> None:
    words = {"category": {"4711": {"en": "Books", "de": "Bücher"}}, "store": {"s1": "Main Street"}}
    wallets = [{"key": "points", "value": 0.01}, {"key": "status", "name": {"en": "Status", "de": "Statuspunkte"}}]
    gold = {"kind": "tier", "key": "gold", "rank": 1, "threshold": 1, "name": {"en": "Gold member", "de": "Goldkunde"}}
    applied(gold, words=words, wallets=wallets, currency="CHF")
    rule: dict[str, Any] = {
        "type": "per_purchase", "points": 2, "per": 1.5, "wallet": "status", "only": {"category": ["4711", "4712"]},
        "when": {"tiers": ["gold"], "stores": ["s1"], "minimum": 20},
    }  # fmt: skip
    assert said(**rule) == (
        "2 points for every 1.50 CHF spent on category Books or 4712, in store Main Street, for members with tier Gold"
        " member, from an amount of 20 CHF (counted as Status)."
    )
    with override("de"):
        german = said(**rule)
    assert "Bücher" in german
    assert "Goldkunde" in german
    assert "1,50 CHF" in german
    assert "Statuspunkte" in german


@pytest.mark.django_db
def test_deeds_have_words_and_events_their_names() -> None:
    applied()
    assert said(type="per_event", event="review", where={"stars": {"gte": 4}, "verified": True}) == (
        "50 points for a review with stars at least 4 and verified yes."
    )
    assert said(type="per_event", event="bike_repaired") == "50 points for each “bike_repaired”."
    apply_documents([{"kind": "event_type", "key": "bike_repaired", "name": {"en": "Bicycle repaired"}}], now=NOW)
    assert said(type="per_event", event="bike_repaired") == "50 points for each “Bicycle repaired”."
    assert said(type="per_event", event="bike_repaired", ask=False) == "50 points for each “bike_repaired”."


@pytest.mark.django_db
def test_limits_of_margin_and_budget() -> None:
    applied(wallets=[{"key": "points", "value": 0.01}])
    assert said(type="per_purchase", points=1, margin_floor={"percent": 20}, budget={"money": 500}) == (
        "1 point for every 1 EUR spent (points worth 500 EUR in all; fewer for items whose margin would fall below 20 %"
        " of its price)."
    )
    assert said(type="referral", after="14d").startswith("50 points for a friend who buys and keeps it for 14 days")


@pytest.mark.django_db
def test_challenges_and_stamp_cards_earn_by_their_facts() -> None:
    rule = {"type": "challenge", "points": 30, "challenge": "three_visits"}
    applied(
        {**RULE, "key": "one", **rule},
        {**RULE, "key": "any", "type": "challenge", "points": 5, "caps": {"times": {"max": 1, "per": "day"}}},
        {**RULE, "key": "full", "type": "stamp", "points": 7, "stamp_card": "coffee"},
    )
    partitions.ensure(NOW, NOW)
    anna = customer("anna")
    for fact, key, value in (
        ("challenge.completed", "challenge", "three_visits"),
        ("challenge.completed", "challenge", "reader"),
        ("stamp_card.completed", "stamp_card", "coffee"),
        ("stamp_card.completed", "stamp_card", "tea"),
    ):
        row = "SELECT {c}::bigint, {now}::timestamptz, NULL::bigint, jsonb_build_object({k}::text, {v}::text)"
        facts.write(fact, sql(row, c=anna, now=NOW, k=key, v=value))
    assert occasions.earn_from_events([load()], consumer=operations.CONSUMER, now=NOW) == 4
    assert balance("anna") == (0, 42, 0, 0)


@pytest.mark.parametrize(
    "event",
    ["review", "survey", "video_watched", "training_passed", "app_installed", "card_activated", "qr_checkin",
     "social_share"],
)  # fmt: skip
@pytest.mark.django_db
def test_every_deed_earns(event: str) -> None:
    _rule, part, parameters = rules.read({**RULE, "type": "per_event", "event": event})
    assert "“" not in part.sentence(parameters, sentences.terms_of(applied(BASE)))
    apply_documents([{**RULE, "type": "per_event", "event": event}], now=NOW)
    assert load().events() == {"purchase", event}
