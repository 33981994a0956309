"""The kinds `program`, `tier` and `earning_rule`."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from loyalty.events.models import EventType
from loyalty.events.names import FACTS
from loyalty.kit.documents import Change, kinds
from loyalty.kit.problems import Problem, Problems, from_pydantic, with_suggestion
from loyalty.program import check_ins, operations
from loyalty.program.deeds import DEEDS
from loyalty.program.definition import SHORTEST_MONTHS, Expiry, PlaceDocument, ProgramDocument, TierDocument
from loyalty.program.earning_tables import CheckInPlace
from loyalty.program.models import EarningRule, Program, Tier
from loyalty.program.rules import read as read_rule

D = TypeVar("D", bound=BaseModel)


def _read(shape: type[D], document: dict[str, Any]) -> D:
    try:
        return shape.model_validate(document)
    except ValidationError as error:
        known = tuple(sorted(info.alias or name for name, info in shape.model_fields.items()))
        raise Problems([with_suggestion(problem, known) for problem in from_pydantic(error)]) from None


def _shown(definition: dict[str, Any], key: str, kind: str) -> dict[str, Any]:
    return {"kind": kind, "key": key, **definition}


def _program_fails_elsewhere(document: dict[str, Any], declared: dict[str, set[str]]) -> bool:
    """Whether the program that is named comes with the same call, and is not there because of its own mistakes."""
    named = document.get("program")
    coming = declared.get("program", set())
    if named is None:
        return bool(coming) and not Program.objects.exists()
    return named in coming and not Program.objects.filter(key=named).exists()


def _short(where: str, expiry: Any) -> list[Problem]:
    """A warning for points that expire earlier than is safe in Germany; who counts from the last activity is safe."""
    if not isinstance(expiry, Expiry) or not expiry.short or expiry.activity:
        return []
    told = f"points expire before the end of the year in which {SHORTEST_MONTHS} months end"
    return [Problem(where, told, "German courts have declared shorter terms void: leave it out, or have a lawyer look")]


def _unheard(events: Sequence[str]) -> list[Problem]:
    """A warning for events that nobody ever sent: often a slip of the pen."""
    known = set(EventType.objects.filter(name__in=events).values_list("name", flat=True)) | set(DEEDS) | set(FACTS)
    told = []
    for name in events:
        if name not in known:
            near = get_close_matches(name, [*DEEDS, *FACTS], n=1)
            remedy = f"did you mean {near[0]!r}?" if near else "nothing is earned until it comes"
            told.append(Problem("event", f"no event {name!r} has come yet", remedy))
    return told


class ProgramKind:
    """A loyalty program: what tiers and earning rules belong to."""

    rank = 12

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        given = _read(ProgramDocument, document)
        change = operations.save_program(given, now=now)
        told = [one for place, wallet in enumerate(given.wallets)
                for one in _short(f"wallets[{place}].expiry", wallet.expiry)]  # fmt: skip
        if given.protect_margin and not any(wallet.value for wallet in given.wallets):
            why = "does nothing: no wallet says what a point is worth"
            told.append(Problem("protect_margin", why, "set the value of the wallet"))
        return replace(change, warnings=tuple(told))

    def export(self) -> Iterable[dict[str, Any]]:
        for program in Program.objects.order_by("key"):
            yield _shown(program.definition, program.key, "program")


class TierKind:
    """A level of a program."""

    rank = 13

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        given = _read(TierDocument, document)
        if _program_fails_elsewhere(document, declared):
            raise Problems([Problem("program", "has mistakes of its own", "correct the program first")])
        return operations.save_tier(given, now=now)

    def export(self) -> Iterable[dict[str, Any]]:
        for tier in Tier.objects.order_by("program_id", "rank"):
            yield _shown(tier.definition, tier.key, "tier")


class EarningRuleKind:
    """What members get points for."""

    rank = 14

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        rule, part, parameters = read_rule(document)
        unheard = _unheard(part.events(parameters))
        if _program_fails_elsewhere(document, declared):
            raise Problems([Problem("program", "has mistakes of its own", "correct the program first")])
        change = operations.save_rule(rule, parameters.plain(), now=now)
        return replace(change, warnings=(*_short("expiry", rule.expiry), *unheard))

    def export(self) -> Iterable[dict[str, Any]]:
        for rule in EarningRule.objects.order_by("program_id", "key"):
            yield _shown(rule.definition, rule.key, "earning_rule")


class PlaceKind:
    """A place where members check in."""

    rank = 14

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        given = _read(PlaceDocument, document)
        if _program_fails_elsewhere(document, declared):
            raise Problems([Problem("program", "has mistakes of its own", "correct the program first")])
        return check_ins.save(given, now=now)

    def export(self) -> Iterable[dict[str, Any]]:
        for place in CheckInPlace.objects.order_by("program_id", "key"):
            yield _shown(place.definition, place.key, "check_in_place")


kinds.add("program", ProgramKind())
kinds.add("tier", TierKind())
kinds.add("earning_rule", EarningRuleKind())
kinds.add("check_in_place", PlaceKind())
