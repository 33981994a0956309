"""The offers of one person: shown, activated, given."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from loyalty.events import facts, partitions
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.offers import queries, reasoning, wording
from loyalty.offers.definition import OfferDocument
from loyalty.offers.fitting import Reason, Situation, out_of_reach
from loyalty.offers.personal import Mine


@dataclass(frozen=True, slots=True)
class InWallet:
    """An offer as its owner sees it. `state`: `open` (to activate), `active` (used at the next purchase it fits) or
    `used` (as often as one may).
    """

    id: int
    key: str
    document: OfferDocument
    state: str
    activated_at: datetime | None
    given: bool
    uses: int
    mine: Mine | None = None

    @property
    def sentence(self) -> str:
        return wording.sentence(self.document)

    @property
    def why(self) -> str | None:
        """Why the person has a personal offer."""
        return reasoning.for_member(self.document, self.mine) if self.mine and self.mine.offered else None

    def plain(self) -> dict[str, Any]:
        """For the API."""
        document = self.document
        return {
            "key": self.key,
            "name": document.name,
            "description": document.description,
            "image": document.image,
            "type": document.benefit.type,
            "sentence": self.sentence,
            "why": self.why,
            "state": self.state,
            "activated_at": self.activated_at,
            "valid_to": document.when.end,
            "uses": self.uses,
            "uses_most": document.limits.person,
        }


def wallet(customer_id: int, *, now: datetime) -> list[InWallet]:
    """The offers for a customer now, those to activate first; a fixed number of queries."""
    return [one for one, reason in _judged(customer_id, queries.offers(customer_id), now) if reason is None]


def _judged(customer_id: int, offers: Sequence[queries.Shown], now: datetime) -> list[tuple[InWallet, Reason | None]]:
    documents = [one.document for one in offers]
    person = queries.person(customer_id, documents, [], [one.id for one in offers])
    situation = Situation(
        now, settings.TIME_ZONE, customer_id=customer_id, tiers=person.tiers, segments=person.segments
    )
    found = []
    for one in offers:
        document = one.document
        used = (person.offers or {}).get(one.id, 0)
        limits = document.limits
        reason = out_of_reach(document, situation)
        if document.given and not one.given:
            reason = "not_given", {}
        elif limits.total is not None and one.uses >= limits.total:
            reason = reason or ("total", {})
        elif limits.budget is not None and one.spent >= limits.budget:
            reason = reason or ("budget", {})
        state = "open" if document.activate and one.activated_at is None else "active"
        if limits.person is not None and used >= limits.person:
            state = "used"
        if one.mine is not None and one.given:
            # Whoever shows the description shows the reason with it.
            document = document.model_copy(update={"description": reasoning.described(document, one.mine)})
        shown = InWallet(one.id, document.key, document, state, one.activated_at, one.given, used, one.mine)
        found.append((shown, reason))
    return sorted(found, key=lambda pair: (("open", "active", "used").index(pair[0].state), pair[0].key))


def activate(customer_id: int, key: str, *, now: datetime) -> InWallet:
    """Put the offer to use at the next purchase that it fits; again, it changes nothing. Raises Problems."""
    offer = queries.offer(key)
    with transaction.atomic():
        partitions.ensure(now, now)
        _lock(customer_id)
        shown = queries.offers(customer_id, [key])
        if not shown:
            raise Problems([Problem("offer", wording.refusal("paused", {}))])
        [(one, reason)] = _judged(customer_id, shown, now)
        if reason is None and one.state == "used":
            reason = "person", {"most": one.document.limits.person}
        if reason:
            raise Problems([Problem("offer", wording.refusal(*reason))])
        if one.state == "active":
            return one
        _activated(customer_id, offer.pk, key, now)
    return replace(one, state="active", activated_at=now)


def _lock(customer_id: int) -> None:
    if not fetch(sql("SELECT id FROM customer WHERE id = {id} FOR NO KEY UPDATE", id=customer_id)):
        raise Problems([Problem("customer", "was merged or forgotten just now", "send it again")])


def _activated(customer_id: int, offer_id: int, key: str, now: datetime) -> None:
    execute(
        sql(
            "INSERT INTO offer_wallet (customer_id, offer_id, activated_at) VALUES ({customer}, {offer}, {now})"
            " ON CONFLICT (customer_id, offer_id) DO UPDATE SET activated_at = excluded.activated_at",
            customer=customer_id,
            offer=offer_id,
            now=now,
        )
    )
    facts.write(
        "offer.activated",
        sql(
            "SELECT {customer}::bigint, {now}::timestamptz, {offer}::bigint, jsonb_build_object('offer', {key}::text)",
            customer=customer_id,
            now=now,
            offer=offer_id,
            key=key,
        ),
    )


def give(key: str, customer_ids: Sequence[int], *, now: datetime, activate: bool = False) -> int:
    """Put the offer into these people's wallets, activated or to activate; how many did not have it. Set-based."""
    offer = queries.offer(key)
    if "personal" in offer.definition:
        told = "is given to each person by its own rules, and to nobody by hand"
        raise Problems([Problem("offer", told, "its holdout would not be one any more; make another offer")])
    return execute(
        sql(
            "INSERT INTO offer_wallet (customer_id, offer_id, given_at, activated_at) SELECT c.id, {offer}, {now},"
            " CASE WHEN {activate} THEN {now}::timestamptz END FROM customer c WHERE c.id = ANY({ids}::bigint[])"
            " ORDER BY c.id FOR KEY SHARE"
            " ON CONFLICT (customer_id, offer_id) DO UPDATE SET given_at = excluded.given_at,"
            " activated_at = coalesce(offer_wallet.activated_at, excluded.activated_at)"
            " WHERE offer_wallet.given_at IS NULL",
            offer=offer.pk,
            now=now,
            activate=activate,
            ids=list(customer_ids),
        )
    )
