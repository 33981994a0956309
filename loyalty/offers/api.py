"""Vouchers and offers over HTTP: baskets judged, held and redeemed; codes issued; wallets."""

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from loyalty.access.auth import ApiAuth
from loyalty.customers import queries as customers
from loyalty.events import queue
from loyalty.kit import clock
from loyalty.kit.errors import ApiError
from loyalty.kit.problems import Problem, Problems
from loyalty.offers import forecast, issuing, queries, reasoning, redeeming, results, wallets, wording
from loyalty.offers.baskets import Basket, Checkout
from loyalty.offers.models import Offer, VoucherPool
from loyalty.offers.redeeming import Held
from loyalty.offers.shapes import (
    ActivateIn,
    Answer,
    CodesIn,
    CodesOut,
    GiveIn,
    IssuedOut,
    IssueIn,
    OfferOut,
    Page,
    PersonalResultsOut,
    RefundIn,
    RefundOut,
    ReservationOut,
    VoucherOut,
    WhichReservation,
)
from loyalty.program.receipts import key_of

router = Router(tags=["loyalty"])
READ, WRITE = ApiAuth("loyalty:read"), ApiAuth("loyalty:write")


def _customer(reference: str | dict[str, str], where: str = "customer") -> int:
    found = customers.resolve([reference])[0]
    if found is None:
        raise Problems([Problem(where, "nobody is known by this", "create the customer first")])
    return found


def _known(external_id: str) -> int:
    """The customer of an address; raises a 404."""
    found = customers.resolve([external_id])[0]
    if found is None:
        raise ApiError(404, f"There is no customer {external_id!r}.", code="not_found")
    return found


def _shown(held: Held) -> dict[str, Any]:
    queue.wake()
    return {
        "reservation": held.token,
        "state": held.state,
        "ends_at": held.ends_at,
        "repeated": held.repeated,
        "answer": held.answer or None,
    }


@router.post("/loyalty/vouchers/validate", auth=READ, response=Answer, summary="What vouchers would do to a basket")
def validate(request: HttpRequest, body: Basket) -> dict[str, Any]:
    """The best allowed combination, the discount on each line, and why each other code is refused. Nothing is held."""
    return redeeming.validate(body, now=clock.now())


@router.post("/loyalty/vouchers/reserve", auth=WRITE, response=ReservationOut, summary="Hold what a basket can use")
def reserve(request: HttpRequest, body: Checkout) -> dict[str, Any]:
    """For 15 minutes nobody else can use it. The same `id` again is the same reservation."""
    return _shown(redeeming.reserve(body, now=clock.now()))


@router.post("/loyalty/vouchers/redeem", auth=WRITE, response=ReservationOut, summary="Use vouchers for good")
def redeem(request: HttpRequest, body: WhichReservation | Checkout) -> dict[str, Any]:
    """Either what was reserved, or a basket at once."""
    if isinstance(body, Checkout):
        return _shown(redeeming.redeem_now(body, now=clock.now()))
    return _shown(redeeming.redeem(body.reservation, now=clock.now()))


@router.post("/loyalty/vouchers/release", auth=WRITE, response=ReservationOut, summary="Let go of a reservation")
def release(request: HttpRequest, body: WhichReservation) -> dict[str, Any]:
    return _shown(redeeming.release(body.reservation, now=clock.now()))


@router.post("/loyalty/vouchers/return", auth=WRITE, response=ReservationOut, summary="A purchase came back whole")
def give_back(request: HttpRequest, body: WhichReservation) -> dict[str, Any]:
    """Vouchers can be used again where their pool says so; gift cards get their money back."""
    return _shown(redeeming.give_back(body.reservation, now=clock.now()))


@router.post("/loyalty/vouchers/refund", auth=WRITE, response=RefundOut, summary="Money back onto gift cards")
def refund(request: HttpRequest, body: RefundIn) -> dict[str, Any]:
    """For a part of a purchase that came back; at most what the cards paid."""
    return {"refunded": redeeming.refund(body.reservation, body.amount, key=body.id, now=clock.now())}


@router.post("/loyalty/vouchers", auth=WRITE, response=list[IssuedOut], summary="Issue vouchers")
def issue(request: HttpRequest, body: IssueIn) -> list[dict[str, Any]]:
    """In the order in which they were asked for."""
    given = [one.customer for one in body.vouchers if one.customer is not None]
    found = iter(customers.resolve(given) if given else [])
    wanted, problems = [], []
    for place, one in enumerate(body.vouchers):
        customer_id = next(found) if one.customer is not None else None
        if one.customer is not None and customer_id is None:
            problems.append(Problem(f"vouchers[{place}].customer", "nobody is known by this"))
        key = None if one.id is None else key_of(f"voucher:{body.pool}", one.id)
        wanted.append(issuing.Wanted(customer_id, key, one.amount, one.valid_until))
    if problems:
        raise Problems(problems)
    api_key: Any = request.auth  # type: ignore[attr-defined]
    issued = issuing.issue(body.pool, wanted, source=f"api:{api_key.name}", now=clock.now())
    queue.wake()
    return [
        {"code": None, "valid_until": None} if one is None else {"code": one.code, "valid_until": one.valid_until}
        for one in issued
    ]


@router.get(
    "/loyalty/members/{external_id}/vouchers", auth=READ, response=list[VoucherOut], summary="Someone's vouchers"
)
def read_vouchers(request: HttpRequest, external_id: str) -> list[dict[str, Any]]:
    """Those that can be used first."""
    rows = queries.of_customer(_known(external_id), now=clock.now())
    for row in rows:
        row["sentence"] = wording.sentence(row["document"])
        row["available"] = row["available"] if row["document"].benefit.type == "gift_card" else None
    return rows


@router.get("/loyalty/vouchers/pools", auth=READ, summary="The voucher pools")
def read_pools(request: HttpRequest) -> dict[str, Any]:
    pools = list(VoucherPool.objects.order_by("key"))
    ahead = forecast.forecasts(pools, now=clock.now())
    return {
        "pools": [
            {
                "key": pool.key,
                "name": pool.name,
                "state": pool.state,
                "forecast": ahead[pool.pk].plain() if pool.pk in ahead else None,
                "sentence": wording.sentence(queries.document_of("voucher_pool", pool.definition)),
            }
            for pool in pools
        ]
    }


@router.get("/loyalty/vouchers/pools/{key}", auth=READ, summary="A pool with its vouchers")
def read_pool(request: HttpRequest, key: str, page: Query[Page]) -> dict[str, Any]:
    """Newest first; pass on `next` as `after` until it is null."""
    pool = VoucherPool.objects.filter(key=key).first()
    if pool is None:
        raise ApiError(404, f"There is no voucher pool {key!r}.", code="not_found")
    rows, cursor = queries.voucher_page(pool.pk, after=page.after, limit=page.limit)
    document = queries.document_of("voucher_pool", pool.definition)
    ahead = forecast.forecasts([pool], now=clock.now()).get(pool.pk)
    return {
        "key": key,
        "state": pool.state,
        "forecast": ahead.plain() if ahead else None,
        "sentence": wording.sentence(document),
        "counts": queries.pool_counts([pool.pk])[pool.pk],
        "vouchers": rows,
        "next": cursor,
    }


@router.post("/loyalty/vouchers/pools/{key}/codes", auth=WRITE, response=CodesOut, summary="Bring codes into a pool")
def bring_codes(request: HttpRequest, key: str, body: CodesIn) -> dict[str, Any]:
    """Codes that exist are no second code; bad ones come back with their mistakes, the others are taken."""
    brought = [
        issuing.Brought(one) if isinstance(one, str) else issuing.Brought(one.code, one.amount, one.valid_until)
        for one in body.codes
    ]
    done = issuing.bring(key, brought, now=clock.now())
    rejected = [
        {"index": place, "problems": [problem.within(f"codes[{place}]").as_dict() for problem in problems]}
        for place, problems in done.rejected
    ]
    return {"accepted": done.accepted, "doubles": done.doubles, "rejected": rejected}


@router.get("/loyalty/offers", auth=READ, summary="All offers")
def read_offers(request: HttpRequest) -> dict[str, Any]:
    offers = list(Offer.objects.order_by("key"))
    ahead = forecast.forecasts(offers, now=clock.now())
    return {
        "offers": [
            {
                "key": offer.key,
                "name": offer.name,
                "state": offer.state,
                "sentence": reasoning.rule(queries.document_of("offer", offer.definition)),
                "forecast": ahead[offer.pk].plain() if offer.pk in ahead else None,
            }
            for offer in offers
        ]
    }


@router.get(
    "/loyalty/offers/{key}/results",
    auth=READ,
    response=PersonalResultsOut,
    summary="What a personal offer brought",
)
def read_results(request: HttpRequest, key: str) -> dict[str, Any]:
    """Those who had it beside those held out of it: all measured rounds together, and each."""
    offer = Offer.objects.filter(key=key).first()
    if offer is None or not (found := results.rounds_of(offer.pk)):
        raise ApiError(404, f"There is no personal offer {key!r} with a round.", code="not_found")
    return {
        "key": key,
        "in_all": results.in_all(found).plain(),
        "rounds": [
            {
                "number": one.number,
                "state": one.state,
                "given_at": one.given_at,
                "ends_at": one.ends_at,
                "result": None if one.outcome is None else results.result(one.outcome).plain(),
                "rates": one.rates,
            }
            for one in found
        ],
    }


@router.get("/loyalty/members/{external_id}/offers", auth=READ, response=list[OfferOut], summary="A customer's wallet")
def read_wallet(request: HttpRequest, external_id: str) -> list[dict[str, Any]]:
    """The offers for this customer now, those to activate first."""
    return [one.plain() for one in wallets.wallet(_known(external_id), now=clock.now())]


@router.post("/loyalty/offers/{key}/activate", auth=WRITE, response=OfferOut, summary="Activate an offer")
def activate(request: HttpRequest, key: str, body: ActivateIn) -> dict[str, Any]:
    """It is used at the next purchase that it fits; again, it changes nothing."""
    done = wallets.activate(_customer(body.customer), key, now=clock.now())
    queue.wake()
    return done.plain()


@router.post("/loyalty/offers/{key}/give", auth=WRITE, summary="Put an offer into wallets")
def give(request: HttpRequest, key: str, body: GiveIn) -> dict[str, int]:
    """For offers that are only for those they were given to; people who have it already keep it."""
    found = customers.resolve(body.customers)
    problems = [
        Problem(f"customers[{place}]", "nobody is known by this") for place, one in enumerate(found) if one is None
    ]
    if problems:
        raise Problems(problems)
    return {"given": wallets.give(key, [one for one in found if one], now=clock.now(), activate=body.activate)}
