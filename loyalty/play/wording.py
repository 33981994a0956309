"""Challenges, sources and odds in words, in the active language."""

from decimal import Decimal

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext, ngettext

from loyalty.play.definition import ChallengeDocument, LeaderboardDocument, Source
from loyalty.play.game_definition import GamePrizeDocument
from loyalty.program.wording import length, number


def percent(odds: Decimal) -> str:
    """`2.5 %`, or `1 in 20,000` where percent would be hard to read."""
    if odds >= Decimal("0.001"):
        return f"{number(odds * 100)}\u00a0%"
    return gettext("1 in %(n)s") % {"n": number_format(round(1 / odds), force_grouping=True)}


def source_sentence(source: Source) -> str:
    """What gives how many."""
    said = {"event": source.event, "count": source.count}
    if source.each:
        said |= {"of": number(source.each.of), "property": source.each.property}
        text = gettext("%(count)d for every %(of)s of “%(property)s” in “%(event)s”") % said
    else:
        text = gettext("%(count)d for each “%(event)s”") % said
    if source.where:
        text += gettext(" with fitting properties")
    if source.most:
        text += {
            "day": gettext(", at most %(n)d a day"),
            "week": gettext(", at most %(n)d a week"),
            "month": gettext(", at most %(n)d a month"),
            "year": gettext(", at most %(n)d a year"),
            "ever": gettext(", at most %(n)d in all"),
        }[source.most.per] % {"n": source.most.max}
    return text + "."


def challenge_sentence(document: ChallengeDocument) -> str:
    """What has to be done, by when and how often."""
    parts = [_goal(document)]
    if document.window != "ever":
        calendar = {
            "day": gettext("within a calendar day"),
            "week": gettext("within a calendar week"),
            "month": gettext("within a calendar month"),
            "year": gettext("within a calendar year"),
        }
        # A word of the calendar has no length: only what is not one is measured.
        within = calendar.get(document.window)
        parts.append(within or gettext("within %(time)s") % {"time": length(document.window)})
    if document.start:
        parts.append(gettext("from %(day)s") % {"day": date_format(document.start, "DATE_FORMAT")})
    if document.end:
        parts.append(gettext("until %(day)s") % {"day": date_format(document.end, "DATE_FORMAT")})
    text = ", ".join(parts) + "."
    if document.most is None:
        text += " " + gettext("It can be done any number of times.")
    elif document.most > 1:
        text += " " + ngettext("It can be done %(n)d time.", "It can be done %(n)d times.", document.most) % {
            "n": document.most
        }
    if document.join == "explicit":
        text += " " + gettext("People take it up themselves, or a flow starts it.")
    return text


def _goal(document: ChallengeDocument) -> str:
    target = document.target if document.target is not None else Decimal(1)
    said = {"n": number(target), "event": document.event}
    measure = document.measure
    if document.personal:
        text = gettext("Reach one's own target of “%(event)s”") % said
    elif measure.sum:
        text = gettext("Reach %(n)s of “%(what)s” in “%(event)s”") % (said | {"what": measure.sum})
    elif measure.distinct:
        text = gettext("Reach %(n)s different “%(what)s” in “%(event)s”") % (said | {"what": measure.distinct})
    elif measure.days:
        text = gettext("“%(event)s” on %(n)s different days") % said
    else:
        text = gettext("%(n)s times “%(event)s”") % said
    if document.where:
        text += gettext(" with fitting properties")
    if document.streak:
        text += " " + {
            "day": gettext("on each of %(times)d days in a row"),
            "week": gettext("in each of %(times)d weeks in a row"),
            "month": gettext("in each of %(times)d months in a row"),
        }[document.streak.every] % {"times": document.streak.times}
    return text


def prize_takes(prize: GamePrizeDocument) -> str:
    """What a play has to reach for the prize, where there is something."""
    if prize.right:
        text = ngettext("for %(n)s right answer or more", "for %(n)s right answers or more", prize.right)
        return text % {"n": prize.right}
    return gettext("for at most %(n)s moves") % {"n": prize.moves} if prize.moves else ""


def board_sentence(document: LeaderboardDocument) -> str:
    """What counts on a leaderboard, and for how long."""
    said = {"event": document.event, "what": document.measure.sum or document.measure.distinct}
    if document.measure.sum:
        text = gettext("The most of “%(what)s” in “%(event)s”") % said
    elif document.measure.distinct:
        text = gettext("The most different “%(what)s” in “%(event)s”") % said
    elif document.measure.days:
        text = gettext("The most days with “%(event)s”") % said
    else:
        text = gettext("The most “%(event)s”") % said
    if document.where:
        text += gettext(" with fitting properties")
    return (
        text
        + ", "
        + {
            "day": gettext("counted anew each day"),
            "week": gettext("counted anew each week"),
            "month": gettext("counted anew each month"),
            "year": gettext("counted anew each year"),
            "ever": gettext("counted from the beginning"),
        }[document.window]
        + "."
    )
