"""A rule as text: read with the line of every mistake, written the way `export` writes it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from campaigns.segments import queries, tree
from loyalty.kit import document_text, document_yaml
from loyalty.kit.problems import Problem, Problems

NO_RULE = "write a condition such as {attribute: country, in: [DE]}, or a group all/any/none"


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake, its place in the rule, and its line in the text (None when the rule did not come as text)."""

    where: str
    text: str
    line: int | None


@dataclass(frozen=True, slots=True)
class Checked:
    """What was written: the plain `rule` (None: no YAML), the typed one (None: has mistakes), and the mistakes.

    `readable` is what can be understood of it, for the sentences that can be told already.
    """

    rule: Any
    typed: tree.Rule | None
    readable: tree.Rule | None
    mistakes: list[Mistake]


def write(rule: Any) -> str:
    """The rule as YAML."""
    return document_yaml.write([rule]).removeprefix("---\n")


def from_text(text: str) -> Checked:
    """Read and check YAML or JSON; a whole segment document may be given, of which the rule counts."""
    written, wrong = document_text.read(text.encode(), "rule")
    if wrong:
        return Checked(None, None, None, [Mistake("", str(one.problem), one.line) for one in wrong])
    if len(written) != 1:
        return Checked(None, None, None, [Mistake("rule", str(Problem("", "there is no rule", NO_RULE)), 1)])
    value, is_document = written[0].value, False
    if isinstance(value, dict) and "rule" in value and "kind" in value:
        value, is_document = value["rule"], True

    def line_of(where: str) -> int:
        return written[0].line_of(where if is_document else where.removeprefix("rule").removeprefix("."))

    return check(value, line_of=line_of)


def check(rule: Any, *, line_of: Callable[[str], int] | None = None) -> Checked:
    """Check a plain rule; `line_of` tells the line of a place (`rule.all[0]`)."""
    try:
        typed = queries.checked(rule)
    except Problems as error:
        mistakes = [Mistake(one.where, _told(one), line_of(one.where) if line_of else None) for one in error.problems]
        return Checked(rule, None, tree.readable(rule), mistakes)
    return Checked(rule, typed, typed, [])


def _told(problem: Problem) -> str:
    return str(Problem("", problem.problem, problem.remedy))
