"""Leaderboards in the admin: who stands where, and nicknames that nobody has to read."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalty.kit.admin import Act
from loyalty.kit.clock import now
from loyalty.kit.problems import Problem, Problems
from loyalty.play import board_queries, boards
from loyalty.play.contests import Leaderboard, LeaderboardEntry
from loyalty.play.definition_admin import DefinitionAdmin
from loyalty.play.wording import board_sentence


class NicknameForm(forms.Form):
    """Whose nickname."""

    nickname = forms.CharField(label=_("Nickname"), max_length=boards.LONGEST)


def _entry(board: Leaderboard, data: dict[str, Any]) -> LeaderboardEntry:
    found = LeaderboardEntry.objects.filter(board_id=board.pk, nickname__iexact=data["nickname"].strip()).first()
    if found is None:
        raise Problems([Problem("nickname", "nobody on this board has it", "copy it from the list")])
    return found


def _hide(board: Leaderboard, data: dict[str, Any]) -> str:
    boards.hide(_entry(board, data).pk, hidden=True, by=data["by"])
    return gettext("The nickname is not shown any more.")


def _show(board: Leaderboard, data: dict[str, Any]) -> str:
    boards.hide(_entry(board, data).pk, hidden=False, by=data["by"])
    return gettext("The nickname is shown again.")


@admin.register(Leaderboard)
class LeaderboardAdmin(DefinitionAdmin):
    panel_template = "admin/play/leaderboard.html"
    empty_text = _("No leaderboard yet: write it as a document of kind leaderboard and apply it.")
    acts = {
        **DefinitionAdmin.acts,
        "hide": Act(
            label=_("Hide a nickname"),
            question=_("Nobody sees this nickname any more; the person stays and can choose another one. Which?"),
            run=_hide,
            form=NicknameForm,
            danger=True,
        ),
        "show": Act(
            label=_("Show a nickname again"),
            question=_("Everybody on the board sees this nickname. Which?"),
            run=_show,
            form=NicknameForm,
        ),
    }

    def panels(self, request: HttpRequest, obj: Leaderboard) -> dict[str, Any]:
        """What counts, and everybody on it."""
        entries = board_queries.entries_of(obj, now=now())
        return self.head(obj) | {
            "sentence": board_sentence(boards.document_of(obj)),
            "entries": [
                one | {"url": reverse("admin:customers_customer_change", args=[one["customer_id"]])} for one in entries
            ],
        }
