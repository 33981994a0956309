"""What codes and a wallet do to a basket: loaded in a fixed number of queries, judged and priced in memory."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from loyalty.offers import codes, names, pricing, queries, wording
from loyalty.offers.baskets import Basket, Effect, Line, Refusal, lines_of, moment_of
from loyalty.offers.definition import Usable
from loyalty.offers.fitting import Reason, Situation, mismatch
from loyalty.offers.pricing import Candidate
from loyalty.program.definition import ProgramDocument
from loyalty.program.models import Program

VOUCHER, OFFER = "voucher", "offer"
# Refusals of offers that tell customers how near they are; the others of a whole wallet would only be noise.
NEAR = ("minimum", "pieces", "inactive", "lines", "exclusive", "alone")
CURRENCY = "EUR"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A basket with what is used on it, in order, and what is refused."""

    basket: Basket
    customer_id: int | None
    lines: tuple[Line, ...]
    effects: tuple[tuple[Candidate, Effect], ...]
    refused: tuple[Refusal, ...]

    @property
    def total(self) -> Decimal:
        """What the lines and sending cost."""
        return sum((line.gross for line in self.lines), self.basket.shipping)

    @property
    def discount(self) -> Decimal:
        return sum((effect.discount for _, effect in self.effects), Decimal(0))

    @property
    def paid(self) -> Decimal:
        return sum((effect.paid for _, effect in self.effects), Decimal(0))

    @property
    def currency(self) -> str:
        """The basket's, else that of what is used on it."""
        return self.basket.currency or next((one.document.currency for one, _ in self.effects), CURRENCY)

    @property
    def used(self) -> set[tuple[str, str]]:
        """(kind, name) of what is used."""
        return {(one.kind, one.name) for one, _ in self.effects}


def evaluate(
    basket: Basket, customer_id: int | None, *, now: datetime, only: Collection[tuple[str, str]] | None = None
) -> Evaluation:
    """Judge the basket; with `only`, what is not in it is left aside."""
    lines = tuple(lines_of(basket.items))
    typed, refused = _once(basket.codes)
    typed = [code for code in typed if only is None or (VOUCHER, code) in only]
    vouchers = queries.vouchers(typed)
    offers = _offers(basket, customer_id, only)
    documents: list[Usable] = [*(one.document for one in vouchers.values()), *(one.document for one in offers)]
    person = queries.Person(pools={}, offers={})
    if customer_id is not None and documents:
        pools, offer_ids = {one.pool_id for one in vouchers.values()}, {one.id for one in offers}
        person = queries.person(customer_id, documents, pools, offer_ids)
    situation = Situation(
        moment_of(basket, now), settings.TIME_ZONE, lines, basket.store, basket.channel, basket.currency, customer_id,
        person.tiers, person.segments,
    )  # fmt: skip
    point, protected = _margins(documents, lines)
    candidates: list[Candidate] = []
    for code in typed:
        judged = _voucher(code, vouchers.get(code), situation, person)
        (candidates if isinstance(judged, Candidate) else refused).append(judged)  # type: ignore[arg-type]
    for offer in offers:
        judged = _offer(offer, situation, person)
        (candidates if isinstance(judged, Candidate) else refused).append(judged)  # type: ignore[arg-type]
    if point or protected:
        candidates = [replace(one, point=point, protected=protected) for one in candidates]
    if isinstance(basket.offers, list) and only is None:
        known = {offer.document.key for offer in offers}
        refused += [Refusal(key, OFFER, "unknown_offer") for key in dict.fromkeys(basket.offers) if key not in known]
    priced = pricing.best(candidates, lines, basket.shipping)
    return Evaluation(basket, customer_id, lines, priced.effects, (*refused, *priced.refused))


def _margins(documents: Collection[Usable], lines: Collection[Line]) -> tuple[Decimal, bool]:
    """(what a point costs, whether a program wants nothing sold below cost); no query where no line tells margin."""
    if not documents or all(line.margin is None for line in lines):
        return Decimal(0), False
    programs = list(Program.objects.order_by("id").values_list("definition", flat=True))
    if not programs:
        return Decimal(0), False
    read = [ProgramDocument.model_validate(one) for one in programs]
    return read[0].wallets[0].value, any(one.protect_margin for one in read)


def _once(typed: list[str]) -> tuple[list[str], list[Refusal]]:
    seen: set[str] = set()
    kept, refused = [], []
    for code in typed:
        folded = codes.fold(code)
        if folded in seen:
            refused.append(Refusal(code, VOUCHER, "twice"))
        else:
            seen.add(folded)
            kept.append(code)
    return kept, refused


def _offers(basket: Basket, customer_id: int | None, only: Collection[tuple[str, str]] | None) -> list[queries.Shown]:
    if basket.offers == "none":
        return []
    keys = None if basket.offers == "all" else set(basket.offers)
    if only is not None:
        keys = {name for kind, name in only if kind == OFFER}
    return queries.offers(customer_id, keys) if keys is None or keys else []


def _voucher(
    code: str, found: queries.Found | None, situation: Situation, person: queries.Person
) -> Candidate | Refusal:
    if found is None:
        return Refusal(code, VOUCHER, "unknown")
    document = found.document
    used = (person.pools or {}).get(found.pool_id, 0)
    reason = (
        _of_voucher(found, situation)
        or mismatch(document, situation)
        or _of_limits(document, used, found.pool_uses, found.pool_spent)
    )
    if reason:
        return Refusal(code, VOUCHER, *reason)
    return Candidate(
        code, VOUCHER, found.pool_id, document, found.id, found.available, _rest(document, found.pool_spent)
    )


def _of_voucher(found: queries.Found, situation: Situation) -> Reason | None:
    """What is wrong with this one code."""
    document = found.document
    if found.state != names.ISSUED:
        return ("void" if found.state == names.VOID else "not_issued"), {}
    if document.state != "active":
        return "paused", {}
    owner = found.customer_id
    if owner is not None and not document.transferable and owner != situation.customer_id:
        return ("unknown_customer" if situation.customer_id is None else "not_yours"), {}
    if document.benefit.type == "gift_card":
        if not found.available:
            return ("held" if found.held else "empty"), {}
    elif found.uses_max is not None and found.uses >= found.uses_max:
        return "used", {}
    if found.valid_from and situation.at < found.valid_from:
        return "early", {"day": found.valid_from.date().isoformat()}
    if found.valid_until and situation.at >= found.valid_until:
        # Until the end of a day is until the first instant of the next.
        last = found.valid_until - timedelta(seconds=1)
        return "late", {"day": last.astimezone(ZoneInfo(document.timezone or situation.zone)).date().isoformat()}
    return None


def _offer(offer: queries.Shown, situation: Situation, person: queries.Person) -> Candidate | Refusal:
    document = offer.document
    used = (person.offers or {}).get(offer.id, 0)
    reason: Reason | None = None
    if document.given and not offer.given:
        reason = "not_given", {}
    elif found := mismatch(document, situation) or _of_limits(document, used, offer.uses, offer.spent):
        reason = found
    elif document.activate and offer.activated_at is None:
        reason = "inactive", {}
    if reason:
        return Refusal(document.key, OFFER, *reason)
    return Candidate(document.key, OFFER, offer.id, document, rest=_rest(document, offer.spent))


def _of_limits(document: Usable, used: int, uses: int, spent: Decimal) -> Reason | None:
    limits = document.limits
    if limits.person is not None and used >= limits.person:
        return "person", {"most": limits.person}
    if limits.total is not None and uses >= limits.total:
        return "total", {}
    if limits.budget is not None and spent >= limits.budget:
        return "budget", {}
    return None


def _rest(document: Usable, spent: Decimal) -> Decimal | None:
    return None if document.limits.budget is None else document.limits.budget - spent


def answer(found: Evaluation) -> dict[str, Any]:
    """The evaluation for the caller, in the active language: JSON values, money as text with two places."""
    off: dict[int, Decimal] = {}
    for _, effect in found.effects:
        for number, share in effect.lines.items():
            off[number] = off.get(number, Decimal(0)) + share
    whole = isinstance(found.basket.offers, list)
    refused = [one for one in found.refused if one.kind == VOUCHER or whole]
    near = [one for one in found.refused if one.kind == OFFER and not whole and one.reason in NEAR]
    return {
        "currency": found.currency,
        "total": _money(found.total),
        "discount": _money(found.discount),
        "paid": _money(found.paid),
        "to_pay": _money(found.total - found.discount - found.paid),
        "shipping": _money(found.basket.shipping),
        "shipping_discount": _money(sum((effect.shipping for _, effect in found.effects), Decimal(0))),
        "lines": [
            {
                "no": line.no,
                "sku": line.facts.get("sku"),
                "gross": _money(line.gross),
                "discount": _money(off.get(line.no, Decimal(0))),
                "net": _money(line.gross - off.get(line.no, Decimal(0))),
            }
            for line in found.lines
        ],
        "applied": [_applied(candidate, effect) for candidate, effect in found.effects],
        "refused": [_refused(one) for one in refused],
        "recommendations": [_refused(one) for one in near],
        "valid": not any(one.kind == VOUCHER for one in found.refused),
    }


def _applied(candidate: Candidate, effect: Effect) -> dict[str, Any]:
    return {
        "name": candidate.name,
        "kind": candidate.kind,
        "key": candidate.document.key,
        "type": candidate.document.benefit.type,
        "sentence": wording.benefit(candidate.document),
        "discount": _money(effect.discount),
        "shipping": _money(effect.shipping),
        "paid": _money(effect.paid),
        "lines": {str(number): _money(share) for number, share in effect.lines.items()},
        "points": effect.points,
        "times": None if effect.times is None else str(effect.times),
        "on": list(effect.on),
        "spared": list(effect.spared),
        "most": getattr(candidate.document.benefit, "max", None) if effect.times else None,
        "next": effect.next_pool,
    }


def _refused(one: Refusal) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": one.kind,
        "reason": one.reason,
        "sentence": wording.refusal(one.reason, one.facts),
        **({"missing": one.facts["missing"]} if "missing" in one.facts else {}),
    }


def _money(value: Decimal) -> str:
    return f"{value:.2f}"
