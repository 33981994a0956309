"""Earning rules as sentences, each whole, in the reader's language."""

from collections.abc import Sequence

from loyalty.program import wording
from loyalty.program.rules import Rule
from loyalty.program.setup import Setup
from loyalty.program.terms import Terms


def terms_of(setup: Setup, *, ask: bool = False) -> Terms:
    """The names that sentences about this program use; `ask` also looks into other documents."""
    return Terms(setup.document, {tier.key: tier.name for tier in setup.tiers}, ask=ask)


def sentence(rule: Rule, terms: Terms) -> str:
    """The rule in words."""
    return wording.rule(rule.document, rule.part.sentence(rule.parameters, terms), terms)


def sentences(rules: Sequence[Rule], setup: Setup) -> dict[int, str]:
    """Rules in words for a page, by id."""
    terms = terms_of(setup, ask=True)
    return {rule.id: sentence(rule, terms) for rule in rules}
