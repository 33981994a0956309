"""The rules page of a game, written from its document: who may play, how, what can be won at which odds, how it is
drawn, and who runs it."""

from dataclasses import dataclass, field
from datetime import datetime

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext, ngettext, override

from loyalty.kit.admin import localized
from loyalty.kit.sql import fetch, sql
from loyalty.play import raffles
from loyalty.play.game_definition import GamePrizeDocument
from loyalty.play.game_part import TICKETS
from loyalty.play.prize import sentence
from loyalty.play.tables import Table, commitment_of, open_table
from loyalty.play.wording import percent

LANGUAGES = ("en", "de")


@dataclass(frozen=True, slots=True)
class Section:
    heading: str
    paragraphs: list[str]
    items: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Rules:
    """`commitment` is the SHA-256 of the game's secret; `secret` (hex) is told once the game is over."""

    language: str
    title: str
    sections: list[Section]
    commitment: str
    secret: str | None


def rules_of(key: str, *, language: str, now: datetime) -> Rules:
    """The rules in a language (of `LANGUAGES`, the first for others); raises Problems for an unknown game."""
    table = open_table(key)
    chosen = language.partition("-")[0]
    chosen = chosen if chosen in LANGUAGES else LANGUAGES[0]
    over = table.today(now) > table.document.end and (table.part.style != TICKETS or table.game.drawn_at is not None)
    secret = bytes(table.game.secret).hex() if over else None
    with override(chosen):
        title = gettext("Rules of “%(game)s”") % {"game": localized(table.document.name, key)}
        return Rules(chosen, title, _sections(table, over), commitment_of(table.game), secret)


def _sections(table: Table, over: bool) -> list[Section]:
    document = table.document
    days = {"first": date_format(document.start, "DATE_FORMAT"), "last": date_format(document.end, "DATE_FORMAT")}
    found = [
        Section(
            gettext("Who runs the game"),
            [
                gettext("%(name)s, %(address)s. Questions: %(contact)s.")
                % {
                    "name": document.organizer.name,
                    "address": document.organizer.address,
                    "contact": document.organizer.contact,
                }
            ],
        ),
        Section(gettext("When"), [gettext("From %(first)s to %(last)s, both included.") % days, *_who(table)]),
        Section(gettext("How to play"), [*table.part.sentences(table.parameters, document), *_how(table)]),
        *([_winners(table)] if table.game.drawn_at else []),
        _prizes(table),
        _drawing(table, over),
        Section(
            gettext("Your data"),
            [
                gettext(
                    "We keep what you played and won to run the game and to hand over prizes. Taking part does not"
                    " depend on a consent to advertising."
                )
            ],
        ),
    ]
    if document.note:
        found.append(Section(gettext("Good to know"), [localized(document.note, "")]))
    return found


def _who(table: Table) -> list[str]:
    document = table.document
    said = []
    if table.game.program_id is not None:
        said.append(gettext("Members of the program can play."))
    if document.audience.segments or document.audience.tiers:
        said.append(gettext("The game is open to a part of the members, who see it on their pages."))
    if document.age:
        said.append(
            ngettext(
                "Players have to be at least %(age)d year old.",
                "Players have to be at least %(age)d years old.",
                document.age,
            )
            % {"age": document.age}
        )
        if document.age_check == "birth_date":
            said.append(gettext("The date of birth has to be known to us."))
    return said


def _how(table: Table) -> list[str]:
    said = [gettext("Buying something does not raise the odds of a play.")]
    if table.document.free_entry:
        said.append(localized(table.document.free_entry, ""))
    return said


def _prizes(table: Table) -> Section:
    rows = fetch(
        sql("SELECT key, stock, stock - won FROM game_prize WHERE game_id = {id} ORDER BY position", id=table.game.pk)
    )
    stocks = {key: stock for key, stock, _left in rows}
    items = [_item(table, one, stocks.get(one.key)) for one in table.document.prizes]
    raffle = table.part.style == TICKETS
    paragraphs = [
        _chances(table)
        if raffle
        else gettext("The odds hold for every play, as long as there is something left of the prize."),
        gettext("Prizes cannot be paid out in cash."),
    ]
    if table.document.consolation:
        text = gettext("Whoever wins nothing else gets %(prize)s.")
        paragraphs.append(text % {"prize": sentence(table.document.consolation)})
    return Section(gettext("What can be won"), paragraphs, items)


def _item(table: Table, one: GamePrizeDocument, stock: int | None) -> str:
    prize = sentence(one.prize)
    name = localized(one.name, prize)
    said = {"prize": prize if name == prize else f"{name} ({prize})", "odds": percent(one.chance)}
    if table.part.style == TICKETS:
        text = said["prize"]
    elif one.right:
        text = gettext("%(prize)s: for %(right)s right answers or more, odds %(odds)s") % (said | {"right": one.right})
    elif one.moves:
        text = gettext("%(prize)s: for at most %(moves)s moves, odds %(odds)s") % (said | {"moves": one.moves})
    else:
        text = gettext("%(prize)s: odds of a play %(odds)s") % said
    if stock is not None:
        text += ", " + gettext("%(count)s in all") % {"count": number_format(stock, force_grouping=True)}
    if one.per_person:
        text += ", " + gettext("at most %(count)d per person") % {"count": one.per_person}
    if one.doors:
        text += ", " + gettext("behind door %(doors)s") % {"doors": ", ".join(map(str, one.doors))}
    return text + "."


def _chances(table: Table) -> str:
    """How many tickets there are, from which the odds follow."""
    tickets = fetch(sql("SELECT count(*) FROM game_play WHERE game_id = {id}", id=table.game.pk))[0][0]
    said = {"n": number_format(tickets, force_grouping=True)}
    text = ngettext(
        "The odds depend on how many tickets there are: %(n)s so far.",
        "The odds depend on how many tickets there are: %(n)s so far.",
        tickets,
    )
    return text % said


def _winners(table: Table) -> Section:
    """Who won a prize draw, by the numbers of the tickets."""
    named = {one.key: f"{localized(one.name, one.key)} ({sentence(one.prize)})" for one in table.document.prizes}
    items = [
        gettext("Ticket %(number)s: %(prize)s") % {"number": number, "prize": named.get(key, key)}
        for number, key in raffles.winners(table.game.pk)
    ]
    return Section(gettext("The winning tickets"), [] if items else [gettext("Nobody had a ticket.")], items)


def _blocks(digits: str) -> str:
    """Hexadecimal digits in blocks of eight, which fit onto any screen."""
    return " ".join(digits[start : start + 8] for start in range(0, len(digits), 8))


def _drawing(table: Table, over: bool) -> Section:
    paragraphs = [
        gettext(
            "A computer draws on our server. Every draw follows from a secret number that was fixed before the game and"
            " from the number of the play, so neither you nor we can choose it."
        )
        if table.part.style != TICKETS
        else gettext(
            "A computer draws on our server. Every ticket's draw follows from a secret number that was fixed before the"
            " game and from the number of the ticket; the lowest draws win."
        ),
        gettext("The secret's fingerprint (SHA-256): %(hash)s") % {"hash": _blocks(commitment_of(table.game))},
    ]
    if over:
        secret = bytes(table.game.secret).hex()
        paragraphs.append(gettext("The game is over; the secret was: %(secret)s") % {"secret": _blocks(secret)})
    else:
        paragraphs.append(gettext("After the game the secret is published here, so that every draw can be checked."))
    return Section(gettext("How it is drawn"), paragraphs)
