"""Paid memberships over HTTP: plans, contracts, what is due and what became of it."""

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from django.http import Http404, HttpRequest
from ninja import Query, Router

from loyalty.access.auth import ApiAuth
from loyalty.customers import queries as customers
from loyalty.kit import clock
from loyalty.kit.chores import hint
from loyalty.kit.problems import Problem, Problems
from loyalty.program.setup import load
from loyalty.subscriptions import names, operations, paying, queries, statements, wording
from loyalty.subscriptions.closing import Cancelling
from loyalty.subscriptions.models import Charge, Plan, Subscription
from loyalty.subscriptions.shapes import (
    ChargesOut,
    ChargesQuery,
    EndIn,
    EndOut,
    FailedIn,
    PaidIn,
    PlansOut,
    ReportedOut,
    SavingOut,
    SubscriptionIn,
    SubscriptionOut,
    SubscriptionsOut,
    SubscriptionsQuery,
    charge_out,
    contract_out,
)

router = Router(tags=["loyalty"])
READ, WRITE = ApiAuth("loyalty:read"), ApiAuth("loyalty:write")


def _contract(number: str) -> Subscription:
    found = Subscription.objects.select_related("plan").filter(number=number.upper()).first()
    if found is None:
        raise Http404(f"There is no contract {number!r}.")
    return found


@router.get("/loyalty/plans", auth=READ, response=PlansOut, summary="Paid memberships that can be ordered")
def read_plans(request: HttpRequest) -> dict[str, Any]:
    return {"plans": [_plan(one) for one in queries.on_sale()]}


def _plan(one: Plan) -> dict[str, Any]:
    document = queries.document_of(one.definition)
    setup = load(document.program)
    return {
        "key": one.key,
        "name": one.name,
        "state": one.state,
        "fee": document.fee.amount,
        "currency": document.fee.currency or setup.document.currency,
        "per": document.fee.per,
        "trial": document.trial,
        "benefits": wording.benefits(document, setup),
    }


@router.post("/loyalty/subscriptions", auth=WRITE, response=SubscriptionOut, summary="Order a membership")
def order(request: HttpRequest, body: SubscriptionIn) -> dict[str, Any]:
    """The caller has shown the member everything and the button that says that it costs money. Makes a trial or the
    first charge."""
    customer_id = customers.resolve([body.customer])[0]
    if customer_id is None:
        raise Problems([Problem("customer", "nobody is known by this")])
    key = None if body.id is None else uuid5(NAMESPACE_URL, f"subscription:{body.id}")
    asked = operations.Order(customer_id, body.plan, "api", early_start=body.early_start, key=key)
    done = operations.order(asked, now=clock.now())
    hint("subscriptions.letters")
    return contract_out(Subscription.objects.select_related("plan").get(pk=done.pk))


@router.get("/loyalty/subscriptions", auth=READ, response=SubscriptionsOut, summary="Contracts")
def read_contracts(request: HttpRequest, query: Query[SubscriptionsQuery]) -> dict[str, Any]:
    """Pass on `next` as `after` until it is null."""
    customer_id = None
    if query.customer is not None:
        customer_id = customers.resolve([query.customer])[0]
        if customer_id is None:
            raise Http404(f"There is no customer {query.customer!r}.")
    rows, cursor = queries.contracts(
        customer_id=customer_id, plan_key=query.plan, state=query.state, after=query.after, limit=query.limit
    )
    return {"subscriptions": [contract_out(one) for one in rows], "next": cursor}


@router.get("/loyalty/subscriptions/charges", auth=READ, response=ChargesOut, summary="What is due")
def read_charges(request: HttpRequest, query: Query[ChargesQuery]) -> dict[str, Any]:
    """`open` is due or failed. Fees and refunds whose time has come; pass on `next` as `after` until it is null."""
    states = names.OPEN if query.state == "open" else (query.state,)
    rows = queries.charge_list(states, now=clock.now(), after=query.after, limit=query.limit)
    return {"charges": rows, "next": rows[-1]["id"] if len(rows) == query.limit else None}


def _report(charge_id: int, outcome: str, reference: str, **rest: Any) -> dict[str, Any]:
    if not Charge.objects.filter(id=charge_id).exists():
        raise Http404(f"There is no charge {charge_id}.")
    done = paying.report(charge_id, outcome, reference=reference, now=clock.now(), **rest)
    hint("subscriptions.benefits")
    return {
        "charge": charge_out(done.charge, done.contract.number),
        "contract_state": done.contract.state,
        "fresh": done.fresh,
    }


@router.post(
    "/loyalty/subscriptions/charges/{charge_id}/paid", auth=WRITE, response=ReportedOut, summary="A charge was paid"
)
def paid(request: HttpRequest, charge_id: int, body: PaidIn) -> dict[str, Any]:
    """Told twice it counts once. For a refund: the money went back."""
    return _report(_id(charge_id), names.PAID, body.reference, at=body.at)


@router.post(
    "/loyalty/subscriptions/charges/{charge_id}/failed", auth=WRITE, response=ReportedOut, summary="A payment failed"
)
def failed(request: HttpRequest, charge_id: int, body: FailedIn) -> dict[str, Any]:
    """The member is told; benefits go on for the plan's grace. A chargeback names the reference that paid."""
    return _report(_id(charge_id), names.FAILED, body.reference, reason=body.reason or None)


def _id(number: int) -> int:
    if not 0 < number < 2**63:
        raise Http404(f"There is no charge {number}.")
    return number


@router.get("/loyalty/subscriptions/{number}", auth=READ, response=SubscriptionOut, summary="A contract")
def read_contract(request: HttpRequest, number: str) -> dict[str, Any]:
    return contract_out(_contract(number))


@router.get("/loyalty/subscriptions/{number}/saving", auth=READ, response=SavingOut, summary="What it was worth")
def read_saving(request: HttpRequest, number: str) -> dict[str, Any]:
    """What the benefits were worth so far, against the fees."""
    one = _contract(number)
    found = statements.saving(one)
    fields = [name for name in SavingOut.model_fields if name != "number"]
    return {name: getattr(found, name) for name in fields} | {"number": one.number}


def _end(number: str) -> dict[str, Any]:
    hint("subscriptions.letters")
    one = _contract(number)
    return {"number": one.number, "state": one.state, "ends_at": one.ends_at}


@router.post("/loyalty/subscriptions/{number}/cancel", auth=WRITE, response=EndOut, summary="Cancel a contract")
def cancel(request: HttpRequest, number: str, body: EndIn) -> dict[str, Any]:
    """It runs to its end, at the latest the plan's notice from now once the first term is over."""
    now = clock.now()
    operations.cancel(_contract(number).pk, Cancelling(now, body.wished_end), now=now)
    return _end(number)


@router.post("/loyalty/subscriptions/{number}/resume", auth=WRITE, response=EndOut, summary="Take a cancellation back")
def resume(request: HttpRequest, number: str) -> dict[str, Any]:
    operations.resume(_contract(number).pk, now=clock.now())
    return _end(number)


@router.post("/loyalty/subscriptions/{number}/withdraw", auth=WRITE, response=EndOut, summary="Withdraw a contract")
def withdraw(request: HttpRequest, number: str) -> dict[str, Any]:
    """Within 14 days of the order: what was paid becomes a refund."""
    now = clock.now()
    operations.withdraw(_contract(number).pk, declared_at=now, now=now)
    return _end(number)
