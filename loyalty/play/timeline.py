"""What facts of challenges, cards and games are about, in a person's timeline."""

from collections.abc import Collection

from django.urls import reverse

from loyalty.events.wording import Subject, subject
from loyalty.kit.admin import localized
from loyalty.kit.sql import fetch_values, sql
from loyalty.play.prize import sentence


def _named(table: str, owner: str, model: str, column: str, ids: Collection[int]) -> dict[int, Subject]:
    query = (
        f"SELECT t.id, d.id AS owner, d.key, d.name FROM {table} t JOIN {owner} d ON d.id = t.{column}"
        " WHERE t.id = ANY({ids}::bigint[])"
    )
    return {
        row["id"]: Subject(
            localized(row["name"], row["key"]), reverse(f"admin:play_{model}_change", args=[row["owner"]])
        )
        for row in fetch_values(sql(query, ids=sorted(ids)))
    }


@subject("challenge_run")
def challenges(ids: Collection[int]) -> dict[int, Subject]:
    """The challenge of each attempt."""
    return _named("challenge_run", "challenge", "challenge", "challenge_id", ids)


@subject("stamp_sheet")
def stamp_cards(ids: Collection[int]) -> dict[int, Subject]:
    """The card of each sheet."""
    return _named("stamp_sheet", "stamp_card", "stampcard", "card_id", ids)


@subject("game_play")
def games(ids: Collection[int]) -> dict[int, Subject]:
    """The game of each play."""
    return _named("game_play", "game", "game", "game_id", ids)


@subject("badge")
def badges(ids: Collection[int]) -> dict[int, Subject]:
    """Each badge."""
    return _named("badge", "badge", "badge", "id", ids)


@subject("prize_award")
def prizes(ids: Collection[int]) -> dict[int, Subject]:
    """Each prize in words."""
    rows = fetch_values(sql("SELECT id, prize FROM prize_award WHERE id = ANY({ids}::bigint[])", ids=sorted(ids)))
    return {
        row["id"]: Subject(sentence(row["prize"]), reverse("admin:play_award_change", args=[row["id"]])) for row in rows
    }
