"""The shop over HTTP: rewards as a customer sees them, redemptions and what becomes of them, wishes."""

from typing import Any

from django.http import Http404, HttpRequest
from ninja import Query, Router
from pydantic import ValidationError

from loyalty.access.auth import ApiAuth
from loyalty.customers import queries as customers
from loyalty.events import queue
from loyalty.kit import clock
from loyalty.kit.applying import put_document
from loyalty.kit.errors import ApiError
from loyalty.kit.problems import Problem, Problems, from_pydantic
from loyalty.kit.signatures import HEADER, BadSignature
from loyalty.program.setup import Setup, load
from loyalty.rewards import (
    fulfillment,
    names,
    queries,
    redeeming,
    supplier_orders,
    supplier_reports,
    suppliers,
    wishes,
)
from loyalty.rewards.bodies import (
    Address,
    CancelIn,
    RedemptionIn,
    RedemptionOut,
    RedemptionsOut,
    RedemptionsQuery,
    RewardOut,
    RewardsOut,
    RewardsQuery,
    StateIn,
    SupplierReportsIn,
    SupplierReportsOut,
    SuppliersOut,
    WishIn,
    WishOut,
    shown,
    told,
)
from loyalty.rewards.models import Redemption, Supplier
from loyalty.rewards.shapes import Order
from loyalty.rewards.supplier_reports import Report

router = Router(tags=["loyalty"])
READ, WRITE = ApiAuth("loyalty:read"), ApiAuth("loyalty:write")
LARGEST_REPORT = 1_000_000


def _customer(external_id: str) -> int:
    found = customers.resolve([external_id])[0]
    if found is None:
        raise Http404(f"There is no customer {external_id!r}.")
    return found


def _there(program: str | None) -> Setup:
    """The program of a thing that is asked for; without it the thing is not there either."""
    try:
        return load(program)
    except Problems as error:
        raise Http404(str(error)) from None


@router.get("/loyalty/rewards", auth=READ, response=RewardsOut, summary="The shop")
def read_rewards(request: HttpRequest, query: Query[RewardsQuery]) -> dict[str, Any]:
    """What the customer may see, the best for them first, each with the reason; `why_not` says why it cannot be had."""
    setup = load(query.program)
    found = queries.shop(
        setup=setup, now=clock.now(), customer_id=_customer(query.customer) if query.customer else None,
        search=query.search, category=query.category, type_=query.type, affordable=query.affordable,
    )  # fmt: skip
    return {
        "program": setup.key,
        "categories": [{"key": key, "name": name} for key, name in queries.categories(setup.id)],
        "rewards": [shown(offer) for offer in found],
    }


@router.get("/loyalty/rewards/{key}", auth=READ, response=RewardOut, summary="A reward")
def read_reward(
    request: HttpRequest, key: str, customer: str | None = None, program: str | None = None
) -> dict[str, Any]:
    """404 for one that is not on the shelf, or not for this customer."""
    found = queries.shop(
        setup=_there(program), now=clock.now(), customer_id=_customer(customer) if customer else None, key=key
    )
    if not found:
        raise Http404(f"There is no reward {key!r} on the shelf.")
    return shown(found[0])


@router.put("/loyalty/rewards/{key}", auth=WRITE, summary="Write a reward")
def write_reward(request: HttpRequest, key: str, body: dict[str, Any]) -> dict[str, Any]:
    """The same document as in a file; `kind` and `key` may be left out."""
    return {"key": key, "status": put_document("reward", key, body, now=clock.now()).verdict}


def _told(redemption_id: int, status: str | None = None) -> dict[str, Any]:
    found = queries.redemption(redemption_id)
    if found is None:
        raise Http404(f"There is no redemption {redemption_id}.")
    return told(found) | {"status": status}


def _exists(redemption_id: int) -> None:
    if not Redemption.objects.filter(id=redemption_id).exists():
        raise Http404(f"There is no redemption {redemption_id}.")


@router.post("/loyalty/redemptions", auth=WRITE, response=RedemptionOut, summary="Redeem points for a reward")
def redeem(request: HttpRequest, body: RedemptionIn) -> dict[str, Any]:
    """Takes the points and the piece together, or neither. The same `id` again changes nothing and answers the same."""
    setup = load(body.program)
    customer_id = customers.resolve([body.customer])[0]
    if customer_id is None:
        raise Problems([Problem("customer", "nobody is known by this", "create the customer first")])
    order = Order(
        body.reward, quantity=body.quantity, price=body.price, identifier=body.id, slot=body.slot,
        address=body.address.plain() if body.address else None, payment=body.payment, note=body.note,
        pin=body.pin,
    )  # fmt: skip
    try:
        done = redeeming.redeem(order, customer_id=customer_id, setup=setup, now=clock.now())
    except Problems as refused:
        conflict = any(problem.where == "id" or problem.problem == "is sold out" for problem in refused.problems)
        status = 409 if conflict else 422
        raise ApiError(status, "The order was refused; nothing was booked.", refused.problems) from None
    queue.wake()
    return _told(done.redemption_id, "duplicate" if done.repeated else "redeemed")


@router.get("/loyalty/redemptions", auth=READ, response=RedemptionsOut, summary="Redemptions")
def read_redemptions(request: HttpRequest, query: Query[RedemptionsQuery]) -> dict[str, Any]:
    """Newest first; pass on `next` as `after` until it is null."""
    if query.state is not None and query.state not in names.STATES:
        raise Problems([Problem("state", f"{query.state!r} is no state", f"known: {', '.join(names.STATES)}")])
    setup: Setup | None = load(query.program) if query.program else None
    rows, following = queries.redemptions(
        customer_id=_customer(query.customer) if query.customer else None,
        program_id=setup.id if setup else None,
        state=query.state,
        after=query.after,
        limit=query.limit,
    )
    return {"redemptions": [told(row) for row in rows], "next": following}


@router.get("/loyalty/redemptions/{redemption_id}", auth=READ, response=RedemptionOut, summary="A redemption")
def read_redemption(request: HttpRequest, redemption_id: int) -> dict[str, Any]:
    _exists(redemption_id)
    return _told(redemption_id)


@router.post(
    "/loyalty/redemptions/{redemption_id}/cancel", auth=WRITE, response=RedemptionOut, summary="Cancel a redemption"
)
def cancel(request: HttpRequest, redemption_id: int, body: CancelIn) -> dict[str, Any]:
    """The points return to the lots they came from, good for 30 days at least; the piece to the stock."""
    _exists(redemption_id)
    fulfillment.cancel(
        redemption_id, now=clock.now(), reason=body.reason, by_member=body.by_member, actor=_actor(request)
    )
    queue.wake()
    return _told(redemption_id)


@router.post(
    "/loyalty/redemptions/{redemption_id}/state", auth=WRITE, response=RedemptionOut, summary="Say how far it is"
)
def set_state(request: HttpRequest, redemption_id: int, body: StateIn) -> dict[str, Any]:
    """For suppliers: approved, packed, shipped, delivered. Where it is there already, nothing changes."""
    _exists(redemption_id)
    done = fulfillment.advance(
        [redemption_id], state=body.state, now=clock.now(), tracking=body.tracking, actor=_actor(request)
    )
    found = _told(redemption_id)
    if not done and found["state"] != body.state:
        remedy = "give the address first" if found["type"] == names.PHYSICAL and not found["address"] else ""
        raise ApiError(
            409,
            "The redemption cannot come to that state.",
            [Problem("state", f"{body.state} does not follow on {found['state']}", remedy)],
        )
    queue.wake()
    return found


@router.put("/loyalty/redemptions/{redemption_id}/address", auth=WRITE, response=RedemptionOut, summary="Where it goes")
def set_address(request: HttpRequest, redemption_id: int, body: Address) -> dict[str, Any]:
    """Until it is packed."""
    _exists(redemption_id)
    fulfillment.set_address(redemption_id, address=body.plain(), now=clock.now())
    return _told(redemption_id)


def _actor(request: HttpRequest) -> str:
    key: Any = request.auth  # type: ignore[attr-defined]
    return f"API key {key.name}"


@router.get("/loyalty/members/{external_id}/wish", auth=READ, response=WishOut, summary="What a member saves for")
def read_wish(request: HttpRequest, external_id: str, program: str | None = None) -> dict[str, Any]:
    setup = _there(program)
    found = queries.wish_of(_customer(external_id), setup=setup, now=clock.now())
    return {"program": setup.key, "wish": shown(found) if found else None}


@router.put("/loyalty/members/{external_id}/wish", auth=WRITE, response=WishOut, summary="Save for a reward")
def set_wish(request: HttpRequest, external_id: str, body: WishIn) -> dict[str, Any]:
    """One per member and program: another takes its place."""
    setup = load(body.program)
    customer_id, now = _customer(external_id), clock.now()
    wishes.set_wish(customer_id=customer_id, reward=body.reward, setup=setup, now=now)
    found = queries.wish_of(customer_id, setup=setup, now=now)
    return {"program": setup.key, "wish": shown(found) if found else None}


@router.delete("/loyalty/members/{external_id}/wish", auth=WRITE, response=WishOut, summary="Save for nothing")
def clear_wish(request: HttpRequest, external_id: str, program: str | None = None) -> dict[str, Any]:
    setup = _there(program)
    wishes.clear_wish(customer_id=_customer(external_id), setup=setup)
    return {"program": setup.key, "wish": None}


@router.get("/loyalty/suppliers", auth=READ, response=SuppliersOut, summary="Suppliers")
def read_suppliers(request: HttpRequest) -> dict[str, Any]:
    """With how many of their orders are where."""
    counts = supplier_orders.counts()
    return {"suppliers": [_supplier(row, counts.get(row.pk, {})) for row in Supplier.objects.order_by("key")]}


def _supplier(row: Supplier, counts: dict[str, int]) -> dict[str, Any]:
    hook = suppliers.webhook_of(row)
    given = ("key", "name", "state", "failures", "resting_until", "told_at", "heard_at")
    states = {state: counts.get(state, 0) for state in ("waiting", "told", "dead")}
    return {name: getattr(row, name) for name in given} | states | {"url": hook.url if hook else None}


@router.put("/loyalty/suppliers/{key}", auth=WRITE, summary="Write a supplier")
def write_supplier(request: HttpRequest, key: str, body: dict[str, Any]) -> dict[str, Any]:
    """The same document as in a file; `kind` and `key` may be left out."""
    return {"key": key, "status": put_document("supplier", key, body, now=clock.now()).verdict}


@router.post("/loyalty/suppliers/{key}/retry", auth=WRITE, summary="Send what was given up again")
def retry_supplier(request: HttpRequest, key: str) -> dict[str, int]:
    row = Supplier.objects.filter(key=key).first()
    if row is None:
        raise Http404(f"There is no supplier {key!r}.")
    return {"revived": supplier_orders.revive(now=clock.now(), supplier_id=row.pk)}


# Not among the operations for who has a key: docs/rewards.md describes it.
@router.post("/loyalty/suppliers/{key}/reports", auth=None, response=SupplierReportsOut, include_in_schema=False)
def take_reports(request: HttpRequest, key: str) -> dict[str, Any]:
    """For suppliers, without a key: the body `{"reports": [{"number", "state", "tracking"}]}` is signed with their
    secret, byte for byte, and at most five minutes ago. States only move on; a report that comes again or late
    changes nothing."""
    if len(request.body) > LARGEST_REPORT:
        raise ApiError(413, "More than 1 MB at once: send the reports in several parts.", [])
    now = clock.now()
    try:
        supplier = supplier_reports.verified(key, request.headers.get(HEADER, ""), request.body, now=now)
    except BadSignature as error:
        raise ApiError(401, "The report was refused.", [Problem(HEADER, str(error))]) from None
    try:
        given = SupplierReportsIn.model_validate_json(request.body)
    except ValidationError as error:
        raise Problems(list(from_pydantic(error))) from None
    reports = [Report(one.number, one.state, one.tracking) for one in given.reports]
    done = supplier_reports.report(supplier, reports, now=now)
    queue.wake()
    refused = [{"number": number, "problem": why} for number, why in done.refused]
    return {"applied": done.applied, "known": done.known, "refused": refused}
