"""Pure: the questions of a quiz, which of them are asked, and how answers are judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, model_validator

from loyalty.kit.problems import Problem
from loyalty.play.definition import Key
from loyalty.play.game_definition import Plays
from loyalty.program.definition import Names, Strict


class Answer(Strict):
    """One answer to choose from."""

    key: Key
    text: Names
    right: bool = False


class Question(Strict):
    """A question with answers to choose from. Without a right one it asks for an opinion, and is not judged."""

    key: Key
    text: Names
    answers: Annotated[list[Answer], Field(min_length=2, max_length=10)]

    @model_validator(mode="after")
    def _different(self) -> "Question":
        if len({one.key for one in self.answers}) < len(self.answers):
            raise ValueError("answers: two of them have the same key")
        return self

    @property
    def judged(self) -> bool:
        return any(one.right for one in self.answers)


class QuizParameters(Plays):
    """`ask`: how many of the questions a play asks (all, if not said); `points_each`: points for a right answer;
    `reveal`: tell the right answers afterwards."""

    questions: Annotated[list[Question], Field(min_length=1, max_length=50)]
    ask: Annotated[int, Field(ge=1, le=50)] | None = None
    points_each: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    reveal: bool = False

    @model_validator(mode="after")
    def _different(self) -> "QuizParameters":
        if len({one.key for one in self.questions}) < len(self.questions):
            raise ValueError("questions: two of them have the same key")
        if self.ask is not None and self.ask > len(self.questions):
            raise ValueError(f"ask: there are only {len(self.questions)} questions")
        return self

    @property
    def asked(self) -> int:
        return self.ask or len(self.questions)


@dataclass(frozen=True, slots=True)
class Judged:
    """`right` of the `judged` questions were answered right; `answers` are the keys by question."""

    right: int
    judged: int
    answers: dict[str, str]

    def detail(self) -> dict[str, Any]:
        return {"answers": self.answers, "judged": self.judged}


def asked(parameters: QuizParameters, order: Sequence[int]) -> list[Question]:
    """The questions of a play; `order` is a drawn order of all of them. All are asked as they are written."""
    if parameters.asked == len(parameters.questions):
        return list(parameters.questions)
    return [parameters.questions[place] for place in order[: parameters.asked]]


def judge(questions: Sequence[Question], given: Mapping[str, str]) -> tuple[Judged, list[Problem]]:
    """What the answers are worth, and what is wrong with them."""
    problems, answers, right = [], {}, 0
    for question in questions:
        known = {one.key: one for one in question.answers}
        chosen = given.get(question.key)
        if chosen is None:
            problems.append(Problem(f"answers.{question.key}", "is missing", f"choose one of: {', '.join(known)}"))
        elif chosen not in known:
            remedy = f"choose one of: {', '.join(known)}"
            problems.append(Problem(f"answers.{question.key}", f"there is no answer {chosen[:50]!r}", remedy))
        else:
            answers[question.key] = chosen
            right += known[chosen].right
    strange = sorted(given.keys() - {one.key for one in questions})
    problems += [Problem(f"answers.{key[:50]}", "was not asked", "leave it out") for key in strange[:10]]
    return Judged(right, sum(1 for one in questions if one.judged), answers), problems
