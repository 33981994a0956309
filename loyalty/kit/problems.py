"""Pure: mistakes in what people give us, collected so that all can be told at once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where it stands (a path such as `steps[2].timeout`), what is wrong, what to do."""

    where: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.problem}" + (f" ({self.remedy})" if self.remedy else "")

    def within(self, prefix: str) -> "Problem":
        """The same mistake seen from an outer document, its place prefixed."""
        dot = "" if not self.where or self.where.startswith("[") or not prefix else "."
        return Problem(f"{prefix}{dot}{self.where}", self.problem, self.remedy)

    def as_dict(self) -> dict[str, str]:
        """The shape of `details` in API errors; the remedy is part of the text."""
        return {"where": self.where, "problem": self.problem + (f" ({self.remedy})" if self.remedy else "")}


class Problems(Exception):
    """Input was refused; `problems` lists every mistake in it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))


# A pydantic pattern for texts that PostgreSQL can keep; half a pair of surrogates is refused by pydantic itself.
STORABLE = r"^[^\x00]*$"


def from_pydantic(error: Any) -> list[Problem]:
    """The mistakes of a pydantic `ValidationError`, with paths as `steps[2].timeout`."""
    return from_pydantic_items(error.errors(include_url=False, include_context=False, include_input=False))


def from_pydantic_items(items: Iterable[Mapping[str, Any]]) -> list[Problem]:
    """The same for the items of `errors()` by themselves (`loc`, `type`, `msg`)."""
    found = []
    for item in items:
        path = ""
        for part in item["loc"]:
            path += f"[{part}]" if isinstance(part, int) else (f".{part}" if path else str(part))
        if item["type"] == "extra_forbidden":
            found.append(Problem(path, "unknown field", "remove it or correct its spelling"))
        elif item["type"] == "missing":
            found.append(Problem(path, "is missing", "add it"))
        elif item["type"] == "string_pattern_mismatch" and STORABLE in item["msg"]:
            found.append(Problem(path, "contains a character that cannot be stored", "remove NUL"))
        else:
            found.append(Problem(path, item["msg"].removeprefix("Value error, ")))
    return found


def with_suggestion(problem: Problem, known: tuple[str, ...]) -> Problem:
    """For an unknown field: the problem with the nearest known name as its remedy."""
    if problem.problem != "unknown field":
        return problem
    written = problem.where.rpartition(".")[2]
    near = get_close_matches(written, known, n=1, cutoff=0.6)
    remedy = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    return Problem(problem.where, f"unknown field {written!r}", remedy)
