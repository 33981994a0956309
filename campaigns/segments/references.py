"""What rules refer to by name outside of segments: lists, flows, steps, templates, campaigns, goals.

Each kind of name is made known by the package that has such things, with a function that returns the keys there are;
`unknown` tells the names in a rule that are none of them.
"""

from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches

from campaigns.segments import tree
from campaigns.segments.operator import Reference, operators
from loyalty.kit.problems import Problem

_SLIP = 0.6
_keys: dict[str, Callable[[], Collection[str]]] = {}


def know(kind: str, keys: Callable[[], Collection[str]]) -> None:
    """Let rules refer to things of this kind: `keys()` returns those there are."""
    _keys[kind] = keys


def known() -> list[tuple[str, Callable[[], Collection[str]]]]:
    """Every kind of name with the function that returns its keys."""
    return sorted(_keys.items())


def unknown(rule: tree.Rule, *, brought: Mapping[str, Collection[str]] | None = None) -> list[Problem]:
    """A problem for every name in the rule that nothing has; one query per kind of name.

    `brought` are keys by kind that the same call is about to make. A kind that no package made known is left to the
    operator that uses it.
    """
    found = [
        (leaf.where, reference)
        for leaf in tree.leaves(rule)
        for reference in operators.get(leaf.operator).references(leaf.parameters)
        if reference.kind in _keys
    ]
    there = {kind: {*_keys[kind](), *(brought or {}).get(kind, ())} for kind in sorted({one.kind for _, one in found})}
    return [
        _problem(reference, sorted(there[reference.kind])).within(where)
        for where, reference in found
        if reference.key not in there[reference.kind]
    ]


def _problem(reference: Reference, known: list[str]) -> Problem:
    return Problem(reference.where, f"unknown {reference.kind} {reference.key!r}", remedy(reference.key, known))


def remedy(key: str, known: list[str]) -> str:
    """What to do about an unknown key: the nearest of the known ones, else some of them."""
    near = get_close_matches(key, known, n=1, cutoff=_SLIP)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {', '.join(known[:10])}" if known else "there is none yet; make it first"
