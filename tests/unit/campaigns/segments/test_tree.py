"""Reading rules: every mistake at once, with its place and a remedy."""

import time
from datetime import date, datetime
from typing import Any

import pytest

from campaigns.segments import tree
from campaigns.segments.tree import Group, Leaf
from loyalty.kit.periods import Period
from loyalty.kit.problems import Problems

LAPSING = {
    "all": [
        {"attribute": "country", "in": ["DE", "AT", "CH"]},
        {"event": "purchase", "count": {"gte": 3}, "within": "365d", "where": {"amount": {"gte": 50}}},
        {"none": [{"event": "purchase", "count": {"gte": 1}, "within": "90d"}, {"segment": "employees"}]},
    ]
}


def told(rule: object) -> list[str]:
    with pytest.raises(Problems) as refused:
        tree.parse(rule)
    return [str(problem) for problem in refused.value.problems]


def test_a_rule_is_read_into_groups_and_leaves() -> None:
    rule = tree.parse(LAPSING)
    assert isinstance(rule, Group)
    assert [node.where for node in tree.walk(rule)] == [
        "rule",
        "rule.all[0]",
        "rule.all[1]",
        "rule.all[2]",
        "rule.all[2].none[0]",
        "rule.all[2].none[1]",
    ]
    assert tree.segment_keys(rule) == {"employees"}
    assert tree.event_names(rule) == {"purchase"}
    assert tree.reads(rule).windows == (("purchase", Period.parse("365d")), ("purchase", Period.parse("90d")))
    assert not tree.reads(rule).clock


def test_the_document_of_a_rule_parses_to_the_same_rule() -> None:
    rule = tree.parse(LAPSING)
    assert tree.document(rule) == LAPSING
    assert tree.parse(tree.document(rule)) == rule


def test_the_operator_is_found_whatever_the_order_of_keys() -> None:
    # jsonb keeps no order: a stored leaf may come back with any key first.
    rule = tree.parse({"of": "amount", "sum": {"gte": 1}, "event": "purchase"})
    assert isinstance(rule, Leaf)
    assert rule.operator == "event"
    assert list(tree.document(rule)) == ["event", "of", "sum"]


def test_dates_of_a_yaml_reader_become_text() -> None:
    rule = tree.parse({"all": [{"attribute": "birth_date", "before": date(1990, 1, 2)}]})
    assert tree.document(rule) == {"all": [{"attribute": "birth_date", "before": "1990-01-02"}]}
    stamped = tree.parse({"event": "purchase", "from": datetime(2026, 1, 2, 3, 4)})
    assert tree.document(stamped) == {"event": "purchase", "from": "2026-01-02T03:04:00"}


def test_all_mistakes_are_told_at_once_with_place_and_remedy() -> None:
    assert told(
        {
            "all": [
                {"atribute": "country", "eq": "DE"},
                {"event": "purchase", "cuont": {"gte": 3}},
                {"event": "a b", "within": "soon"},
                {"event": "purchase", "count": {"gtee": 3}, "where": {"amount": {"gtt": 3}, "shop": None}},
                {"any": []},
                {"bucket": "autumn", "from": 1, "to": 0.5},
                {"attribute": "country"},
                {"attribute": "country", "eq": None, "in": "DE"},
                {"event": "purchase", "sum": {"gte": 3}},
                {"all": [], "any": []},
                5,
            ]
        }
    ) == [
        "rule.all[0].atribute: unknown operator 'atribute' (did you mean 'attribute'?)",
        "rule.all[1].cuont: unknown field 'cuont' (did you mean 'count'?)",
        "rule.all[2].event: is no event name: use 1 to 100 of a-z 0-9 _ . : -",
        "rule.all[2].within: 'soon' is not a period: write 90s, 15m, 2h, 7d or 2w for elapsed time,"
        " `3 calendar days` or `1 month` for calendar time",
        "rule.all[3].count.gtee: unknown field 'gtee' (did you mean 'gte'?)",
        "rule.all[3].where.amount.gtt: unknown field 'gtt' (did you mean 'gt'?)",
        "rule.all[3].where.shop.eq: null is no value to compare with; use is_set: false",
        "rule.all[4].any: is empty (add a condition)",
        "rule.all[5]: 'from' must be below 'to', for example from: 0, to: 0.1",
        "rule.all[6]: says no comparison; known: eq, ne, gt, gte, lt, lte, in, not_in, contains, starts_with,"
        " ends_with, matches, is_set, before, after, within, anniversary_within",
        "rule.all[7].eq: null is no value to compare with; use is_set: false",
        "rule.all[7].in: must be a list, for example [DE, AT]",
        "rule.all[8].sum: needs the property that is computed (add for example of: amount)",
        "rule.all[9]: a group has one key, but beside 'all' there is 'any' (put it into the list of 'all')",
        "rule.all[10]: is no rule (write a condition such as {attribute: country, eq: DE}, or a group all/any/none)",
    ]


@pytest.mark.parametrize(
    ("rule", "mistake"),
    [
        ({"attribute": "x", "matches": "(a+)+"}, "repeats a group that repeats something itself"),
        ({"attribute": "x", "eq": float("nan")}, "contains a number that is not finite"),
        ({"attribute": "x", "eq": 10**31}, "is too large a number"),
        ({"attribute": "x", "eq": 10**5000}, "is too large a number"),
        ({"attribute": "x", "eq": "a\0b"}, "cannot be stored"),
        ({"attribute": "x", "eq": "\ud800"}, "cannot be stored"),
        ({"attribute": "x\0", "eq": 1}, "cannot be stored"),
        ({"attribute": "x", "eq": ["a"]}, "must be a text, a number or true/false"),
        ({"attribute": "x", "in": []}, "the list is empty"),
        ({"attribute": "x", "is_set": "yes"}, "must be true or false"),
        ({"attribute": "x", "within": "0d"}, "the window is empty"),
        ({"attribute": "x", "before": "0001-01-01"}, "the year must lie between 1800 and 2500"),
        ({"attribute": "x", "eq": 1, "segment": "y"}, "names several operators: attribute, segment"),
        ({"event": "p", "count": {"gte": 1}, "days": {"gte": 1}}, "stands beside count"),
        ({"event": "p", "within": "7d", "from": "2026-01-01"}, "stands beside 'from' or 'to'"),
        ({"event": "p", "from": "2026-02-01", "to": "2026-01-01"}, "is after 'to'"),
        ({"event": "p", "count": {"starts_with": "x"}}, "starts_with does not fit a number"),
        ({"event": "p", "first": {"eq": "soon"}}, "'soon' is no date"),
        ({"event": "p", "count": {"gt": "2026-01-01"}}, "is no number"),
        ({"consent": "email", "purpose": "fun"}, "Input should be 'marketing', 'service', 'tracking' or 'profiling'"),
        ({1: 2}, "unknown operator '1'"),
        ({}, "is no rule"),
        ([], "is no rule"),
        (None, "is no rule"),
        ({"all": {"attribute": "x"}}, "must be a list of rules"),
    ],
)
def test_refused(rule: Any, mistake: str) -> None:
    assert mistake in " ".join(told(rule))


def nested(depth: int) -> dict[str, Any]:
    rule: dict[str, Any] = {"attribute": "x", "eq": 1}
    for _ in range(depth):
        rule = {"all": [rule]}
    return rule


@pytest.mark.parametrize(
    ("rule", "mistake"),
    [
        (nested(21), "is nested deeper than 20 groups"),
        (nested(1000), "is nested deeper than 20 groups"),
        (nested(100_000), "is nested deeper than 20 groups"),
        ({"any": [{"attribute": "x", "eq": n} for n in range(201)]}, "has more than 200 conditions"),
        ({"any": [{"attribute": "x", "eq": n} for n in range(10_000)]}, "is larger than 64 KB"),
        ({"any": [{"oops": n} for n in range(1_000)]}, "has more than 200 conditions"),
        ({"attribute": "x", "eq": "a" * 70_000}, "is larger than 64 KB"),
        ({"attribute": "x", "in": ["a"] * 1_001}, "more than 1000 entries"),
        ({"event": "p", "where": {str(n): n for n in range(21)}}, "at most 20 items"),
        ({"attribute": "x", "matches": "a" * 201}, "longer than 200 characters"),
    ],
)
def test_too_much_is_refused_at_once(rule: Any, mistake: str) -> None:
    began = time.process_time()
    mistakes = told(rule)
    # Of the processor: how busy the machine is does not matter.
    assert time.process_time() - began < 1
    assert mistake in mistakes[0]
    assert len(mistakes) <= 100


def test_the_bounds_themselves_are_allowed() -> None:
    tree.parse(nested(20))
    tree.parse({"any": [{"attribute": "x", "eq": n} for n in range(200)]})


def test_consent_may_be_written_in_three_ways() -> None:
    ways = [
        {"consent": "email", "purpose": "tracking"},
        {"consent": {"channel": "email", "purpose": "tracking"}},
        {"consent": "tracking", "channel": "email"},
    ]
    first, *others = [tree.parse(way).parameters for way in ways]  # type: ignore[union-attr]
    assert others == [first, first]


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        ({"count": 0}, True),
        ({"count": {"lt": 1}}, True),
        ({"count": {"lte": 0}}, True),
        ({"count": {"gte": 0, "lte": 2}}, True),
        ({"count": {"in": [0, 3]}}, True),
        ({"count": {"ne": 3}}, True),
        ({"count": {"not_in": [1, 2]}}, True),
        ({"count": {"ne": 0}}, False),
        ({"count": {"lte": 2}}, False),
        ({"count": {"lt": 3}}, False),
        ({"count": {"lt": 0}}, False),
        ({"count": {"gte": 1}}, False),
        ({}, False),
        ({"sum": {"eq": 0}, "of": "amount"}, False),
        ({"sum": {"ne": 0}, "of": "amount"}, True),
        ({"last": {"is_set": False}}, True),
    ],
)
def test_who_has_no_such_event_matches_negations_and_what_names_zero(rule: dict[str, Any], matches: bool) -> None:
    leaf = tree.parse({"event": "purchase", **rule})
    assert leaf.parameters.missing_matches() is matches  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("rule", "mistakes"),
    [
        ({"sequence": []}, ["rule.sequence: Tuple should have at least 1 item after validation, not 0"]),
        (
            {"sequence": [{"not": "x"}, {"event": "y"}]},
            [
                "rule.sequence[0]: nothing comes before the first step"
                " (begin with an event, or ask for what never happened with none: [{event: ...}])"
            ],
        ),
        (
            {"sequence": [{"event": "a"}, {"evnt": "b"}]},
            ["rule.sequence[1].evnt: unknown field 'evnt' (did you mean 'event'?)"],
        ),
        ({"sequence": [{"event": "a"}, {}]}, ["rule.sequence[1]: a step is either {event: ...} or {not: ...}"]),
        (
            {"sequence": [{"event": "a"}, {"event": "b", "for": "2h"}]},
            [
                "rule.sequence[1]: 'event' takes 'within', the time it may take; 'for' belongs to 'not'",
            ],
        ),
        (
            {"sequence": [{"event": "a", "within": "7d"}, {"not": "b", "for": "1 month"}], "within": "7d"},
            [
                "rule.within: stands beside the window of the first step (choose one of them)",
                "rule.sequence[1].for: must be elapsed time between events (write 90s, 15m, 2h, 7d or 2w)",
            ],
        ),
        (
            {"reachable": "mail"},
            ["rule.reachable: unknown channel 'mail' (one of email, sms, whatsapp, telegram, push,"],
        ),
        (
            {"geo": {"near": [50.94, 6.96]}},
            ["rule.geo: 'near' and 'radius_km' belong together: near: [50.94, 6.96], radius_km: 25"],
        ),
        ({"geo": {"near": [95, 6.96], "radius_km": 25}}, ["rule.geo.near: [95, 6.96] is not on earth: write"]),
        ({"geo": {"near": [50, 6], "radius_km": 0}}, ["rule.geo.radius_km: Input should be greater than 0"]),
        ({"geo": {"postcode": 1067}}, ["rule.geo.postcode: must be text: quote it"]),
        ({"geo": {"country": "Germany"}}, ["rule.geo.country: must be a country by its two letters, such as DE"]),
        ({"geo": {"radius": 5}}, ["rule.geo.radius: unknown field 'radius' (did you mean 'radius_km'?)"]),
        ({"message": "clicked", "goal": "order"}, ["rule.goal: has no meaning with clicked (write message: converted"]),
        (
            {"message": "clicked", "channel": "mail"},
            ["rule.channel: unknown channel 'mail' (one of email, sms, whatsapp, telegram, push, letter, webhook)"],
        ),
        ({"message": "clicked", "flwo": "x"}, ["rule.flwo: unknown field 'flwo' (did you mean 'flow'?)"]),
    ],
)
def test_mistakes_in_what_people_write(rule: dict[str, Any], mistakes: list[str]) -> None:
    found = told(rule)
    assert [text[: len(mistake)] for text, mistake in zip(found, mistakes, strict=True)] == mistakes


def test_a_place_may_be_written_in_three_ways() -> None:
    ways = [
        {"geo": {"near": [50.94, 6.96], "radius_km": 25, "of": "shop"}},
        {"geo": "shop", "near": {"lat": 50.94, "lon": 6.96}, "radius_km": 25},
        {"geo": None, "near": [50.94, 6.96], "radius_km": 25, "of": "shop"},
    ]
    first, *others = [tree.parse(way).parameters for way in ways]  # type: ignore[union-attr]
    assert others == [first, first]


def test_a_sequence_says_when_its_answer_changes_without_an_event() -> None:
    steps = [
        {"event": "visit"},
        {"not": "order", "for": "2h"},
        {"not": "call", "for": "1h"},
        {"event": "visit"},
        {"not": "order"},
        {"not": "call", "for": "3h"},
    ]
    reads = tree.reads(tree.parse({"sequence": steps, "within": "1 month"}))
    assert reads.events == {"visit", "order", "call"}
    assert [(name, str(period)) for name, period in reads.windows] == [
        ("visit", "1 month"),
        ("visit", "2h"),
        ("visit", "3h"),
    ]
