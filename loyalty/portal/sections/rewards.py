"""Rewards: the shop in the order that fits the member, the wish, and what was redeemed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.http import Http404
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.checkout import dues
from loyalty.kit.problems import Problems
from loyalty.portal.section import Refused, Tile, sections
from loyalty.portal.texts import amount_of, day, localized, moment, number
from loyalty.portal.visit import Visitor
from loyalty.portal.wording import to_go, unit
from loyalty.program import step_up
from loyalty.program.setup import Setup
from loyalty.rewards import fulfillment, names, queries, redeeming, wishes, wording
from loyalty.rewards.definition import Price
from loyalty.rewards.models import Redemption, Reward
from loyalty.rewards.orders import ADDRESS, NEEDED
from loyalty.rewards.queries import Offered
from loyalty.rewards.shapes import Order

MOST_SHOWN = 60
LATEST = 10
# The member's own part of an address, in the order in which it is asked for.
ASKED = ("name", "street", "postcode", "city", "country")


@sections.register("rewards")
class Rewards:
    rank = 10
    icon = "gift"
    after_leaving = True

    def title(self) -> str:
        return _("Rewards")

    def available(self, visitor: Visitor) -> bool:
        """There is a reward on the shelf."""
        setup = visitor.setup
        return setup is not None and Reward.objects.filter(program_id=setup.id, state="active").exists()

    def tile(self, visitor: Visitor) -> Tile | None:
        """The wish and what is missing for it, else how much can be had now."""
        if visitor.setup is None:
            return None
        offered = queries.shop(setup=visitor.setup, now=visitor.now, customer_id=visitor.customer_id)
        if not offered:
            return None
        wish = next((one for one in offered if one.wished), None)
        if wish is not None:
            name = localized(wish.name, wish.key)
            if not wish.missing:
                return Tile(_("%(reward)s: you have enough") % {"reward": name}, percent=100)
            return Tile(f"{name}: {to_go(wish.missing, wish.wallet, visitor.club)}", percent=_percent(wish))
        count = sum(1 for one in offered if not one.why_not)
        if count:
            text = ngettext("%(n)s reward is within your reach", "%(n)s rewards are within your reach", count)
            return Tile(text % {"n": count}, str(count))
        return Tile(_("See what you can save for"))

    def page(self, visitor: Visitor, query: Mapping[str, str]) -> dict[str, Any]:
        """The shelf, one reward, or what was redeemed."""
        setup = visitor.club
        if "reward" in query:
            return self._one(visitor, query["reward"])
        category = query.get("category", "")
        offered = queries.shop(setup=setup, now=visitor.now, customer_id=visitor.customer_id, category=category)
        rows, _more = queries.redemptions(customer_id=visitor.customer_id, program_id=setup.id, limit=LATEST)
        return {
            "one": None,
            "items": [_shown(item, setup, visitor) for item in offered[:MOST_SHOWN]],
            "categories": [(key, localized(name, key)) for key, name in queries.categories(setup.id)],
            "category": category,
            "orders": _orders(rows, visitor),
        }

    def _one(self, visitor: Visitor, key: str) -> dict[str, Any]:
        setup = visitor.club
        found = queries.shop(setup=setup, now=visitor.now, customer_id=visitor.customer_id, key=key[:50])
        if not found:
            raise Http404("There is no such reward.")
        item, person = found[0], visitor.person
        name = " ".join(part for part in (person.first_name, person.last_name) if part)
        known = {"name": name, "postcode": person.postcode, "city": person.city, "country": person.country}
        labels = {
            "name": (_("Name"), "name"),
            "street": (_("Street and number"), "street-address"),
            "postcode": (_("Postcode"), "postal-code"),
            "city": (_("Town"), "address-level2"),
            "country": (_("Country, two letters such as DE"), "country"),
        }
        return {
            "one": _shown(item, setup, visitor),
            "description": localized(item.text, ""),
            "parts": [(localized(part, of), count) for of, part, count in item.items],
            "prices": [
                (place, _price(price, item, setup), price.money is None or _payable(visitor, item))
                for place, price in enumerate(item.prices)
            ],
            "ways": [
                (way, {"counter": _("at the counter, when I collect it"), "invoice": _("by invoice")}[way])
                for way in visitor.look.document.pay
            ]
            if _payable(visitor, item) and any(price.money is not None for price in item.prices)
            else [],
            "slots": [
                (slot.starts_at.isoformat(), moment(slot.starts_at), slot.taken < slot.places) for slot in item.slots
            ],
            "address": [(field, *labels[field], known.get(field) or "") for field in ASKED]
            if item.type == names.PHYSICAL
            else [],
            "withdrawal": wording.withdrawal(item.loaded.document),
            "token": uuid4().hex,
            "pin": step_up.needed(setup, points=max(price.points for price in item.prices)),
        }

    def act(self, visitor: Visitor, data: Mapping[str, str]) -> str:
        """Redeem, wish, wish no more, or cancel."""
        setup = visitor.club
        if "cancel" in data:
            return self._cancel(visitor, data["cancel"])
        key = data.get("reward", "")[:50]
        if "unwish" in data:
            wishes.clear_wish(customer_id=visitor.customer_id, setup=setup)
            return _("You save for nothing in particular now.")
        if "wish" in data:
            wishes.set_wish(customer_id=visitor.customer_id, reward=key, setup=setup, now=visitor.now)
            return _("Noted: we show you how far you are.")
        try:
            order, ways = _order(visitor, key, data), visitor.look.document.pay
            if ways:
                way = data["way"] if data.get("way") in ways else ways[0]
                done = dues.redeem(order, customer_id=visitor.customer_id, setup=setup, now=visitor.now, way=way)
            else:
                done = redeeming.redeem(order, customer_id=visitor.customer_id, setup=setup, now=visitor.now)
        except step_up.PinRefused as refused:
            raise Refused(step_up.sentence(refused)) from None
        except Problems as problems:
            raise Refused(_refusal(problems)) from None
        if (due := dues.dues(redemption_id=done.redemption_id, state=dues.OPEN)[0]) and not done.repeated:
            owed = amount_of(due[0]["amount"], due[0]["currency"])
            return _("Ordered. %(amount)s are still to be paid; it is packed after that.") % {"amount": owed}
        if done.state == names.DELIVERED:
            return _("It is yours. You find it below, under “What I got”.")
        return _("Ordered. You find it below, under “What I got”.")

    def _cancel(self, visitor: Visitor, text: str) -> str:
        found = Redemption.objects.filter(customer_id=visitor.customer_id, parent_id=None)
        order_id = int(text) if text.isdecimal() and len(text) <= 18 else 0
        if not found.filter(pk=order_id).exists():
            raise Refused(_("There is no such order."))
        try:
            done = fulfillment.cancel(order_id, now=visitor.now, actor="portal", by_member=True)
        except Problems:
            raise Refused(_("It is too late to cancel this here. Please write to us.")) from None
        return ngettext("Cancelled. %(n)s point is back.", "Cancelled. %(n)s points are back.", done.points) % {
            "n": number(done.points)
        }


def _percent(item: Offered) -> int:
    price = min(one.points for one in item.prices)
    return max(0, min(100, (price - item.missing) * 100 // price)) if price else 100


def _payable(visitor: Visitor, item: Offered) -> bool:
    """Whether a part in money can be paid after the order: not for what is delivered at once."""
    parts = [item.loaded, *(part for part, _count in item.loaded.parts)]
    return bool(visitor.look.document.pay) and not any(one.at_once for one in parts)


def _price(price: Price, item: Offered, setup: Setup) -> str:
    points = f"{number(price.points)} {unit(setup, item.wallet)}" if price.points else ""
    money = amount_of(price.money, item.currency) if price.money is not None else ""
    return " + ".join(part for part in (points, money) if part) or _("free")


def _shown(item: Offered, setup: Setup, visitor: Visitor) -> dict[str, Any]:
    price = min(item.prices, key=lambda one: one.points)
    missing = to_go(item.missing, item.wallet, setup)
    reason = missing if item.reason in ("near", "other") and item.missing else ""
    return {
        "key": item.key,
        "name": localized(item.name, item.key),
        "image": item.image if (item.image or "").startswith(("https://", "/")) else None,
        "price": _price(price, item, setup),
        "reason": reason or wording.reason(item.reason, about=item.about, missing=item.missing),
        "why_not": missing if item.why_not == "points" else wording.why_not(item.why_not, missing=item.missing),
        "can": not item.why_not and (_payable(visitor, item) or any(one.money is None for one in item.prices)),
        "missing": item.missing,
        "percent": _percent(item),
        "wished": item.wished,
        "left": item.left if item.left is not None and item.left <= 10 else None,
    }


def _order(visitor: Visitor, key: str, data: Mapping[str, str]) -> Order:
    """What the form asked for; the token makes a second press of the button the same order."""
    address = {name: data[name].strip()[:200] for name in ADDRESS if data.get(name, "").strip()}
    if "country" in address:
        address["country"] = address["country"].upper()
    slot = None
    if data.get("slot"):
        try:
            slot = datetime.fromisoformat(data["slot"][:40])
        except ValueError:
            raise Refused(_("Please choose one of the dates.")) from None
        if slot.tzinfo is None:
            raise Refused(_("Please choose one of the dates."))
    price = data.get("price", "0")
    return Order(
        reward=key,
        price=int(price) if price.isdecimal() and len(price) < 3 else 0,
        identifier=f"portal {visitor.customer_id} {data.get('token', '')[:32]}" if data.get("token") else None,
        address=address if any(name in address for name in NEEDED) else None,
        slot=slot,
        pin=data.get("pin", "")[:20] or None,
    )


def _refusal(problems: Problems) -> str:
    """The first thing that stands against it, to the member."""
    where = problems.problems[0].where if problems.problems else ""
    return {
        "points": _("You have too few points for this."),
        "address": _("Please give your whole address; the country has two letters, such as DE."),
        "slot": _("This date is taken or missing. Please choose another one."),
        "payment": _("This price has a part in money. Please redeem it at the till."),
        "quantity": _("There are not so many left."),
        "reward": _("This cannot be had any more. Please choose another one."),
        "stock": _("This was sold out just now. Please choose another one."),
    }.get(where.partition(".")[0], _("That did not work; nothing was taken from you. Please try again."))


def _orders(rows: Sequence[Mapping[str, Any]], visitor: Visitor) -> list[dict[str, Any]]:
    """What was redeemed, with the wallet that paid and what is due; two queries however many."""
    found = Redemption.objects.filter(pk__in=[row["id"] for row in rows]).values_list("pk", "wallet_id")
    wallets, setup = dict(found), visitor.club
    keys = {number: key for key, number in setup.wallet_ids.items()}
    due = {one["redemption"]: one for one in dues.dues(customer_id=visitor.customer_id, limit=100)[0]}
    usual = setup.document.wallets[0].key
    return [_ordered(row, setup, keys.get(wallets.get(row["id"]) or 0, usual), due.get(row["id"])) for row in rows]


def _money_part(due: Mapping[str, Any]) -> tuple[str, str]:
    """What is said of the part in money, and how it stands out."""
    amount = {"amount": amount_of(due["amount"], due["currency"])}
    if due["state"] == dues.OPEN:
        if due["way"] == "counter":
            return _("%(amount)s to be paid at the counter") % amount, "heed"
        return _("%(amount)s to be paid by invoice") % amount, "heed"
    return {
        dues.PAID: (_("%(amount)s paid") % amount, "good"),
        dues.VOID: ("", ""),
        dues.REFUND: (_("%(amount)s will be paid back") % amount, "heed"),
        dues.REFUNDED: (_("%(amount)s paid back") % amount, "good"),
    }[due["state"]]


def _ordered(row: Mapping[str, Any], setup: Setup, wallet: str, due: Mapping[str, Any] | None) -> dict[str, Any]:
    codes = [*row["codes"], *(code for part in row["parts"] for code in part["codes"])]
    links = [one["link"] for one in (row, *row["parts"]) if one["link"]]
    return {
        "id": row["id"],
        "name": localized(row["name"], row["reward"]),
        "state": str(Redemption.State(row["state"]).label),
        "over": row["state"] == names.CANCELLED,
        "when": day(
            datetime.fromisoformat(row["ordered_at"]) if isinstance(row["ordered_at"], str) else row["ordered_at"]
        ),
        "points": f"{number(row['points'])} {unit(setup, wallet)}",
        "money": _money_part(due) if due else ("", ""),
        "codes": codes,
        "links": links,
        "tracking": row["tracking"],
        "cancel": row["state"] in (names.ORDERED, names.APPROVED),
    }
