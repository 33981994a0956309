"""Send people different ways: the first branch whose condition holds, else the mandatory rest."""

from typing import Any

from django.utils.translation import gettext, ngettext
from pydantic import BaseModel, ConfigDict, Field

from campaigns.flows.step import Declared, StepContext, StepParameters, StepType, step_types
from campaigns.segments import compile as segment_compiler
from campaigns.segments import tree
from campaigns.segments.models import Segment
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, sql


class SplitBranch(BaseModel):
    """`when` is a segment rule, `to` the step for those it holds for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    when: dict[str, Any]
    to: str
    name: str = ""


class SplitParameters(StepParameters):
    """Branches are ranked: the first that holds wins."""

    branches: list[SplitBranch] = Field(min_length=1, max_length=10)
    otherwise: str


@step_types.register("split")
class Split(StepType):
    """Exits `branch1`, `branch2`, ... and `otherwise`; the verdict is that of the instant the person comes here."""

    parameters = SplitParameters

    def exits(self, parameters: SplitParameters) -> tuple[str, ...]:
        return (*(f"branch{i}" for i in range(1, len(parameters.branches) + 1)), "otherwise")

    def targets(self, parameters: SplitParameters) -> dict[str, str]:
        named = {f"branch{i}": branch.to for i, branch in enumerate(parameters.branches, 1)}
        return {**named, "otherwise": parameters.otherwise}

    def sentence(self, parameters: SplitParameters) -> str:
        count = len(parameters.branches)
        return ngettext(
            "Split: %(count)d branch and the rest.", "Split: %(count)d ranked branches and the rest.", count
        ) % {"count": count}

    def exit_label(self, parameters: SplitParameters, name: str) -> str:
        """The branch's own name where it has one."""
        if not name.startswith("branch"):
            return gettext("otherwise") if name == "otherwise" else name
        return parameters.branches[int(name.removeprefix("branch")) - 1].name or name

    def check(self, parameters: SplitParameters, declared: Declared) -> list[Problem]:
        problems: list[Problem] = []
        for i, branch in enumerate(parameters.branches):
            where = f"branches[{i}].when"
            try:
                rule = tree.parse(branch.when, where)
            except Problems as error:
                problems += error.problems
                continue
            keys = set(tree.segment_keys(rule))
            known = set(Segment.objects.filter(key__in=keys).values_list("key", flat=True))
            problems += [
                Problem(where, f"unknown segment {key!r}", "apply the segment first")
                for key in sorted(keys - known - declared.get("segment", set()))
            ]
        return problems

    def decide(self, parameters: SplitParameters, context: StepContext) -> Sql | None:
        cases = [
            sql(
                "WHEN {condition} THEN {number}",
                condition=segment_compiler.condition(tree.parse(branch.when), now=context.now, scope=context.scope),
                number=Sql(str(i)),
            )
            for i, branch in enumerate(parameters.branches)
        ]
        return sql("CASE {cases} ELSE {rest} END", cases=Sql(" ").join(cases), rest=Sql(str(len(cases))))
