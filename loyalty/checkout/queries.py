"""Reads for tills: who somebody is in a few words, and what the cashier could recommend."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.cards import queries as cards
from loyalty.checkout import recommending
from loyalty.checkout.baskets import Basket
from loyalty.checkout.identifying import Known
from loyalty.checkout.models import StoreKey
from loyalty.checkout.selling import voucher_basket
from loyalty.kit.admin import localized
from loyalty.kit.sql import fetch, sql
from loyalty.offers import queries as offers
from loyalty.offers import redeeming
from loyalty.offers.baskets import MOST_CODES
from loyalty.program import queries as program
from loyalty.program.models import Member
from loyalty.program.setup import Setup
from loyalty.rewards import queries as rewards

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
    """What to tell the customer: vouchers and offers that would help here, what goes with what they buy, points that
    expire, what is missing to the next tier and to their wish."""
    member = program.member_of(known.customer_id, program_id=setup.id)
    skus = [item.sku for item in basket.items if item.sku]
    bought = recommending.bought_by(member.pk) if member else ()
    found = _better(basket, known, answer, now)
    found += [
        {"kind": "item", "sku": tip.sku, "name": tip.name, "because": tip.because or None, "sentence": tip.sentence}
        for tip in recommending.tips(skus, bought=bought, without=basket.without or ())
    ]
    return found + (hints(known.customer_id, member, setup=setup, now=now) if member else [])


def hints(customer_id: int, member: Member, *, setup: Setup, now: datetime) -> list[dict[str, Any]]:
    """What the cashier could say without looking at a basket: points that expire, the next tier, the wish."""
    found: list[dict[str, Any]] = []
    for one in program.balances(member.pk, setup=setup, now=now):
        if not one["expiring_soon"]:
            continue
        told = _("%(points)s %(unit)s expire soon: the next ones on %(day)s.")
        said = {
            "points": number_format(one["expiring_soon"], force_grouping=True),
            "unit": wallet_name(setup, one["wallet"]),
            "day": date_format(localtime(one["next_expiry"]), "SHORT_DATE_FORMAT"),
        }
        found.append(
            {
                "kind": "expiring_points",
                "points": one["expiring_soon"],
                "at": one["next_expiry"],
                "sentence": told % said,
            }
        )
    progress = program.tier_progress(member, setup=setup, now=now)
    if progress["next_tier"]:
        tier = next(one for one in setup.tiers if one.key == progress["next_tier"])
        told = _("%(missing)s more to reach %(tier)s.")
        said = {"missing": _missing(progress, setup), "tier": localized(tier.name, tier.key)}
        found.append(
            {"kind": "tier", "tier": tier.key, "missing": progress["missing"], "sentence": told % said},
        )
    wish = rewards.wish_of(customer_id, setup=setup, now=now)
    if wish is not None:
        name = localized(wish.name, wish.key)
        if wish.missing:
            told = _("Saves for %(reward)s: %(missing)s %(unit)s to go.")
            left = number_format(wish.missing, force_grouping=True)
            sentence = told % {"reward": name, "missing": left, "unit": wallet_name(setup, wish.wallet)}
        else:
            sentence = _("Saves for %(reward)s, and has enough for it.") % {"reward": name}
        found.append({"kind": "wish", "reward": wish.key, "missing": wish.missing, "sentence": sentence})
    return found


def wallet_name(setup: Setup, wallet: str) -> str:
    """What the points of a wallet are called."""
    one = setup.document.wallet(wallet)
    return localized(one.name, "") if one and one.name else _("points")


def _missing(progress: dict[str, Any], setup: Setup) -> str:
    """What is missing to the next tier, with its unit."""
    missing, by = progress["missing"], progress["measured_by"]
    if by == "visits":
        return ngettext("%(n)s purchase", "%(n)s purchases", int(missing)) % {"n": int(missing)}
    if by == "points":
        wallet = setup.document.tiers.wallet or setup.document.wallets[0].key
        return f"{number_format(int(missing), force_grouping=True)} {wallet_name(setup, wallet)}"
    return f"{number_format(missing, 2, force_grouping=True)} {setup.document.currency}"


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
