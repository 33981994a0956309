"""Every segment operator against its plain-Python twin: random rules over random customers, SQL and twin always agree.

`OPERATOR_SEED` fixes the population (it stands in every failure), `OPERATOR_EXAMPLES` sets how many rules are tried.
"""

import json
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from campaigns.segments import compile as compiler
from campaigns.segments import queries, tree
from campaigns.segments.operator import operators
from loyalty.kit.sql import Sql, fetch, sql
from tests.contracts import segment_contacts, segment_sequences
from tests.contracts.segment_people import NOW, ZONE, Person, person, stored
from tests.contracts.segment_rules import FIELDS, attribute_rule, event_rule, rules
from tests.contracts.segment_twins import TWINS, twin

SEED = int(os.environ.get("OPERATOR_SEED") or random.SystemRandom().randrange(2**32))
# Rules are tried by handfuls: one statement judges all of them.
HANDFUL = 8
EXAMPLES = int(os.environ.get("OPERATOR_EXAMPLES") or 2_000) // HANDFUL
CUSTOMERS = int(os.environ.get("OPERATOR_CUSTOMERS") or 500)


@pytest.fixture
def people(db: None) -> Iterator[dict[int, Person]]:
    assert settings.TIME_ZONE == ZONE
    draw = random.Random(SEED)
    yield stored([person(draw, number) for number in range(CUSTOMERS)])


def matching(rule: tree.Rule, scope: list[int] | None = None) -> set[int]:
    within = None if scope is None else sql("SELECT unnest({ids}::bigint[])", ids=scope)
    condition = compiler.condition(rule, now=NOW, scope=within)
    restricted = Sql("") if scope is None else sql(" AND c.id = ANY({ids}::bigint[])", ids=scope)
    query = sql("SELECT c.id FROM customer c WHERE {condition}{restricted}", condition=condition, restricted=restricted)
    return {row[0] for row in fetch(query)}


def agree_all(people: dict[int, Person], rules: list[dict[str, Any]]) -> None:
    """All these rules at once, over everybody and over a part of the people."""
    parsed = [tree.parse(rule) for rule in rules]
    for scope in (None, sorted(people)[::7]):
        within = None if scope is None else sql("SELECT unnest({ids}::bigint[])", ids=scope)
        context = compiler.context(parsed, now=NOW, scope=within)
        verdicts = [sql("({one}) IS TRUE", one=compiler.compiled(rule, context)) for rule in parsed]
        query = sql("SELECT c.id, {verdicts} FROM customer c", verdicts=Sql(", ").join(verdicts))
        for id, *found in fetch(query):
            if scope is None or id in scope:
                for number, rule in enumerate(rules):
                    assert found[number] == twin(people[id], rule), explained(people[id], rule, found[number])


def explained(one: Person, rule: dict[str, Any], found: bool) -> str:
    return f"OPERATOR_SEED={SEED}\nrule={json.dumps(rule, ensure_ascii=False)}\nSQL says {found} of {one}"


def agree(people: dict[int, Person], rule: dict[str, Any]) -> None:
    print(f"OPERATOR_SEED={SEED} rule={json.dumps(rule, ensure_ascii=False)}")
    parsed = tree.parse(rule)
    assert queries.problems_of(parsed) == []
    expected = {one.id for one in people.values() if twin(one, rule)}
    found = matching(parsed)
    wrong = sorted(found ^ expected)[:1]
    assert found == expected, [(people[id], "SQL says yes" if id in found else "SQL says no") for id in wrong]
    scope = sorted(people)[::3]
    assert matching(parsed, scope) == expected & set(scope)


def test_every_operator_has_a_twin() -> None:
    assert set(operators) == set(TWINS)


@pytest.mark.parametrize("key", sorted(operators))
def test_operator_names_its_first_parameter_like_itself(key: str) -> None:
    parameters = operators.get(key).parameters
    assert key in parameters.model_fields
    others = {info.alias or name for name, info in parameters.model_fields.items()} - {key}
    assert not others & set(operators), "a parameter named like an operator would make the leaf ambiguous"


def test_random_rules_agree_with_their_twins(people: dict[int, Person]) -> None:
    @hypothesis_settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
        print_blob=True,
    )
    @given(st.lists(rules, min_size=HANDFUL, max_size=HANDFUL))
    def check(handful: list[dict[str, Any]]) -> None:
        agree_all(people, handful)

    check()


LEAVES = {
    "attribute": st.sampled_from(sorted(FIELDS)).flatmap(attribute_rule),
    "event": event_rule(),
    "sequence": segment_sequences.leaves,
    "contacts": segment_contacts.leaves,
}


@pytest.mark.parametrize("leaf", sorted(LEAVES))
def test_random_leaves_agree_with_their_twins(people: dict[int, Person], leaf: str) -> None:

    @hypothesis_settings(
        max_examples=EXAMPLES // 5,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
        print_blob=True,
    )
    @given(st.lists(LEAVES[leaf], min_size=HANDFUL, max_size=HANDFUL))
    def check(handful: list[dict[str, Any]]) -> None:
        agree_all(people, handful)

    check()


@pytest.mark.parametrize(
    "rule",
    [
        {"event": "purchase", "within": "7d"},
        {"event": "purchase", "count": 0, "within": "90d"},
        {"event": "purchase", "count": {"lte": 1}},
        {"event": "purchase", "from": "2026-11-14", "to": "2026-11-14"},
        {"event": "purchase", "avg": {"ne": 5}, "of": "amount"},
        {"attribute": "birth_date", "anniversary_within": "7d"},
        {"attribute": "joined", "within": "7d"},
        {"attribute": "score", "gte": -(10**20)},
        {"attribute": "unheard", "contains": "🎉"},
        {"all": []},
    ],
)
def test_borders_agree_with_their_twins(people: dict[int, Person], rule: dict[str, Any]) -> None:
    agree(people, rule)


def test_preview_and_explain_agree_with_the_twins(people: dict[int, Person]) -> None:
    rule = {
        "all": [
            {"any": [{"attribute": "score", "gte": 0}, {"attribute": "note", "is_set": True}]},
            {"none": [{"event": "purchase", "count": {"gte": 2}}, {"consent": "email"}]},
        ]
    }
    parsed = tree.parse(rule)
    nodes = list(tree.walk(parsed))
    preview = queries.preview(parsed, now=NOW)
    documents = [tree.document(node) for node in nodes]
    assert [node.count for node in preview.nodes] == [
        sum(twin(one, document) for one in people.values()) for document in documents
    ]
    assert preview.total == len(people)
    for one in list(people.values())[:20]:
        found = queries.explain(parsed, one.id, now=NOW)
        assert [node.matches for node in found.nodes] == [twin(one, document) for document in documents]
