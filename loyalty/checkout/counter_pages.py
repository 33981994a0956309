"""The counter: pages for the staff of a store, for a scanner, a phone and a tablet."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST
from pydantic import ValidationError

from loyalty.checkout import counter, dues, identifying, queries, selling
from loyalty.checkout.baskets import Basket
from loyalty.checkout.models import Store
from loyalty.kit.admin import admin_page, localized, page
from loyalty.kit.clock import now
from loyalty.kit.problems import Problems, from_pydantic
from loyalty.offers import wallets
from loyalty.program import queries as program
from loyalty.program import step_up
from loyalty.program.models import Program
from loyalty.program.setup import Setup, load
from loyalty.rewards import handing, wording
from loyalty.rewards import queries as rewards
from loyalty.rewards.definition import Price
from loyalty.rewards.shapes import Order

USE, REDEEM = "checkout.use_counter", "checkout.redeem_counter"
# Only who was identified here lately is shown: nobody leafs through customers by number.
SEEN, SEEN_FOR, MOST_SEEN = "counter", 30 * 60, 20
ROWS, MOST_ROWS = 4, 40


def _remember(request: HttpRequest, customer_id: int, at: datetime) -> None:
    seen = request.session.get(SEEN, {})
    seen[str(customer_id)] = int(at.timestamp())
    request.session[SEEN] = dict(sorted(seen.items(), key=lambda one: one[1])[-MOST_SEEN:])


def _fresh(request: HttpRequest, customer_id: int, at: datetime) -> bool:
    return int(request.session.get(SEEN, {}).get(str(customer_id), 0)) > at.timestamp() - SEEN_FOR


def _program(request: HttpRequest) -> Setup | None:
    """The program that is chosen, else the first."""
    keys = list(Program.objects.order_by("id").values_list("key", flat=True))
    chosen = request.POST.get("program") or request.session.get("counter_program")
    return load(chosen if chosen in keys else keys[0]) if keys else None


def _to(name: str, *args: Any) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse(f"admin:{name}", args=args))


@admin_page("counter/", name="checkout_counter", permission=USE)
@require_http_methods(["GET", "HEAD", "POST"])
def scan(request: HttpRequest) -> HttpResponseBase:
    """One field for a scanner or a keyboard: who stands at the counter."""
    setup, at, wrong = _program(request), now(), ""
    if request.method == "POST" and setup is not None:
        request.session["counter_program"] = setup.key
        try:
            with transaction.atomic():
                known = counter.find(request.POST.get("who", ""), now=at)
        except Problems as problems:
            wrong = _unknown(problems)
        else:
            _remember(request, known.customer_id, at)
            return _to("checkout_counter_customer", known.customer_id)
    programs = [(one.key, localized(one.name, one.key)) for one in Program.objects.order_by("id")]
    context = {
        "title": _("Counter"),
        "store": _named(counter.store_of(request.user.pk)),
        "wrong": wrong,
        "programs": programs if len(programs) > 1 else [],
        "program": setup.key if setup else "",
        "no_program": setup is None,
    }
    return page(request, "admin/checkout/counter.html", context)


def _named(store: Store | None) -> str:
    return localized(store.name, store.key) if store else ""


def _unknown(problems: Problems) -> str:
    """Why nobody was found, to whoever serves."""
    said = " ".join(one.problem for one in problems.problems)
    if "blocked" in said or "replaced" in said:
        return _("This card was blocked or replaced. Who shows it may have found it: ask for another way to find them.")
    if "several customers" in said:
        return _("Several customers share this number or address. Ask for the card.")
    if "expired" in said or "older" in said or "too old" in said:
        return _("This code is too old. Let the customer open the card on the phone again.")
    return _("Nobody was found by this. Look at it again, or ask for the card, the phone number or the email address.")


def _serving(work: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """The page gets the program and the time; who was not identified here lately is scanned again."""

    def served(request: HttpRequest, number: int, **given: Any) -> HttpResponseBase:
        at, setup = now(), _program(request)
        if setup is None or not _fresh(request, number, at):
            messages.warning(request, _("Please scan the card again: half an hour has passed."))
            return _to("checkout_counter")
        return work(request, number, setup=setup, at=at, **given)

    return served


@admin_page("counter/<int:number>/", name="checkout_counter_customer", permission=USE)
@require_http_methods(["GET", "HEAD", "POST"])
@_serving
def customer(request: HttpRequest, number: int, *, setup: Setup, at: datetime) -> HttpResponseBase:
    """What the customer has, and what a basket would bring (POST changes nothing)."""
    store = counter.store_of(request.user.pk)
    rows, outcome, wrong = [{"sku": "", "quantity": "1", "price": ""}] * ROWS, None, ""
    if request.method == "POST":
        rows = _rows(request)
        try:
            outcome = _simulated(rows, number, store.key if store else None, setup, at)
        except Problems as problems:
            wrong = _mistake(problems)
        rows += [{"sku": "", "quantity": "1", "price": ""}] * max(1, ROWS - len(rows))
    seen = counter.customer(number, setup=setup, now=at)
    if seen is None:
        return _to("checkout_counter")
    context = {
        "title": seen.name or _("Customer without a name"),
        "seen": seen,
        "state": seen.member.get_state_display() if seen.member else "",
        "active": bool(seen.member and seen.member.state == "active"),
        "offers": [(one, localized(one.document.name, one.key)) for one in seen.offers],
        "vouchers": [(one, localized(one["name"], one["pool"])) for one in seen.vouchers],
        "rewards": [
            (one, localized(one.name, one.key), " / ".join(_price(price, one, setup) for price in one.prices))
            for one in seen.rewards
        ],
        "dues": [(one, localized(one["name"], one["reward"])) for one in seen.dues],
        "redeemed": [(one, localized(one["name"], one["reward"])) for one in seen.redeemed],
        "store": _named(store),
        "rows": rows[:MOST_ROWS],
        "outcome": outcome,
        "wrong": wrong,
        "may_redeem": request.user.has_perm(REDEEM),
        "profile": request.user.has_perm("customers.view_customer"),
        "currency": setup.document.currency,
    }
    return page(request, "admin/checkout/counter_customer.html", context)


def _price(price: Price, item: rewards.Offered, setup: Setup) -> str:
    """`300 beans + 4.90 EUR`."""
    points = f"{number_format(price.points, force_grouping=True)} {queries.wallet_name(setup, item.wallet)}"
    money = f"{number_format(price.money, 2, force_grouping=True)} {item.currency}" if price.money is not None else ""
    return " + ".join(part for part in (points if price.points else "", money) if part) or _("free of charge")


def _rows(request: HttpRequest) -> list[dict[str, str]]:
    columns = [request.POST.getlist(name)[:MOST_ROWS] for name in ("sku", "quantity", "price")]
    rows = [
        dict(zip(("sku", "quantity", "price"), (one.strip() for one in row), strict=True))
        for row in zip(*columns, strict=False)
    ]
    return [row for row in rows if row["sku"] or row["price"]]


def _decimal(text: str) -> Decimal | None:
    """The amount as people write it: a comma or a point before the cents."""
    text = text.replace(" ", "").replace("\u00a0", "")
    text = text.replace(".", "").replace(",", ".") if "," in text else text
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _simulated(
    rows: list[dict[str, str]], customer_id: int, store: str | None, setup: Setup, at: datetime
) -> dict[str, Any]:
    """What a purchase of these lines would do, as the till is told it; taken back. Raises Problems."""
    reference = identifying.reference_of(customer_id)
    items = []
    for row in rows:
        price, quantity = _decimal(row["price"] or "0"), _decimal(row["quantity"] or "1")
        items.append({"sku": row["sku"] or None, "price": price, "quantity": quantity})
    given: dict[str, Any] = {
        "id": f"counter {uuid4().hex}", "customer": reference, "items": items, "offers": "all", "mode": "best",
    }  # fmt: skip
    try:
        basket = Basket.model_validate(given | ({"store": store} if store else {}))
    except ValidationError as error:
        raise Problems(from_pydantic(error)) from None
    known = identifying.Known(customer_id, reference, "counter")
    with transaction.atomic():
        sold = selling.sell(basket, setup=setup, now=at)
        outcome = program.outcome(sold.booking_id, setup=setup, now=at)
        outcome |= {"vouchers": sold.vouchers, "total": basket.total}
        transaction.set_rollback(True)
    # What stands above the basket already is not said twice.
    found = queries.recommendations(basket, known, answer=sold.vouchers, setup=setup, now=at)
    outcome["tips"] = [one for one in found if one["kind"] not in ("expiring_points", "tier", "wish")]
    outcome["earned"] = [
        (queries.wallet_name(setup, wallet), sum(one["points"] for one in outcome["earned"] if one["wallet"] == wallet))
        for wallet in dict.fromkeys(one["wallet"] for one in outcome["earned"])
    ]
    return outcome


def _mistake(problems: Problems) -> str:
    where = problems.problems[0].where if problems.problems else ""
    if where.startswith("items"):
        return _("A line cannot be read: an article, a number and a price such as 12.50.")
    if where == "customer":
        return _("This customer is no active member, or cannot be found by a card yet.")
    return str(problems.problems[0]) if problems.problems else _("This cannot be reckoned.")


@admin_page("counter/<int:number>/note/", name="checkout_counter_note", permission=USE)
@require_POST
@_serving
def note(request: HttpRequest, number: int, *, setup: Setup, at: datetime) -> HttpResponseBase:
    """Put a note on the customer's timeline."""
    store = counter.store_of(request.user.pk)
    try:
        counter.note(
            number, request.POST.get("note", ""), by=request.user.get_username(), store=store.key if store else None,
            now=at,
        )  # fmt: skip
    except Problems:
        messages.error(request, _("Write a note of up to %(n)s characters.") % {"n": counter.LONGEST_NOTE})
    else:
        messages.success(request, _("Noted."))
    return _to("checkout_counter_customer", number)


@admin_page("counter/<int:number>/activate/", name="checkout_counter_activate", permission=USE)
@require_POST
@_serving
def activate(request: HttpRequest, number: int, *, setup: Setup, at: datetime) -> HttpResponseBase:
    """Put an offer to use for the customer, who asks for it."""
    try:
        wallets.activate(number, request.POST.get("offer", "")[:100], now=at)
    except Problems as problems:
        messages.error(request, str(problems.problems[0].problem))
    else:
        messages.success(request, _("The offer counts at the next purchase that it fits."))
    return _to("checkout_counter_customer", number)


@admin_page("counter/<int:number>/redeem/<str:key>/", name="checkout_counter_redeem", permission=REDEEM)
@require_http_methods(["GET", "HEAD", "POST"])
@_serving
def redeem(request: HttpRequest, number: int, *, setup: Setup, at: datetime, key: str) -> HttpResponseBase:
    """Ask, then redeem a reward and hand it over."""
    offered = rewards.shop(setup=setup, now=at, customer_id=number, key=key[:100])
    seen = counter.customer(number, setup=setup, now=at)
    if not offered or seen is None:
        messages.error(request, _("This reward is not there for this customer."))
        return _to("checkout_counter_customer", number)
    item, store = offered[0], counter.store_of(request.user.pk)
    if request.method == "POST":
        said, fine = _redeemed(request, number, item, seen.name, store, setup, at)
        (messages.success if fine else messages.error)(request, said)
        return _to("checkout_counter_customer", number)
    context = {
        "title": localized(item.name, item.key),
        "number": number,
        "seen": seen,
        "item": item,
        "prices": [(place, _price(price, item, setup), price.money) for place, price in enumerate(item.prices)],
        "money": any(price.money is not None for price in item.prices),
        "slots": [slot for slot in item.slots if slot.taken < slot.places],
        "token": uuid4().hex,
        "pin": step_up.needed(setup, points=max(price.points for price in item.prices)),
        "sent": item.type == "physical" and counter.pickup(store, seen.name) is None,
        "withdrawal": wording.withdrawal(item.loaded.document),
    }
    return page(request, "admin/checkout/counter_redeem.html", context)


def _redeemed(
    request: HttpRequest, number: int, item: rewards.Offered, name: str, store: Store | None, setup: Setup, at: datetime
) -> tuple[str, bool]:
    """Redeem as the form says; what happened, and whether it did."""
    user, where = request.user.get_username(), store.key if store else "-"
    place = request.POST.get("price", "0")
    token = request.POST.get("token", "")[:32]
    order = Order(
        reward=item.key,
        price=int(place) if place.isdecimal() and len(place) < 3 else 0,
        identifier=f"counter {number} {token}" if token else None,
        address=counter.pickup(store, name),
        slot=next((one.starts_at for one in item.slots if one.starts_at.isoformat() == request.POST.get("slot")), None),
        payment=f"counter {where} {token}" if "paid" in request.POST else None,
        pin=request.POST.get("pin", "")[:20] or None,
        note=_("Handed over at %(store)s") % {"store": where} if store else None,
    )
    try:
        with transaction.atomic():
            done = dues.redeem(
                order, customer_id=number, setup=setup, now=at, way="counter", source="member", actor=user
            )
            owed = dues.dues(redemption_id=done.redemption_id, state=dues.OPEN)[0]
            if not owed and not item.slots and done.state != "delivered":
                handing.hand_over(done.redemption_id, now=at, actor=user)
    except step_up.PinRefused as refused:
        return str(refused.problems[0]), False
    except Problems as problems:
        return _stands_against(problems), False
    if owed:
        return _("Ordered. %(amount)s are still to be paid; hand it over then.") % {
            "amount": f"{owed[0]['amount']} {owed[0]['currency']}"
        }, True
    text = ngettext("Redeemed for %(n)s point: hand it over.", "Redeemed for %(n)s points: hand it over.", done.points)
    return text % {"n": done.points}, True


def _stands_against(problems: Problems) -> str:
    where = problems.problems[0].where.partition(".")[0] if problems.problems else ""
    return {
        "points": _("There are too few points for this."),
        "address": _("Your store has no address, so this reward can only be sent: let the customer order it."),
        "slot": _("Choose a date that is free."),
        "payment": _("Take the money first."),
        "stock": _("This is sold out."),
        "quantity": _("This is sold out."),
        "customer": _("This customer is no active member."),
    }.get(where, str(problems.problems[0]) if problems.problems else _("That did not work; nothing was taken."))


@admin_page("counter/<int:number>/paid/<int:redemption>/", name="checkout_counter_paid", permission=REDEEM)
@require_POST
@_serving
def paid(request: HttpRequest, number: int, *, setup: Setup, at: datetime, redemption: int) -> HttpResponseBase:
    """Take the money for an order of the customer, and hand it over where it is ticked."""
    user, store = request.user.get_username(), counter.store_of(request.user.pk)
    try:
        with transaction.atomic():
            found = dues.dues(customer_id=number, redemption_id=redemption)[0]
            reference = f"counter {store.key if store else '-'} #{redemption}"
            if not found or not dues.pay(redemption, reference=reference, by=user, now=at):
                messages.warning(request, _("Nothing is due for this."))
                return _to("checkout_counter_customer", number)
            if "along" in request.POST:
                handing.hand_over(redemption, now=at, actor=user)
    except Problems as problems:
        messages.error(request, str(problems.problems[0]))
    else:
        messages.success(request, _("Paid. Thank you."))
    return _to("checkout_counter_customer", number)
