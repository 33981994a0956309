"""Reads for tills: who somebody is in a few words, and what the cashier could recommend."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from loyalty.cards import queries as cards
from loyalty.checkout.baskets import Basket
from loyalty.checkout.identifying import Known
from loyalty.checkout.models import StoreKey
from loyalty.checkout.selling import voucher_basket
from loyalty.kit.sql import fetch, sql
from loyalty.offers import queries as offers
from loyalty.offers import redeeming
from loyalty.offers.baskets import MOST_CODES
from loyalty.program import queries as program
from loyalty.program.setup import Setup

USABLE = "usable"


def store_of_key(api_key_id: int) -> str | None:
    """The store for which an API key speaks; None for one that speaks for all."""
    return StoreKey.objects.filter(api_key_id=api_key_id).values_list("store__key", flat=True).first()


def person(known: Known, *, setup: Setup, now: datetime) -> dict[str, Any]:
    """What the cashier needs to see of a customer, and no more."""
    external_id, first_name, locale = fetch(
        sql("SELECT external_id, first_name, locale FROM customer WHERE id = {id}", id=known.customer_id)
    )[0]
    member = program.member_of(known.customer_id, program_id=setup.id)
    vouchers = offers.of_customer(known.customer_id, now=now)
    return {
        "program": setup.key,
        "customer": external_id,
        "reference": {"external_id": known.reference} if isinstance(known.reference, str) else known.reference,
        "identified_by": known.by,
        "conflicts": known.conflicts,
        "first_name": first_name,
        "locale": locale,
        "member": member.pk if member else None,
        "state": member.state if member else "none",
        "tier": program.tier_progress(member, setup=setup, now=now) if member else None,
        "balances": program.balances(member.pk, setup=setup, now=now) if member else [],
        "card": cards.card_of(known.customer_id),
        "vouchers": [
            {"code": one["code"], "pool": one["pool"], "name": one["name"], "valid_until": one["valid_until"]}
            for one in vouchers
            if one["status"] == USABLE
        ],
    }


def recommendations(
    basket: Basket, known: Known, *, answer: dict[str, Any] | None, setup: Setup, now: datetime
) -> list[dict[str, Any]]:
    """What to tell the customer: vouchers and offers that would help here, points that expire, what is missing."""
    found = _better(basket, known, answer, now)
    member = program.member_of(known.customer_id, program_id=setup.id)
    if member is None:
        return found
    first = next((one for one in program.balances(member.pk, setup=setup, now=now)), None)
    if first and first["expiring_soon"]:
        told = _("%(points)s points expire soon: the next ones on %(day)s.")
        day = first["next_expiry"].date().isoformat()
        found.append(
            {
                "kind": "expiring_points",
                "points": first["expiring_soon"],
                "at": first["next_expiry"],
                "sentence": told % {"points": first["expiring_soon"], "day": day},
            }
        )
    progress = program.tier_progress(member, setup=setup, now=now)
    if progress["next_tier"]:
        told = _("%(missing)s more to reach %(tier)s.")
        found.append(
            {
                "kind": "tier",
                "tier": progress["next_tier"],
                "missing": progress["missing"],
                "sentence": told % {"missing": progress["missing"], "tier": progress["next_tier"]},
            }
        )
    return found


def _better(basket: Basket, known: Known, answer: dict[str, Any] | None, now: datetime) -> list[dict[str, Any]]:
    """The customer's vouchers and offers that save more than those named, and offers that are nearly reached."""
    if not basket.items:
        return []
    mine = [
        one["code"] for one in offers.of_customer(known.customer_id, now=now) if one["status"] == USABLE and one["code"]
    ]
    codes = list(dict.fromkeys([*basket.codes, *mine]))[:MOST_CODES]
    asked = basket.model_copy(update={"codes": codes, "offers": "all", "mode": "best"})
    asked.model_fields_set.update({"codes", "offers"})
    best = redeeming.validate(voucher_basket(asked, known.reference, None), now=now)
    used = {(one["kind"], one["name"]) for one in (answer or {}).get("applied", [])}
    saves = Decimal(best["discount"]) + Decimal(best["paid"])
    now_saves = Decimal((answer or {}).get("discount", 0)) + Decimal((answer or {}).get("paid", 0))
    found = [
        {
            "kind": one["kind"],
            "name": one["name"],
            "sentence": one["sentence"],
            "saves": str(Decimal(one["discount"]) + Decimal(one["paid"])),
            "points": one["points"],
        }
        for one in best["applied"]
        if (one["kind"], one["name"]) not in used and (saves > now_saves or one["points"] or one["times"])
    ]
    return found + [{**one, "kind": f"{one['kind']}_nearly"} for one in best["recommendations"]]
