"""Whatever changes, in whatever order: the members followed by deltas are those that a full build would find."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from campaigns.segments import compile as compiler
from campaigns.segments import refresh, tree
from campaigns.segments.models import Segment
from loyalty.kit.checks import invariants
from loyalty.kit.sql import Sql, fetch, sql
from tests.db.campaigns.segments.conftest import Shop

LANDS = ("DE", "AT", "CH", None)
# Each may refer to those before it: five levels of nesting, each inner segment used several times.
RULES: dict[str, dict[str, Any]] = {
    "germans": {"attribute": "country", "eq": "DE"},
    "buyers": {"event": "purchase", "within": "3d"},
    "often": {"event": "purchase", "count": {"gte": 2}, "within": "10d"},
    "fresh": {"attribute": "joined", "within": "2d"},
    "party": {"attribute": "birth_date", "anniversary_within": "3d"},
    "either": {"any": [{"segment": "germans"}, {"segment": "fresh"}]},
    "not_buyers": {"all": [{"segment": "either"}, {"none": [{"segment": "buyers"}]}]},
    "guests": {"all": [{"segment": "party"}, {"any": [{"segment": "often"}, {"segment": "not_buyers"}]}]},
    "others": {"none": [{"segment": "not_buyers"}, {"segment": "guests"}]},
    "top": {"any": [{"all": [{"segment": "others"}, {"event": "login", "within": "1d"}]}, {"segment": "guests"}]},
}


def expected(shop: Shop, key: str) -> list[str]:
    """By the data of now; inner segments are asked for their members, which are checked before the outer ones'."""
    condition = compiler.condition(tree.parse(RULES[key]), now=shop.now)
    query = sql("SELECT c.external_id FROM customer c WHERE {condition} ORDER BY 1", condition=condition)
    return [row[0] for row in fetch(query)]


def change(shop: Shop, random: Random) -> None:
    """One to five people change or do something."""
    for number in random.sample(range(30), random.randint(1, 5)):
        key = f"p{number:02}"
        row: dict[str, Any] = {"external_id": key, "country": random.choice(LANDS), "attributes": {}}
        if random.random() < 0.4:
            row["attributes"]["joined"] = (shop.now - timedelta(hours=random.randint(-30, 60))).isoformat()
        if random.random() < 0.3:
            row["birth_date"] = f"19{random.randint(50, 99)}-{random.choice(['11-2', '12-0'])}{random.randint(1, 9)}"
        shop.customers(row)
        for _ in range(random.randint(0, 2)):
            name = random.choice(("purchase", "purchase", "login", "noise"))
            shop.event(key, name, timedelta(hours=random.randint(-20, 100)))


@pytest.mark.parametrize("seed", range(4))
def test_deltas_agree_with_full_builds(shop: Shop, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(seed)
    if seed % 2:
        # Small batches and many movers: several deltas a tick, and outer segments built anew.
        monkeypatch.setattr("campaigns.segments.scope.BATCH", 3)
        monkeypatch.setattr(refresh, "MOST_FOLLOWED", 4)
    change(shop, random)
    keys = list(RULES)
    random.shuffle(keys)
    for key in keys:
        shop.segment(key, RULES[key], declared=set(RULES))
    for step in range(25):
        for _ in range(random.randint(0, 2)):
            change(shop, random)
        shop.refresh(timedelta(minutes=random.choice((0, 1, 7, 61, 300, 1500))))
        for key in RULES:
            assert shop.members(key) == expected(shop, key), f"seed {seed}, step {step}, {key}"
    for check in invariants():
        if check.key.startswith("segments."):
            assert fetch(Sql(check.query)) == [], check.key
    moves = fetch(Sql('SELECT sum(joined) - sum("left") FROM segment_size'))[0][0]
    assert moves == sum(Segment.objects.values_list("member_count", flat=True)) > 0
