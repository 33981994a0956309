"""What tills call: identify, simulate, reserve, commit, void, return; receipts of those who showed no card."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from ninja import Body, Router

from loyalty.access.auth import ApiAuth
from loyalty.checkout import due_calls, identifying, offline, queries, recommending, reversing, selling, unmatched
from loyalty.checkout.baskets import Basket, Reserved
from loyalty.checkout.selling import Conflict, Sold
from loyalty.checkout.shapes import (
    ClaimIn,
    HeldOut,
    IdentifyIn,
    IdentifyOut,
    QueueIn,
    QueueOut,
    ReleaseIn,
    ReleaseOut,
    SaleOut,
)
from loyalty.customers import queries as customers
from loyalty.events import queue
from loyalty.kit import clock
from loyalty.kit.errors import ApiError
from loyalty.kit.problems import Problem, Problems
from loyalty.program import membership, step_up
from loyalty.program import queries as program
from loyalty.program.models import Program
from loyalty.program.receipts import Return, Void, late_or_early, read
from loyalty.program.setup import Setup, load

router = Router(tags=["checkout"])
router.add_router("", due_calls.router)
READ, WRITE = ApiAuth("loyalty:read"), ApiAuth("loyalty:write")
REFUSED = "The transaction was refused; nothing was booked."


def _refusing(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer of the work; refusals are 409 where something else happened to the same thing, else 422."""
    try:
        return work()
    except Problems as error:
        status = 409 if isinstance(error, Conflict) or any(one.where == "id" for one in error.problems) else 422
        raise ApiError(status, REFUSED, error.problems) from None


def _of_store(request: HttpRequest, basket: Basket) -> Basket:
    """The basket with the store for which the key speaks; another one is refused."""
    key: Any = request.auth  # type: ignore[attr-defined]
    store = queries.store_of_key(key.pk)
    if store is None or basket.store == store:
        return basket
    if basket.store is not None:
        raise ApiError(403, f"This key speaks for the store {store!r} only.")
    bound = basket.model_copy(update={"store": store})
    bound.model_fields_set.add("store")
    return bound


def _answer(sold: Sold, setup: Setup, *, status: str, now: Any) -> dict[str, Any]:
    found = program.outcome(sold.booking_id, setup=setup, now=now)
    if sold.vouchers is not None:
        found |= {name: sold.vouchers[name] for name in ("discount", "to_pay")} | {"vouchers": sold.vouchers}
    return found | {"status": status}


@router.post("/loyalty/identify", auth=WRITE, response=IdentifyOut, summary="Who stands at the till")
def identify(request: HttpRequest, body: IdentifyIn) -> dict[str, Any]:
    """By the code on a phone, a card, an external id, a phone number or an address: the first known one counts."""
    setup, now = load(body.program), clock.now()
    given = {kind: value for kind in identifying.PRIORITY if (value := getattr(body, kind))}
    with transaction.atomic():
        known = identifying.identify(given, now=now)
        return queries.person(known, setup=setup, now=now)


@router.post("/loyalty/transactions/simulate", auth=WRITE, response=SaleOut, summary="What a purchase would do")
def simulate_transaction(request: HttpRequest, body: Basket) -> dict[str, Any]:
    """The very same as commit, taken back at the end; with what the cashier could recommend."""
    setup, now = load(body.program), clock.now()
    basket = _of_store(request, body.model_copy(update={"mode": body.mode or "best"}))

    def work() -> dict[str, Any]:
        with transaction.atomic():
            sold = selling.sell(basket, setup=setup, now=now, proven=True)
            found = _answer(sold, setup, status="simulated", now=now) | {"booking": None}
            spends = basket.spend if isinstance(basket.spend, int) else sum((basket.spend or {}).values())
            found["pin_needed"] = step_up.needed(setup, points=spends)
            if basket.customer is not None:
                known = identifying.recognize(basket.customer, at=basket.occurred_at or now, now=now)
                found["recommendations"] = queries.recommendations(
                    basket, known, answer=sold.vouchers, setup=setup, now=now
                )
            transaction.set_rollback(True)
        return found

    return _refusing(work)


@router.post("/loyalty/transactions/reserve", auth=WRITE, response=HeldOut, summary="Hold what a basket is paid with")
def reserve_transaction(request: HttpRequest, body: Basket) -> dict[str, Any]:
    """Points, vouchers and offers are held for 15 minutes: nobody else takes them. Then commit, or release."""
    setup, now = load(body.program), clock.now()
    basket = _of_store(request, body)

    def work() -> dict[str, Any]:
        kept = selling.reserve(basket, setup=setup, now=now)
        answer = kept.vouchers or {}
        customer_id = customers.resolve([kept.customer])[0]
        member = program.member_of(customer_id, program_id=setup.id) if customer_id else None
        return {
            "reservation": str(kept.token),
            "id": basket.id,
            "status": "duplicate" if kept.repeated else "reserved",
            "ends_at": kept.ends_at,
            "to_pay": answer.get("to_pay"),
            "discount": answer.get("discount"),
            "vouchers": kept.vouchers,
            "balances": program.balances(member.pk, setup=setup, now=now) if member else [],
        }

    return _refusing(work)


@router.post("/loyalty/transactions/release", auth=WRITE, response=ReleaseOut, summary="Let go of a reservation")
def release_reservation(request: HttpRequest, body: ReleaseIn) -> dict[str, Any]:
    """The customer does not buy after all."""
    setup = _setup_of(body.reservation)

    def work() -> dict[str, Any]:
        done = selling.release(body.reservation, setup=setup, now=clock.now())
        return {"reservation": body.reservation, "status": "released" if done else "over"}

    return _refusing(work)


def _setup_of(reservation: str) -> Setup:
    program_id = selling.program_of(reservation)
    found = Program.objects.filter(id=program_id) if program_id else Program.objects.none()
    key = found.values_list("key", flat=True).first()
    if key is None:
        raise ApiError(404, f"There is no reservation {reservation!r}.", code="not_found")
    return load(key)


# Either of two shapes; told apart by hand, so that a mistake is told for the one that was meant.
_COMMITTED = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"anyOf": [{"$ref": "#/components/schemas/Basket"}, Reserved.model_json_schema()]}
            }
        },
    }
}


@router.post(
    "/loyalty/transactions/commit",
    auth=WRITE,
    response=SaleOut,
    summary="Book a purchase",
    openapi_extra=_COMMITTED,
)
def commit_transaction(request: HttpRequest, body: Body[dict[str, Any]]) -> dict[str, Any]:
    """Takes the points paid with, uses vouchers and offers, and gives the points earned, or does nothing of it.

    With `reservation` the held basket is booked. `customer` null keeps a receipt that can be claimed by its code. The
    same `id` again changes nothing and answers the same.
    """
    now = clock.now()
    shape: type[Reserved | Basket] = Reserved if "reservation" in body else Basket
    given, wrong = read(shape, body)
    if wrong or (wrong := late_or_early(given.occurred_at, now)):
        raise Problems(wrong)
    if isinstance(given, Reserved):
        setup = _setup_of(given.reservation)
    else:
        setup, given = load(given.program), _of_store(request, given)

    def work() -> dict[str, Any]:
        with transaction.atomic():
            if isinstance(given, Reserved):
                sold = selling.commit_reserved(given, setup=setup, now=now)
            elif given.customer is None:
                return _keep(given, setup, now)
            else:
                sold = selling.sell(given, setup=setup, now=now)
            return _answer(sold, setup, status="duplicate" if sold.repeated else "committed", now=now)

    answer = _refusing(work)
    if isinstance(given, Basket):
        recommending.learn_names(((item.sku, item.name) for item in given.items), now=now)
    queue.wake()
    return answer


def _keep(basket: Basket, setup: Setup, now: Any) -> dict[str, Any]:
    """Keep the receipt of somebody unknown."""
    wrong = []
    if basket.codes or basket.offers != "none" or basket.spend is not None:
        wrong.append(Problem("customer", "is missing", "vouchers, offers and points need somebody who has them"))
    if wrong:
        raise Problems(wrong)
    kept = unmatched.keep([basket], setup=setup, now=now)[0]
    if isinstance(kept, list):
        raise Conflict(kept)
    return {
        "status": "duplicate" if kept.repeated else "unmatched",
        "booking": None,
        "id": basket.id,
        "kind": "receipt",
        "amount": kept.amount,
        "earned": [],
        "points": 0,
        "spent": {},
        "reversed": {},
        "refunded": {},
        "balances": [],
        "tier": None,
        "claim_code": kept.printed,
    }


def _program_of(identifier: str) -> Setup:
    """The program in which that purchase was booked, or its receipt kept."""
    found = program.program_of_purchase(identifier)
    if found is None and (kept := unmatched.find(identifier)) is not None:
        found = Program.objects.filter(id=kept.program_id).values_list("key", flat=True).first()
    if found is None:
        raise ApiError(404, f"There is no transaction {identifier!r}.", code="not_found")
    return load(found)


def _reversed(body: Return | Void, work: Callable[..., reversing.Reversed], kind: str) -> dict[str, Any]:
    setup, now = _program_of(body.transaction), clock.now()

    def run() -> dict[str, Any]:
        with transaction.atomic():
            done = work(body.model_dump(exclude_unset=True), setup=setup, now=now)
            status = "duplicate" if done.repeated else "committed"
            if done.booking_id is None:
                nothing: dict[str, Any] = {"spent": {}, "reversed": {}, "refunded": {}, "earned": [], "balances": []}
                known = {"booking": None, "id": body.id, "kind": kind, "amount": done.amount, "points": 0, "tier": None}
                return nothing | known | {"status": status}
            found = program.outcome(done.booking_id, setup=setup, now=now)
            return found | {"status": status, "vouchers_restored": done.restored}

    answer = _refusing(run)
    queue.wake()
    return answer


@router.post("/loyalty/transactions/return", auth=WRITE, response=SaleOut, summary="Take lines of a purchase back")
def return_transaction(request: HttpRequest, body: Return) -> dict[str, Any]:
    """Reverses exactly the lots that the lines had earned, and gives back their share of the points paid with.

    When nothing is left of the purchase, its vouchers can be used again, as their pools say.
    """
    return _reversed(body, reversing.give_back, "return")


@router.post("/loyalty/transactions/void", auth=WRITE, response=SaleOut, summary="Undo a purchase")
def void_transaction(request: HttpRequest, body: Void) -> dict[str, Any]:
    """Everything that has not come back yet does; again, it changes nothing."""
    return _reversed(body, reversing.void, "void")


@router.post("/loyalty/transactions/batch", auth=WRITE, response=QueueOut, summary="Book purchases of an offline till")
def commit_batch(request: HttpRequest, body: QueueIn) -> dict[str, Any]:
    """Up to 5,000 a call: the good ones are booked, the bad ones come back with every mistake."""
    setup = load(body.program)
    key: Any = request.auth  # type: ignore[attr-defined]
    rows = body.transactions
    if (store := queries.store_of_key(key.pk)) is not None:
        rows = [{**row, "store": store} if isinstance(row, dict) else row for row in rows]
    done = offline.commit_all(rows, setup=setup, now=clock.now(), sent_at=body.sent_at)
    booked = [row for place, row in enumerate(rows) if place not in done.rejected]
    items = [item for row in booked for item in row.get("items") or ()]
    recommending.learn_names(((item.get("sku"), item.get("name")) for item in items), now=clock.now())
    queue.wake()
    return {
        "accepted": done.accepted,
        "duplicates": done.duplicates,
        "rejected": [
            {"index": index, "problems": [problem.within(f"transactions[{index}]").as_dict() for problem in problems]}
            for index, problems in sorted(done.rejected.items())
        ],
        "receipts": [{"index": place, "claim_code": kept.printed} for place, kept in sorted(done.receipts.items())],
    }


@router.post("/loyalty/receipts/claim", auth=WRITE, response=SaleOut, summary="Claim a receipt without a card")
def claim_receipt(request: HttpRequest, body: ClaimIn) -> dict[str, Any]:
    """Books the receipt for the customer who has its code, or knows its number, day and amount."""
    setup, now = load(body.program), clock.now()
    customer_id = customers.resolve([body.customer])[0]
    if customer_id is None:
        raise Problems([Problem("customer", "nobody is known by this", "create the customer first")])
    members = membership.of_customers([customer_id], program_id=setup.id)
    if not members and setup.document.join != "automatic":
        raise Problems([membership.unfit("none")])
    key: Any = request.auth  # type: ignore[attr-defined]

    def work() -> dict[str, Any]:
        done = unmatched.claim(
            customer_id=customer_id, reference=body.customer, setup=setup, now=now, actor=f"API key {key.name}",
            code=body.code, number=body.number, day=body.day, amount=body.amount, store=body.store,
        )  # fmt: skip
        status = "duplicate" if done.repeated else "committed"
        return program.outcome(done.booking_id, setup=setup, now=now) | {"status": status}

    answer = _refusing(work)
    queue.wake()
    return answer
