"""The graph of a flow: routes, and every mistake at once."""

import copy
import time

import pytest

from campaigns.flows.chains import ARMS_MAX, PATH_MAX, chain_to
from campaigns.flows.graph import parse
from campaigns.flows.models import Enrollment
from campaigns.flows.step import step_types
from loyalty.kit.problems import Problems

IN_GERMANY = {"when": {"all": [{"attribute": "country", "eq": "DE"}]}, "to": "rest"}
WINBACK = {
    "key": "winback",
    "entry": [{"segment_entered": "lapsing"}],
    "steps": [
        {"id": "hello", "type": "send", "template": "winback"},
        {
            "id": "pause",
            "type": "wait_for_event",
            "event": "message.clicked",
            "of": "hello",
            "timeout": "3d",
            "exits": {"happened": "vip", "timeout": "nudge"},
        },
        {"id": "nudge", "type": "send", "template": "nudge"},
        {"id": "vip", "type": "split", "branches": [IN_GERMANY], "otherwise": "end"},
        {"id": "rest", "type": "wait", "for": "1d"},
    ],
}


def problems_of(**changes: object) -> dict[str, str]:
    with pytest.raises(Problems) as caught:
        parse({**copy.deepcopy(WINBACK), **changes}, step_types)
    return {problem.where: problem.problem for problem in caught.value.problems}


def test_routes_follow_exits_then_next_then_the_list() -> None:
    graph = parse(WINBACK, step_types)
    assert [node.id for node in graph.nodes] == ["hello", "pause", "nudge", "vip", "rest"]
    assert graph.by_id("hello").routes == (2,)
    assert dict(zip(graph.by_id("pause").exits, graph.by_id("pause").routes, strict=True)) == {
        "happened": 4,
        "timeout": 3,
    }
    assert graph.by_id("vip").routes == (5, 0)
    assert graph.by_id("rest").routes == (0,)


def test_all_mistakes_are_told_at_once() -> None:
    found = problems_of(
        entry=[{"segment_entered": "a", "event": "b"}],
        holdout=2,
        colour="red",
        steps=[
            {"id": "a", "type": "sned", "template": "x"},
            {"id": "b", "type": "wait_for_event", "event": "purchase"},
            {"id": "b", "type": "wait", "for": "3 fortnights"},
            {"id": "c", "type": "split", "branches": []},
        ],
    )
    assert set(found) == {
        "entry[0]", "holdout", "colour", "steps[0].type", "steps[1].timeout", "steps[2].for", "steps[2].id",
        "steps[3].branches", "steps[3].otherwise",
    }  # fmt: skip
    assert found["steps[1].timeout"] == "is missing"
    assert found["colour"] == "unknown field"


def test_a_circle_without_a_wait_is_named() -> None:
    steps = [
        {"id": "a", "type": "send", "template": "x"},
        {"id": "b", "type": "send", "template": "x", "next": "a"},
    ]
    assert problems_of(steps=steps) == {"steps[0]": "endless circle a -> b -> a"}


def test_a_circle_with_a_wait_is_a_recurring_flow() -> None:
    steps = [
        {"id": "a", "type": "send", "template": "x"},
        {"id": "b", "type": "wait", "for": "1d", "next": "a"},
    ]
    assert parse({**WINBACK, "steps": steps}, step_types).by_id("b").routes == (1,)


@pytest.mark.parametrize(
    ("steps", "where", "problem"),
    [
        ([{"id": "a", "type": "send", "template": "x", "next": "z"}], "steps[0].next", "unknown step 'z'"),
        ([{"id": "end", "type": "send", "template": "x"}], "steps[0].id", "'end' is reserved for leaving the flow"),
        (
            [{"id": "a", "type": "exit"}, {"id": "b", "type": "send", "template": "x"}],
            "steps[1]",
            "nobody can ever reach step 'b'",
        ),
        (
            [{"id": "a", "type": "wait_for_event", "event": "message.clicked", "of": "b", "timeout": "1d"}],
            "steps[0].of",
            "'b' is no send step",
        ),
        (
            [{"id": "a", "type": "send", "template": "x", "exits": {"clicked": "end"}}],
            "steps[0].exits.clicked",
            "this step has no such exit",
        ),
    ],
)
def test_each_mistake_has_place_and_cause(steps: list[dict[str, object]], where: str, problem: str) -> None:
    assert problems_of(steps=steps) == {where: problem}


def test_a_chain_is_a_tree_of_arms_between_rests() -> None:
    graph = parse(WINBACK, step_types)
    chain = chain_to(graph, graph.by_id("nudge").number)
    assert [(arm.path, arm.target, arm.status) for arm in chain.arms] == [
        (((3, 0), (4, 0)), 5, Enrollment.Status.ACTIVE),
        (((3, 0), (4, 1)), 0, Enrollment.Status.FINISHED),
    ]
    assert chain.arms_through(3) == [0, 1]


def test_a_chain_with_too_many_arms_is_cut_where_people_rest_at_once() -> None:
    steps: list[dict[str, object]] = []
    for i in range(8):
        steps.append(
            {
                "id": f"s{i}",
                "type": "split",
                "branches": [{"when": {"all": [{"attribute": "country", "eq": "DE"}]}, "to": f"a{i}"}],
                "otherwise": f"b{i}",
            }
        )
        steps.append({"id": f"a{i}", "type": "send", "template": "x", "next": f"s{i + 1}" if i < 7 else "end"})
        steps.append({"id": f"b{i}", "type": "send", "template": "x", "next": f"s{i + 1}" if i < 7 else "end"})
    graph = parse({**WINBACK, "steps": steps}, step_types)
    chain = chain_to(graph, 1)
    assert len(chain.arms) <= ARMS_MAX
    cut = {arm.target for arm in chain.arms}
    assert all(graph.node(target).id.startswith("s") for target in cut)
    assert all(arm.status == Enrollment.Status.ACTIVE for arm in chain.arms)


def test_five_hundred_steps_in_a_row_are_checked_at_once() -> None:
    steps = [{"id": f"s{i}", "type": "send", "template": "x"} for i in range(500)]
    began = time.process_time()
    graph = parse({**WINBACK, "steps": steps}, step_types)
    chain = chain_to(graph, 1)
    assert (len(chain.arms[0].path), chain.arms[0].target) == (PATH_MAX, PATH_MAX + 1)
    assert time.process_time() - began < 2
