"""Quizzes: questions, points for right answers, prizes for who knows enough."""

from django.utils.translation import gettext, ngettext

from loyalty.kit.problems import Problem
from loyalty.play.game_definition import GameDocument, GamePrizeDocument, Plays
from loyalty.play.game_part import QUESTIONS, Turn, game_parts
from loyalty.play.quizzes import QuizParameters
from loyalty.play.ticketed import Ticketed


@game_parts.register("quiz")
class Quiz(Ticketed):
    """One play is one set of answers. What people answer stands in their timeline."""

    parameters = QuizParameters
    style = QUESTIONS
    conditions = frozenset({"right", "per_person"})
    needs_odds = False

    def problems(self, parameters: QuizParameters, document: GameDocument) -> list[Problem]:  # type: ignore[override]
        found = [one for one in super().problems(parameters, document) if one.where != "prizes"]
        judged = min(parameters.asked, sum(1 for one in parameters.questions if one.judged))
        for place, prize in enumerate(document.prizes):
            if prize.right is not None and prize.right > judged:
                remedy = f"at most {judged}: so many questions of a play have right answers"
                found.append(Problem(f"prizes[{place}].right", f"{prize.right} can never be reached", remedy))
        if not document.prizes and not parameters.points_each and document.consolation is None:
            found.append(Problem("prizes", "are missing", "say what can be won, or give points_each"))
        return found

    def prizes(self, parameters: Plays, document: GameDocument, turn: Turn) -> list[GamePrizeDocument]:
        """Those of the highest number of right answers that was reached."""
        score = turn.score or 0
        reached = [one for one in document.prizes if (one.right or 0) <= score]
        best = max(((one.right or 0) for one in reached), default=0)
        return [one for one in reached if (one.right or 0) == best]

    def sentences(self, parameters: QuizParameters, document: GameDocument) -> list[str]:  # type: ignore[override]
        said = super().sentences(parameters, document)
        text = ngettext("A play is %(n)d question.", "A play is %(n)d questions.", parameters.asked)
        said.append(text % {"n": parameters.asked})
        if len(parameters.questions) > parameters.asked:
            said.append(gettext("Which of them are asked is drawn for every play."))
        if parameters.points_each:
            text = ngettext(
                "Every right answer brings %(n)d point.", "Every right answer brings %(n)d points.",
                parameters.points_each,
            )  # fmt: skip
            said.append(text % {"n": parameters.points_each})
        said.append(gettext("Your answers are kept with your data, so that we learn what you like."))
        return said
