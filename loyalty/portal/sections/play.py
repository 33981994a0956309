"""Games, challenges, stamp cards and badges, and what was won by them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.kit.problems import Problems
from loyalty.play import board_queries, boards, game_queries, playing, queries, rounds, starting
from loyalty.play.contests import Leaderboard
from loyalty.play.models import Challenge, Game, StampCard
from loyalty.portal.play_words import board, fresh, game, said
from loyalty.portal.section import Refused, Tile, sections
from loyalty.portal.texts import day, last_day, localized, number
from loyalty.portal.visit import Visitor
from loyalty.program.wording import number as exact

WON_SHOWN = 10


@sections.register("play")
class Play:
    rank = 30
    icon = "play"
    after_leaving = False

    def title(self) -> str:
        return _("Play")

    def available(self, visitor: Visitor) -> bool:
        """There is a game, a challenge, a stamp card or a leaderboard in the program."""
        if visitor.setup is None:
            return False
        return any(
            model.objects.filter(state="active", program_id=visitor.setup.id).exists()
            for model in (Challenge, StampCard, Game, Leaderboard)
        )

    def tile(self, visitor: Visitor) -> Tile | None:
        """A game that waits, else the challenge or the stamp card that is nearest to its end."""
        asked: dict[str, Any] = {"now": visitor.now, "program_id": visitor.club.id}
        waiting = [one for one in game_queries.games(visitor.customer_id, **asked) if _can_play(one)]
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
        games = game_queries.games(visitor.customer_id, **asked)
        # What somebody is in the middle of comes first: after every button the page begins anew.
        games.sort(key=lambda one: not (one["round"] or fresh(one, visitor.now)))
        return {
            "games": [game(one, visitor.now) for one in games],
            "challenges": [_challenge(one) for one in queries.challenges(visitor.customer_id, **asked)],
            "stamp_cards": [_stamp_card(one) for one in queries.stamp_cards(visitor.customer_id, **asked)],
            "boards": [board(one) for one in board_queries.leaderboards(visitor.customer_id, **asked)],
            "badges": [_badge(one) for one in queries.badges(visitor.customer_id)],
            "won": [_won(one) for one in queries.prizes_won(visitor.customer_id, limit=WON_SHOWN)],
            "token": uuid4().hex,
        }

    def act(self, visitor: Visitor, data: Mapping[str, str]) -> str:
        """Play, turn a card, take up a challenge, stand on a leaderboard or leave it."""
        if "join" in data:
            try:
                starting.join(data["join"][:50], customer_ids=[visitor.customer_id], now=visitor.now)
            except Problems:
                raise Refused(_("This challenge cannot be taken up any more.")) from None
            return _("You are in. It counts from now on.")
        if "board" in data or "board_leave" in data:
            return _stand(visitor, data)
        try:
            return _turn(visitor, data) if "card" in data else _play(visitor, data)
        except Problems as problems:
            raise Refused(_refusal(problems)) from None


def _stand(visitor: Visitor, data: Mapping[str, str]) -> str:
    """Stand on a leaderboard under a nickname, or leave it."""
    try:
        if "board_leave" in data:
            boards.leave(data["board_leave"][:50], customer_id=visitor.customer_id)
            return _("You are not on the leaderboard any more.")
        nickname = data.get("nickname", "")[:100]
        boards.join(data["board"][:50], customer_id=visitor.customer_id, nickname=nickname, now=visitor.now)
    except Problems as problems:
        where = {one.where: one.problem for one in problems.problems}
        if where.get("nickname") == "is taken":
            raise Refused(_("Somebody has this nickname already. Please choose another one.")) from None
        if "nickname" in where:
            raise Refused(_("A nickname has 2 to 20 letters, digits, spaces or hyphens.")) from None
        raise Refused(_("This leaderboard is not open to you now.")) from None
    return _("You are on the leaderboard.")


def _play(visitor: Visitor, data: Mapping[str, str]) -> str:
    door = data.get("door", "")
    answers = {name[2:52]: value[:50] for name, value in data.items() if name.startswith("q-")}
    done = playing.play(
        data.get("game", "")[:50],
        customer_id=visitor.customer_id,
        now=visitor.now,
        door=int(door) if door.isdecimal() and len(door) < 4 else None,
        answers=answers or None,
        request_id=f"portal {visitor.customer_id} {data.get('token', '')[:32]} {door[:4]}",
        of_age="of_age" in data,
    )
    return said(done.outcome, done.sentence, done.score, done.detail.get("judged"), done.play_id)


def _turn(visitor: Visitor, data: Mapping[str, str]) -> str:
    """Turn a card; the page itself shows what is on it."""
    card = data["card"]
    shown = rounds.turn(
        data.get("game", "")[:50],
        customer_id=visitor.customer_id,
        card=int(card) if card.isdecimal() and len(card) < 4 else 0,
        now=visitor.now,
        of_age="of_age" in data,
    )
    done = shown.played
    if done is None:
        return ""
    solved = _("All pairs found in %(n)s moves.") % {"n": done.score} if done.score else _("The moves are used up.")
    return f"{solved} {said(done.outcome, done.sentence, None, None, done.play_id)}"


def _name(one: Mapping[str, Any]) -> str:
    return localized(one["name"], one["key"])


def _can_play(one: Mapping[str, Any]) -> bool:
    return bool(one["plays_left"] or one["round"]) or any(door["state"] == "ready" for door in one["doors"])


def _progress(one: Mapping[str, Any]) -> str:
    return _("%(done)s of %(all)s") % {"done": number(one["progress"]), "all": number(one["target"] or 0)}


def _stamps(one: Mapping[str, Any]) -> str:
    text = ngettext("%(n)s of %(all)s stamp", "%(n)s of %(all)s stamps", one["size"])
    return text % {"n": one["stamps"], "all": one["size"]}


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
        "turn": _("its turn until %(day)s") % {"day": date_format(one["until"], "DATE_FORMAT")} if one["until"] else "",
        "own": _own(one),
        "done": one["done"],
        "done_said": ngettext("done %(n)s time", "done %(n)s times", one["done"]) % {"n": one["done"]},
        "prizes": one["prizes"],
    }


def _own(one: Mapping[str, Any]) -> str:
    """Why this person's target is what it is."""
    if one["usual"] is None or not one["target"]:
        return ""
    said = {"target": exact(one["target"]), "usual": exact(round(one["usual"], 1))}
    if not one["usual"]:
        return _("Your own goal: %(target)s. There was nothing of the kind lately, so it begins gently.") % said
    return _("Your own goal: %(target)s, because %(usual)s is what you usually reach in this time.") % said


def _stamp_card(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": _name(one),
        "text": localized(one["description"], ""),
        "stamps": one["stamps"],
        "size": one["size"],
        "said": _stamps(one),
        "until": last_day(one["expires_at"]) if isinstance(one["expires_at"], datetime) else "",
        "steps": [_("With %(at)s stamps: %(prize)s") % step for step in one["steps"]],
        "prizes": one["prizes"],
    }


def _badge(one: Mapping[str, Any]) -> dict[str, Any]:
    level, following = one["level"], one["next"]
    words = {"bronze": _("Bronze"), "silver": _("Silver"), "gold": _("Gold")}
    missing = following["at"] - one["times"] if following else 0
    text = ngettext("%(n)s more to %(level)s", "%(n)s more to %(level)s", missing)
    return {
        "name": _name(one),
        "text": localized(one["description"], ""),
        "times": one["times"],
        "metal": level["key"] if level and level["key"] in words else "",
        "level": localized(level["name"], words.get(level["key"], level["key"])) if level else "",
        "next": text
        % {"n": missing, "level": localized(following["name"], words.get(following["key"], following["key"]))}
        if following
        else "",
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
    if where.startswith("answers."):
        return _("Please answer every question; nothing was counted.")
    return {
        "plays": _("You have no play left. Earn one, or come back when one is free."),
        "door": _("This door cannot be opened now."),
        "age": _("You are too young for this game, or we do not know your birthday."),
        "of_age": _("Please confirm that you are old enough."),
        "game": _("This game is not open now."),
        "customer": _("This game is for others."),
        "card": _("This card lies open already. Please turn another one."),
    }.get(where, _("That did not work; nothing was drawn. Please try again."))
