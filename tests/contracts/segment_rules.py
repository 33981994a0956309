"""Random segment rules, valid ones only, for hypothesis."""

from typing import Any

from hypothesis import strategies as st

from tests.contracts import segment_contacts, segment_insights, segment_members, segment_sequences
from tests.contracts.segment_people import ATTRIBUTES, COLUMNS, DAYS, INSTANTS, KINDS, NAMES, NUMBERS, WINDOWS, WORDS
from tests.contracts.segment_twins import AGGREGATES

words = st.sampled_from(WORDS)
some_words = words.filter(bool)
plain_numbers = st.one_of(st.sampled_from(NUMBERS), st.integers(-10, 60), st.sampled_from(["5", "49.99", "-3.50"]))
small_numbers = st.integers(0, 4)
moments = st.sampled_from(DAYS + INSTANTS)
windows = st.sampled_from(WINDOWS)
patterns = st.sampled_from(["^[A-Z]{2}$", "o", "(?i)GOLD", "^\\d+$", "a.b", "ö|ß", "^(?:a|x)+", "[^a-z]$", "\\.", "^$"])
ORDER = ("gt", "gte", "lt", "lte")


def one_or_two(options: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping with one or two of these comparisons."""

    def filled(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
        return st.fixed_dictionaries({name: options[name] for name in names})

    return st.lists(st.sampled_from(sorted(options)), min_size=1, max_size=2, unique=True).flatmap(filled)


def equality(operands: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    several = st.lists(operands, min_size=1, max_size=20)
    return {"eq": operands, "ne": operands, "in": several, "not_in": several, "is_set": st.booleans()}


def order(operands: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    return dict.fromkeys(ORDER, operands)


textual = {"starts_with": some_words, "ends_with": some_words, "contains": some_words, "matches": patterns}
timely = {"before": moments, "after": moments, "within": windows, "anniversary_within": windows}
scalars = st.one_of(words, plain_numbers, st.booleans())
elements = st.one_of(some_words, st.sampled_from([5, 5.0, 0]), st.booleans())
anything = one_or_two(
    {**equality(scalars), **order(st.one_of(plain_numbers, moments)), **textual, **timely, "contains": elements}
)
COMPARED = {
    "text": one_or_two({**equality(st.one_of(words, st.sampled_from([5, 7]))), **textual}),
    "number": one_or_two({**equality(plain_numbers), **order(plain_numbers)}),
    "date": one_or_two({**equality(moments), **order(moments), **timely}),
    "boolean": one_or_two(equality(st.booleans())),
    "list": one_or_two(
        {"contains": elements, "in": st.lists(elements, min_size=1, max_size=3), "is_set": st.booleans()}
    ),
    "geo": one_or_two({"is_set": st.booleans()}),
    "any": anything,
}
FIELDS = {**dict.fromkeys(COLUMNS, "text"), "birth_date": "date", "unheard": "any", "missing_one": "any"}
FIELDS |= {key: KINDS.get(kind, "any") for key, kind in ATTRIBUTES.items()}


def attribute_rule(key: str) -> st.SearchStrategy[dict[str, Any]]:
    return COMPARED[FIELDS[key]].map(lambda said: {"attribute": key, **said})


def counted(operands: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    options = {**equality(operands), **order(operands)}
    del options["is_set"]
    return st.one_of(operands, one_or_two(options))


@st.composite
def event_rule(draw: st.DrawFn) -> dict[str, Any]:
    rule: dict[str, Any] = {"event": draw(st.sampled_from(NAMES))}
    aggregate = draw(st.sampled_from(["", *AGGREGATES]))
    if aggregate in ("count", "days"):
        rule[aggregate] = draw(counted(small_numbers))
    elif aggregate in ("sum", "avg", "min", "max"):
        rule |= {
            aggregate: draw(counted(st.one_of(st.integers(-10, 100), st.sampled_from([49.99, 50])))),
            "of": "amount",
        }
    elif aggregate:
        if draw(st.booleans()):
            rule |= {aggregate: draw(anything), "of": draw(st.sampled_from(["amount", "category", "at"]))}
        else:
            rule[aggregate] = draw(COMPARED["date"])
    span = draw(st.sampled_from(["", "", "within", "from", "to", "both"]))
    if span == "within":
        rule["within"] = draw(windows)
    elif span == "both":
        rule |= dict(
            zip(("from", "to"), sorted(draw(st.tuples(st.sampled_from(DAYS), st.sampled_from(DAYS)))), strict=True)
        )
    elif span:
        rule[span] = draw(moments)
    if draw(st.integers(0, 3)) == 0:
        conditions = st.one_of(anything, words, st.lists(words, min_size=1, max_size=3))
        rule["where"] = {key: draw(conditions) for key in draw(st.sets(st.sampled_from(["amount", "category", "at"])))}
    return rule


leaves = st.one_of(
    st.sampled_from(sorted(FIELDS)).flatmap(attribute_rule),
    event_rule(),
    segment_insights.leaves,
    segment_contacts.leaves,
    segment_members.leaves,
    segment_sequences.leaves,
    st.sampled_from(["inner", "empty"]).map(lambda key: {"segment": key}),
    st.fixed_dictionaries(
        {"consent": st.sampled_from(["email", "sms"])},
        optional={
            "purpose": st.sampled_from(["marketing", "tracking"]),
            "status": st.sampled_from(["granted", "withdrawn"]),
        },
    ),
    st.fixed_dictionaries(
        {"bucket": st.sampled_from(["a", "ö"]), "from": st.just(0.25), "to": st.sampled_from([0.5, 1])}
    ),
)
rules = st.recursive(
    leaves,
    lambda inner: st.sampled_from(["all", "any", "none"]).flatmap(
        lambda kind: st.lists(inner, min_size=1, max_size=4).map(lambda items: {kind: items})
    ),
    max_leaves=12,
)
