"""Games, challenges, stamp cards and badges, and what was won by them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.kit.problems import Problems
from loyalty.play import playing, queries, starting
from loyalty.play.models import Challenge, Game, StampCard
from loyalty.portal.section import Refused, Tile, sections
from loyalty.portal.texts import day, last_day, localized, number
from loyalty.portal.visit import Visitor

WON_SHOWN = 10


@sections.register("play")
class Play:
    rank = 30
    icon = "play"
    after_leaving = False

    def title(self) -> str:
        return _("Play")

    def available(self, visitor: Visitor) -> bool:
        """There is a game, a challenge or a stamp card in the program."""
        if visitor.setup is None:
            return False
        return any(
            model.objects.filter(state="active", program_id=visitor.setup.id).exists()
            for model in (Challenge, StampCard, Game)
        )

    def tile(self, visitor: Visitor) -> Tile | None:
        """A game that waits, else the challenge or the stamp card that is nearest to its end."""
        asked: dict[str, Any] = {"now": visitor.now, "program_id": visitor.club.id}
        waiting = [game for game in queries.games(visitor.customer_id, **asked) if _can_play(game)]
        if waiting:
            return Tile(_name(waiting[0]), str(len(waiting)))
        steps = [
            (one["share"], _name(one), _progress(one))
            for one in queries.challenges(visitor.customer_id, **asked)
            if one["state"] == "open"
        ]
        steps += [
            (one["stamps"] / one["size"], _name(one), _stamps(one))
            for one in queries.stamp_cards(visitor.customer_id, **asked)
            if one["stamps"]
        ]
        if steps:
            share, name, how_far = max(steps)
            return Tile(f"{name}: {how_far}", percent=int(share * 100))
        return Tile(_("Games, challenges and stamps"))

    def page(self, visitor: Visitor, query: Mapping[str, str]) -> dict[str, Any]:
        """Everything that can be played or reached, and what came of it."""
        asked: dict[str, Any] = {"now": visitor.now, "program_id": visitor.club.id}
        return {
            "games": [_game(one) for one in queries.games(visitor.customer_id, **asked)],
            "challenges": [_challenge(one) for one in queries.challenges(visitor.customer_id, **asked)],
            "stamp_cards": [_stamp_card(one) for one in queries.stamp_cards(visitor.customer_id, **asked)],
            "badges": [
                (localized(one["name"], one["key"]), localized(one["description"], ""), one["times"])
                for one in queries.badges(visitor.customer_id)
            ],
            "won": [_won(one) for one in queries.prizes_won(visitor.customer_id, limit=WON_SHOWN)],
            "token": uuid4().hex,
        }

    def act(self, visitor: Visitor, data: Mapping[str, str]) -> str:
        """Play once, or take up a challenge."""
        if "join" in data:
            try:
                starting.join(data["join"][:50], customer_ids=[visitor.customer_id], now=visitor.now)
            except Problems:
                raise Refused(_("This challenge cannot be taken up any more.")) from None
            return _("You are in. It counts from now on.")
        door = data.get("door", "")
        try:
            done = playing.play(
                data.get("game", "")[:50],
                customer_id=visitor.customer_id,
                now=visitor.now,
                door=int(door) if door.isdigit() and len(door) < 4 else None,
                request_id=f"portal {visitor.customer_id} {data.get('token', '')[:32]} {door[:4]}",
                of_age="of_age" in data,
            )
        except Problems as problems:
            raise Refused(_refusal(problems)) from None
        if done.prize_key is None and not done.prize:
            return done.sentence or _("Not this time. Thank you for playing!")
        return _("You won: %(prize)s") % {"prize": done.sentence}


def _name(one: Mapping[str, Any]) -> str:
    return localized(one["name"], one["key"])


def _can_play(game: Mapping[str, Any]) -> bool:
    return bool(game["plays_left"]) or any(door["state"] == "ready" for door in game["doors"])


def _progress(one: Mapping[str, Any]) -> str:
    return _("%(done)s of %(all)s") % {"done": number(one["progress"]), "all": number(one["target"] or 0)}


def _stamps(one: Mapping[str, Any]) -> str:
    text = ngettext("%(n)s of %(all)s stamp", "%(n)s of %(all)s stamps", one["size"])
    return text % {"n": one["stamps"], "all": one["size"]}


def _game(one: Mapping[str, Any]) -> dict[str, Any]:
    left = one["plays_left"]
    words = {"open": _("opened"), "ready": _("open it"), "missed": _("missed"), "closed": _("still closed")}
    return {
        "key": one["key"],
        "name": _name(one),
        "text": localized(one["description"], ""),
        "until": date_format(one["to"], "DATE_FORMAT"),
        "left": left,
        "plays": ngettext("%(n)s play left", "%(n)s plays left", left) % {"n": left} if left else "",
        "age": one["age"],
        "needs_age": one["needs_age"],
        "doors": [
            (door["door"], door["state"], words[door["state"]], _("Door %(n)s") % {"n": door["door"]})
            for door in one["doors"]
        ],
        "rules": one["rules"],
        "prizes": [localized(prize["name"], "") or prize["prize"] for prize in one["prizes"] if prize["left"] != 0],
    }


def _challenge(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "key": one["key"],
        "name": _name(one),
        "text": localized(one["description"], ""),
        "progress": _progress(one) if one["target"] else "",
        "percent": int(one["share"] * 100),
        "state": one["state"],
        "joinable": one["joinable"],
        "until": last_day(one["ends_at"]) if one["ends_at"] else "",
        "prizes": one["prizes"],
    }


def _stamp_card(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": _name(one),
        "text": localized(one["description"], ""),
        "stamps": one["stamps"],
        "size": one["size"],
        "said": _stamps(one),
        "until": last_day(one["expires_at"]) if isinstance(one["expires_at"], datetime) else "",
        "prizes": one["prizes"],
    }


def _won(one: Mapping[str, Any]) -> dict[str, Any]:
    states = {"due": _("on its way"), "given": _("yours"), "refused": _("could not be given; please write to us")}
    at = one["won_at"]
    return {
        "prize": one["prize"],
        "of": localized(one["name"], one["of"] or ""),
        "when": day(datetime.fromisoformat(at) if isinstance(at, str) else at),
        "state": states.get(one["state"], one["state"]),
        "code": one["reference"] if one["type"] == "voucher" else "",
    }


def _refusal(problems: Problems) -> str:
    """The first thing that stands against it, to the member."""
    where = problems.problems[0].where if problems.problems else ""
    return {
        "plays": _("You have no play left. Earn one, or come back when one is free."),
        "door": _("This door cannot be opened now."),
        "age": _("You are too young for this game, or we do not know your birthday."),
        "of_age": _("Please confirm that you are old enough."),
        "game": _("This game is not open now."),
        "customer": _("This game is for others."),
    }.get(where, _("That did not work; nothing was drawn. Please try again."))
