"""Which segment needs which other one first."""

from hypothesis import given
from hypothesis import strategies as st

from campaigns.segments.dependencies import cycle, ordered, users_of


def graph(**references: str) -> dict[str, frozenset[str]]:
    return {key: frozenset(used.split()) for key, used in references.items()}


def test_a_cycle_is_told_as_the_way_around() -> None:
    assert cycle(graph(a="b", b="c", c="a x"), "a") == ["a", "b", "c", "a"]
    assert cycle(graph(a="a"), "a") == ["a", "a"]


def test_no_cycle_through_the_start() -> None:
    assert cycle(graph(a="b", b="c"), "a") == []
    assert cycle(graph(a="b c", b="d", c="d", d=""), "a") == []
    assert cycle(graph(a="b", b="b"), "a") == []


def test_inner_ones_come_first() -> None:
    assert ordered(graph(outer="middle other", middle="inner", inner="", other="inner missing")) == [
        "inner",
        "middle",
        "other",
        "outer",
    ]


def test_users_are_found_through_others() -> None:
    references = graph(outer="middle", middle="inner", inner="", alone="")
    assert users_of(references, ["inner"]) == {"middle", "outer"}
    assert users_of(references, ["alone"]) == set()


keys = st.integers(0, 8).map(str)


@given(st.dictionaries(keys, st.frozensets(keys, max_size=4)))
def test_every_key_once_and_after_what_it_needs(references: dict[str, frozenset[str]]) -> None:
    order = ordered(references)
    assert sorted(order) == sorted(references)
    in_cycle = {key for key in references if cycle(references, key)}
    for key in order:
        for used in references[key] - in_cycle:
            if used in references and key not in in_cycle:
                assert order.index(used) < order.index(key)
