"""Mistakes with their places."""

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from loyalty.kit.problems import Problem, Problems, from_pydantic


class Step(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: str
    hours: int = 1

    @field_validator("hours")
    @classmethod
    def positive(cls, value: int) -> int:
        if value < 1:
            raise ValueError("must be at least 1")
        return value


class Flow(BaseModel):
    steps: list[Step]


def test_every_mistake_of_a_model_with_its_path() -> None:
    try:
        Flow.model_validate({"steps": [{"id": "a"}, {"hours": 0, "nex": "b"}]})
    except ValidationError as error:
        told = [str(problem) for problem in from_pydantic(error)]
    assert told == [
        "steps[1].id: is missing (add it)",
        "steps[1].hours: must be at least 1",
        "steps[1].nex: unknown field (remove it or correct its spelling)",
    ]


def test_a_place_can_be_seen_from_outside() -> None:
    assert Problem("name", "x").within("events[3]").where == "events[3].name"
    assert Problem("[0]", "x").within("rule").where == "rule[0]"
    assert Problem("", "x").within("rule").where == "rule"
    assert Problem("name", "x").within("").where == "name"


def test_one_exception_holds_all_and_says_all() -> None:
    problems = Problems(Problem(where, "is odd", "make it even") for where in ("a", ""))
    assert str(problems) == "a: is odd (make it even); is odd (make it even)"
    assert problems.problems[0].as_dict() == {"where": "a", "problem": "is odd (make it even)"}
