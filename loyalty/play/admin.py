"""Challenges, stamp cards, games and badges in the admin: how they do, who won, and prizes that people hand over."""

import csv
from datetime import date
from io import StringIO
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.kit.admin import Act, ReadOnlyAdmin, admin_page, localized
from loyalty.kit.charts import Chart, Series, columns
from loyalty.kit.clock import now
from loyalty.kit.panels import Panel, customer_panel
from loyalty.kit.spreadsheets import cell
from loyalty.play import awards, figures, names, queries, raffles, stamping, starting
from loyalty.play.board_admin import LeaderboardAdmin
from loyalty.play.contests import GameRound
from loyalty.play.definition_admin import LEVEL_NAMES, DefinitionAdmin, state_name
from loyalty.play.game_part import CARDS, QUESTIONS, TICKETS
from loyalty.play.models import Award, Badge, Challenge, Definition, Game, StampCard
from loyalty.play.prize import sentence
from loyalty.play.tables import commitment_of, table_of
from loyalty.play.wording import challenge_sentence, percent, prize_takes, source_sentence

__all__ = ["LeaderboardAdmin"]


def _log(obj: Definition, origin: str) -> dict[str, Any]:
    return {
        "winners": [_winner(one) for one in figures.winners(origin, obj.pk)],
        "winners_url": reverse("admin:play_winners", args=[origin, obj.pk]),
        "days": figures.DAYS,
    }


def _winner(row: dict[str, Any]) -> dict[str, Any]:
    customer_id = row["customer_id"]
    return row | {
        "prize": sentence(row["prize"]),
        "state": state_name(row["state"]),
        "waits": row["state"] == "due",
        "who": row["external_id"] or customer_id or "",
        "url": reverse("admin:customers_customer_change", args=[customer_id]) if customer_id else "",
        "award_url": reverse("admin:play_award_change", args=[row["id"]]),
    }


def _states(counts: dict[str, int], order: tuple[str, ...]) -> list[tuple[str, int]]:
    return [(state_name(state), counts.get(state, 0)) for state in order]


def _chart(table: str, column: str, where: str, obj: Definition, label: Any) -> Chart | None:
    found = figures.per_day(table, column, where, obj.pk, obj.program_id, now())
    days = [date_format(date.fromisoformat(day), "SHORT_DATE_FORMAT") for day in found]
    return columns(days, [Series(str(label), [*found.values()])]) if any(found.values()) else None


@admin.register(Challenge)
class ChallengeAdmin(DefinitionAdmin):
    panel_template = "admin/play/challenge.html"
    empty_text = _("No challenge yet: write it as a document of kind challenge and apply it.")

    def panels(self, request: HttpRequest, obj: Challenge) -> dict[str, Any]:
        """In words, who is how far, and who won."""
        document = starting.document_of(obj)
        found = figures.of_challenge(obj)
        steps = [f"{step * 10}–{step * 10 + 10} %" for step in range(10)]
        return (
            self.head(obj)
            | _log(obj, names.CHALLENGE)
            | {
                "sentence": challenge_sentence(document),
                "prizes": [sentence(one) for one in document.prizes],
                "states": _states(found["states"], ("open", "done", "lapsed", "stopped")),
                "steps": columns(steps, [Series(gettext("People"), found["steps"])]) if any(found["steps"]) else None,
            }
        )


@admin.register(StampCard)
class StampCardAdmin(DefinitionAdmin):
    panel_template = "admin/play/stamp_card.html"
    empty_text = _("No stamp card yet: write it as a document of kind stamp_card and apply it.")

    def panels(self, request: HttpRequest, obj: StampCard) -> dict[str, Any]:
        """How stamps are earned, how full sheets are, and who won."""
        document = stamping.document_of(obj)
        found = figures.of_card(obj)
        labels = [str(stamps) for stamps, _count in found["stamps"]]
        counts = [count for _stamps, count in found["stamps"]]
        return (
            self.head(obj)
            | _log(obj, names.STAMP_CARD)
            | {
                "size": document.size,
                "earn": [source_sentence(source) for source in document.earn],
                "birthday": document.birthday,
                "steps": [(step.at, sentence(one)) for step in document.steps for one in step.prizes],
                "prizes": [sentence(one) for one in document.prizes],
                "states": _states(found["states"], ("open", "complete", "expired")),
                "sheets": columns(labels, [Series(gettext("Open sheets"), counts)]) if counts else None,
                "chart": _chart("stamp", "at", "card_id", obj, _("Stamps given")),
            }
        )


@admin.register(Game)
class GameAdmin(DefinitionAdmin):
    panel_template = "admin/play/game.html"
    empty_text = _("No game yet: write it as a document of kind game and apply it.")

    def panels(self, request: HttpRequest, obj: Game) -> dict[str, Any]:
        """Prizes and what is left of them, how it was played, and who won."""
        table = table_of(obj)
        raffle = table.part.style == TICKETS
        found = figures.of_game(obj)
        by_key = {one["key"]: one for one in found["prizes"]}
        prizes = [
            {
                "name": localized(one.name, sentence(one.prize)),
                "prize": sentence(one.prize),
                "odds": "" if table.part.style == TICKETS else percent(one.chance),
                "takes": prize_takes(one),
                **by_key.get(one.key, {"stock": one.stock, "won": 0, "left": one.stock}),
            }
            for one in table.document.prizes
        ]
        return (
            self.head(obj)
            | _log(obj, names.GAME)
            | {
                "document": table.document,
                "sentences": table.part.sentences(table.parameters, table.document),
                "prizes": prizes,
                "consolation": sentence(table.document.consolation) if table.document.consolation else "",
                "players": found["players"],
                "plays": found["plays"],
                "states": _states(
                    found["outcomes"], ("won", "consolation", "nothing", *(["entered"] if raffle else []))
                ),
                "raffle": raffle,
                "draw_at": raffles.moment_of(table) if raffle else None,
                "drawn_at": obj.drawn_at,
                "questions": figures.answers_of(obj, table.parameters) if table.part.style == QUESTIONS else [],
                "rounds": GameRound.objects.filter(game_id=obj.pk).count() if table.part.style == CARDS else None,
                "commitment": commitment_of(obj),
                "rules_url": reverse("game_rules", args=[obj.key]),
                "chart": _chart("game_play", "played_at", "game_id", obj, _("Plays")),
            }
        )


@admin.register(Badge)
class BadgeAdmin(DefinitionAdmin):
    acts = {}
    panel_template = "admin/play/badge.html"
    empty_text = _("No badge yet: write it as a document of kind badge and apply it.")

    def panels(self, request: HttpRequest, obj: Badge) -> dict[str, Any]:
        """How many people have it, by level."""
        levels = [
            {"name": localized(one.get("name"), str(LEVEL_NAMES.get(one["key"], one["key"]))), "at": one["at"]}
            for one in obj.definition.get("levels", [])
        ]
        people, counts = figures.of_badge(obj, [one["at"] for one in levels])
        return self.head(obj) | {
            "people": people,
            "levels": [one | {"people": count} for one, count in zip(levels, counts, strict=True)],
        }


class ReasonForm(forms.Form):
    """Why."""

    reason = forms.CharField(label=_("Reason"), max_length=400)


def _handed_over(award: Award, data: dict[str, Any]) -> str:
    awards.settle(award.pk, given=True, reason="", by=data["by"], now=now())
    return gettext("The prize is marked as handed over.")


def _refuse(award: Award, data: dict[str, Any]) -> str:
    awards.settle(award.pk, given=False, reason=data["reason"], by=data["by"], now=now())
    return gettext("The prize is refused.")


def _again(award: Award, data: dict[str, Any]) -> str:
    awards.try_again(award.pk, now=now())
    award.refresh_from_db()
    return gettext("It was handed over.") if award.state == "given" else gettext("It still cannot be handed over.")


@admin.register(Award)
class AwardAdmin(ReadOnlyAdmin):
    list_display = ("won_at", "customer_id", "shown_prize", "won_with", "shown_state", "reason")
    list_filter = ("state", "origin", "kind")
    ordering = ("-id",)
    fields = (
        "customer_id", "origin", "shown_prize", "state", "reason", "reference", "tries", "created_at", "due_at",
        "given_at",
    )  # fmt: skip
    readonly_fields = ("shown_prize",)
    panel_template = "admin/play/award.html"
    empty_text = _("Nobody has won anything yet. Prizes of challenges, stamp cards and games show up here.")
    acts = {
        "again": Act(
            label=_("Try again now"),
            question=_("Hand this prize over now?"),
            run=_again,
            allowed=lambda obj: obj.state == "due" and obj.kind != "item",
        ),
        "given": Act(
            label=_("Handed over"),
            question=_("Has the person got the prize?"),
            run=_handed_over,
            allowed=lambda obj: obj.state == "due" and obj.kind == "item",
        ),
        "refuse": Act(
            label=_("Refuse"),
            question=_("The person does not get this prize, for good. Why?"),
            run=_refuse,
            allowed=lambda obj: obj.state == "due",
            form=ReasonForm,
            danger=True,
        ),
    }

    @display(description=_("won at"), ordering="id")
    def won_at(self, award: Award) -> Any:
        return award.created_at

    @display(description=_("prize"))
    def shown_prize(self, award: Award) -> str:
        return sentence(award.prize)

    @display(description=_("won with"), ordering="origin")
    def won_with(self, award: Award) -> str:
        return state_name(award.origin)

    @display(description=_("state"), label={"due": "warning", "given": "success", "refused": "danger"})
    def shown_state(self, award: Award) -> tuple[str, str]:
        return award.state, state_name(award.state)

    def panels(self, request: HttpRequest, obj: Award) -> dict[str, Any]:
        """What was won, with what, and what became of it."""
        model = {"challenge": Challenge, "stamp_card": StampCard, "game": Game}[obj.origin]
        found: Any = model._default_manager.filter(pk=obj.origin_id).first()
        pages = {"challenge": "challenge", "stamp_card": "stampcard", "game": "game"}
        return {
            "title": sentence(obj.prize),
            "state": state_name(obj.state),
            "origin": state_name(obj.origin),
            "of": localized(found.name, found.key) if found else "",
            "of_url": reverse(f"admin:play_{pages[obj.origin]}_change", args=[obj.origin_id]) if found else "",
            "customer_url": reverse("admin:customers_customer_change", args=[obj.customer_id])
            if obj.customer_id
            else "",
        }


@admin_page("play/winners/<slug:origin>/<int:origin_id>.csv", name="play_winners", permission="play.view_award")
def winners_file(request: HttpRequest, origin: str, origin_id: int) -> HttpResponse:
    """The whole log of winners as CSV."""
    models = {"challenge": Challenge, "stamp_card": StampCard, "game": Game}
    model: Any = models.get(origin, Game)
    obj = get_object_or_404(model, pk=origin_id)
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(["award", "won_at", "customer", "prize", "state", "handed_over_at", "reason"])
    for row in figures.winners(origin, origin_id, limit=None):
        cells = [row["external_id"] or "", sentence(row["prize"]), row["reason"] or ""]
        who, prize, reason = map(cell, cells)
        writer.writerow([row["id"], row["created_at"], who, prize, row["state"], row["given_at"] or "", reason])
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="winners-{obj.key}.csv"'
    return response


@customer_panel(66, permission="play.view_challenge")
def play_panel(request: HttpRequest, customer_id: int) -> Panel | None:
    """What the person is at, has, and won."""
    instant = now()
    challenges = [one for one in queries.challenges(customer_id, now=instant) if one["state"] != "available"]
    cards = [one for one in queries.stamp_cards(customer_id, now=instant) if one["stamps"] or one["complete"]]
    badges = queries.badges(customer_id)
    won = queries.prizes_won(customer_id, limit=10)
    if not (challenges or cards or badges or won):
        return None
    context = {
        "challenges": [
            one | {"title": localized(one["name"], one["key"]), "state": state_name(one["state"])} for one in challenges
        ],
        "cards": [one | {"title": localized(one["name"], one["key"])} for one in cards],
        "badges": [one | {"title": localized(one["name"], one["key"])} for one in badges],
        "won": [one | {"state": state_name(one["state"])} for one in won],
    }
    return Panel("admin/play/panel.html", context)
