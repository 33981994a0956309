"""Games and leaderboards as the portal shows them: what can be done, what came of it, in words."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.play import wheels
from loyalty.play.names import CONSOLATION, ENTERED, WON
from loyalty.play.rounds import Shown
from loyalty.play.wording import percent
from loyalty.portal.texts import day, localized, moment
from loyalty.program.wording import number as exact

# So long after a play the page shows it as what just happened.
FRESH = timedelta(minutes=2)


def said(outcome: str, won: str, score: int | None, judged: int | None, play: int) -> str:
    """What came of a play, as a sentence."""
    right = ""
    if score is not None and judged:
        text = ngettext("%(right)s of %(all)s answer is right.", "%(right)s of %(all)s answers are right.", judged)
        right = text % {"right": score, "all": judged} + " "
    elif judged == 0:
        right = _("Thank you for your answers.") + " "
    if outcome == ENTERED:
        return _("You have ticket number %(number)s. Good luck!") % {"number": play}
    if outcome in (WON, CONSOLATION) and won:
        return right + _("You won: %(prize)s") % {"prize": won}
    return right.strip() or _("Not this time. Thank you for playing!")


def fresh(one: Mapping[str, Any], now: datetime) -> bool:
    """Whether the game was played just now."""
    return bool(one["last"]) and now - one["last"]["at"] < FRESH


def game(one: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Everything that the page says of a game."""
    left, style = one["plays_left"], one["style"]
    last = _last(one, now)
    wheel = wheels.fields([(prize["key"], prize["odds"]) for prize in one["prizes"]]) if one["type"] == "wheel" else []
    return {
        "key": one["key"],
        "style": style,
        "name": localized(one["name"], one["key"]),
        "text": localized(one["description"], ""),
        "on": one["on"],
        "until": date_format(one["to"], "DATE_FORMAT"),
        "left": left,
        "plays": ngettext("%(n)s play left", "%(n)s plays left", left) % {"n": left} if left else "",
        "button": _button(one),
        "age": one["age"],
        "needs_age": one["needs_age"],
        "doors": _doors(one),
        "questions": [_question(question) for question in one["questions"]],
        "round": one["round"],
        "cards": _cards(one["round"], one["cards"]),
        "stand": _stand(one["round"]),
        "tickets": one["tickets"],
        "tickets_said": ngettext("Your ticket:", "Your tickets:", len(one["tickets"])),
        "draw_said": _draw(one),
        "last": last,
        "wheel": wheel,
        "angle": wheels.turned_to(wheel, one["last"]["prize"], one["last"]["play"]) if wheel and one["last"] else 0,
        "rules": one["rules"],
        "prizes": [_prize(prize) for prize in one["prizes"]],
    }


def _button(one: Mapping[str, Any]) -> str:
    if one["style"] == "tickets":
        return _("Take a ticket")
    return _("Turn the wheel") if one["type"] == "wheel" else _("Play now")


def _doors(one: Mapping[str, Any]) -> list[tuple[int, str, str, str]]:
    words = {"open": _("opened"), "ready": _("open it"), "missed": _("missed"), "closed": _("still closed")}
    return [
        (door["door"], door["state"], words[door["state"]], _("Door %(n)s") % {"n": door["door"]})
        for door in one["doors"]
    ]


def _question(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "key": one["key"],
        "text": localized(one["text"], one["key"]),
        "answers": [(answer["key"], localized(answer["text"], answer["key"])) for answer in one["answers"]],
    }


def _cards(shown: Shown | None, count: int) -> list[dict[str, Any]]:
    """The cards on the table; before the first move all of them closed. `next` is where the keyboard goes on."""
    if shown is None:
        closed = _("Card %(n)s: closed")
        return [
            {"number": n, "state": "closed", "sign": "", "said": closed % {"n": n}, "next": False}
            for n in range(1, count + 1)
        ]
    words = {
        "closed": _("Card %(n)s: closed"),
        "open": _("Card %(n)s: %(what)s"),
        "found": _("Card %(n)s: %(what)s, found"),
    }
    first = next((card.number for card in shown.cards if card.state == "closed"), None)
    return [
        {
            "number": card.number,
            "state": card.state,
            "sign": card.sign,
            "said": words[card.state] % {"n": card.number, "what": card.name},
            "next": card.number == first,
        }
        for card in shown.cards
    ]


def _stand(shown: Shown | None) -> str:
    """What lies open and how many moves are left."""
    if shown is None:
        return _("Turn two cards: which are the same?")
    seen = [card for card in shown.cards if card.state == "open"]
    text = ngettext("%(n)s move left.", "%(n)s moves left.", shown.moves_left) % {"n": shown.moves_left}
    if len(seen) == 1:
        return _("%(what)s. Where is the other one?") % {"what": seen[0].name.capitalize()} + " " + text
    if len(seen) == 2:
        both = {"one": seen[0].name.capitalize(), "two": seen[1].name}
        return _("%(one)s and %(two)s: no pair.") % both + " " + text
    return text


def _draw(one: Mapping[str, Any]) -> str:
    if one["drawn_at"]:
        return _("The tickets were drawn on %(day)s. The rules page shows the winning numbers.") % {
            "day": day(one["drawn_at"])
        }
    return _("The tickets are drawn on %(moment)s.") % {"moment": moment(one["draw_at"])} if one["draw_at"] else ""


def _last(one: Mapping[str, Any], now: datetime) -> dict[str, Any] | None:
    last = one["last"]
    if last is None:
        return None
    return {
        "fresh": fresh(one, now),
        "outcome": last["outcome"],
        "said": said(last["outcome"], last["sentence"], last["score"], last["judged"], last["play"]),
        "right": [
            {
                "text": localized(answered["text"], ""),
                "hit": answered["hit"],
                "answers": [localized(text, "") for text in answered["answers"]],
            }
            for answered in last["right"]
        ],
    }


def _prize(prize: Mapping[str, Any]) -> dict[str, Any]:
    takes = ""
    if prize["right"]:
        takes = ngettext("for %(n)s right answer or more", "for %(n)s right answers or more", prize["right"])
        takes %= {"n": prize["right"]}
    elif prize["moves"]:
        takes = _("for at most %(n)s moves") % {"n": prize["moves"]}
    odds = "" if prize["odds"] is None else _("odds %(odds)s") % {"odds": percent(Decimal(str(prize["odds"])))}
    if prize["odds"] == 1 and takes:
        odds = ""
    if prize["left"] == 0:
        odds = _("all gone")
    elif prize["odds"] is None and prize["left"]:
        odds = _("%(n)s times") % {"n": prize["left"]}
    return {"name": localized(prize["name"], "") or prize["prize"], "odds": odds, "takes": takes}


def board(one: Mapping[str, Any]) -> dict[str, Any]:
    """A leaderboard, and where the member stands."""
    words = {
        "day": _("Today's first ones; tomorrow everybody begins at zero."),
        "week": _("The first ones of this week; on Monday everybody begins at zero."),
        "month": _("The first ones of this month; next month everybody begins at zero."),
        "year": _("The first ones of this year."),
        "ever": _("The first ones of all time."),
    }
    me = one["me"]
    return {
        "key": one["key"],
        "name": localized(one["name"], one["key"]),
        "text": localized(one["description"], ""),
        "when": words[one["window"]],
        "rows": [row | {"score": exact(row["score"])} for row in one["rows"]],
        "nickname": me["nickname"] if me else "",
        "me": _me(me) if me else "",
    }


def _me(me: Mapping[str, Any]) -> str:
    said = {"name": me["nickname"], "rank": me["rank"], "score": exact(me["score"])}
    if me["hidden"]:
        return _("Your nickname “%(name)s” is not shown at the moment. Choose another one; we look at it.") % said
    if me["rank"] is None:
        return _("You take part as “%(name)s”, but have nothing in this period yet.") % said
    return _("You are number %(rank)s as “%(name)s”, with %(score)s.") % said
