"""The program over HTTP: members, balances and the ledger. Purchases come in at the checkout."""

from datetime import timedelta
from typing import Any

from django.http import Http404, HttpRequest
from ninja import Query, Router

from loyalty.access.auth import ApiAuth
from loyalty.customers import queries as customers
from loyalty.events import queue
from loyalty.kit import clock
from loyalty.kit.errors import ApiError
from loyalty.kit.periods import Period
from loyalty.kit.problems import Problem, Problems
from loyalty.program import holds, movements, operations, queries, sentences
from loyalty.program.addressing import known, member_of, there
from loyalty.program.companion_calls import router as companions
from loyalty.program.earning_calls import router as earning_calls
from loyalty.program.life_calls import router as life
from loyalty.program.models import Member
from loyalty.program.rules import Rule
from loyalty.program.setup import Setup, load, load_all
from loyalty.program.shapes import (
    AdjustIn,
    BalancesOut,
    HoldIn,
    LedgerQuery,
    MemberOut,
    PointsIn,
    PointsOut,
    TierIn,
    TransferIn,
    Whose,
)  # fmt: skip

router = Router(tags=["loyalty"])
router.add_router("", companions)
router.add_router("", life)
router.add_router("", earning_calls)
READ, WRITE = ApiAuth("loyalty:read"), ApiAuth("loyalty:write")


def _shown(member: Member, setup: Setup, external_id: str | None) -> dict[str, Any]:
    tier = next((one.key for one in setup.tiers if one.id == member.tier_id), None)
    return {
        "program": setup.key,
        "customer": external_id,
        "member": member.pk,
        "state": member.state,
        "joined_at": member.joined_at,
        "tier": tier,
        "balances": queries.balances(member.pk, setup=setup, now=clock.now()),
    }


@router.post("/loyalty/members", auth=WRITE, response=MemberOut, summary="Join")
def join(request: HttpRequest, body: Whose) -> dict[str, Any]:
    """Who is in already stays in; who had left comes back."""
    setup = load(body.program)
    customer_id = customers.resolve([body.customer])[0]
    if customer_id is None:
        raise Problems([Problem("customer", "nobody is known by this", "create the customer first")])
    operations.join(customer_ids=[customer_id], setup=setup, now=clock.now())
    member = queries.member_of(customer_id, program_id=setup.id)
    if member is None:
        raise ApiError(409, "The customer was merged or forgotten just now.")
    return _shown(member, setup, body.customer if isinstance(body.customer, str) else None)


@router.get("/loyalty/members/{external_id}", auth=READ, response=MemberOut, summary="A member")
def read_member(request: HttpRequest, external_id: str, program: str | None = None) -> dict[str, Any]:
    setup = there(program)
    return _shown(member_of(external_id, setup), setup, external_id)


@router.delete("/loyalty/members/{external_id}", auth=WRITE, response=MemberOut, summary="Leave")
def leave(request: HttpRequest, external_id: str, program: str | None = None) -> dict[str, Any]:
    """Nothing more is earned; what is there can be spent until it expires."""
    setup = there(program)
    member = member_of(external_id, setup)
    operations.leave(member_id=member.pk, setup=setup, now=clock.now())
    member.refresh_from_db()
    return _shown(member, setup, external_id)


@router.get("/loyalty/members/{external_id}/balance", auth=READ, response=BalancesOut, summary="A member's points")
def read_balance(request: HttpRequest, external_id: str, program: str | None = None) -> dict[str, Any]:
    setup = there(program)
    member = member_of(external_id, setup)
    return {"program": setup.key, "balances": queries.balances(member.pk, setup=setup, now=clock.now())}


@router.get("/loyalty/members/{external_id}/ledger", auth=READ, summary="Every movement of a member's points")
def read_ledger(request: HttpRequest, external_id: str, query: Query[LedgerQuery]) -> dict[str, Any]:
    """Newest first; pass on `next` as `after` until it is null. Each entry names the account it leaves and reaches."""
    member = member_of(external_id, there(query.program))
    page = queries.ledger(member.pk, after=query.after, limit=query.limit)
    return {"entries": page.rows, "next": page.next}


@router.get("/loyalty/members/{external_id}/lots", auth=READ, summary="Points that a member has, by expiry")
def read_lots(request: HttpRequest, external_id: str, program: str | None = None) -> dict[str, Any]:
    return {"lots": queries.lots(member_of(external_id, there(program)).pk)}


@router.get("/loyalty/members/{external_id}/tier", auth=READ, summary="A member's tier and the way to the next")
def read_tier(request: HttpRequest, external_id: str, program: str | None = None) -> dict[str, Any]:
    setup = there(program)
    return queries.tier_progress(member_of(external_id, setup), setup=setup, now=clock.now())


@router.put("/loyalty/members/{external_id}/tier", auth=WRITE, summary="Give a tier by hand")
def set_tier(request: HttpRequest, external_id: str, body: TierIn) -> dict[str, Any]:
    """Kept until `until` whatever the points; afterwards, or without, as the rules say."""
    setup = there(body.program)
    member = member_of(external_id, setup)
    operations.set_tier(member_id=member.pk, tier=body.tier, until=body.until, setup=setup, now=clock.now())
    member.refresh_from_db()
    return queries.tier_progress(member, setup=setup, now=clock.now())


def _moved(booked: movements.Booked, member_id: int, setup: Setup) -> dict[str, Any]:
    queue.wake()
    found = queries.balances(member_id, setup=setup, now=clock.now())
    return {"booking": booked.booking_id, "points": booked.points, "balances": found}


@router.post("/loyalty/members/{external_id}/spend", auth=WRITE, response=PointsOut, summary="Spend points")
def spend(request: HttpRequest, external_id: str, body: PointsIn) -> dict[str, Any]:
    setup = there(body.program)
    member = member_of(external_id, setup)
    booked = movements.spend(
        setup=setup, member_id=member.pk, wallet=body.wallet, points=body.points, reason=body.reason, now=clock.now(),
        pin=body.pin,
    )  # fmt: skip
    return _moved(booked, member.pk, setup)


@router.post("/loyalty/members/{external_id}/holds", auth=WRITE, response=PointsOut, summary="Hold points for a while")
def hold(request: HttpRequest, external_id: str, body: HoldIn) -> dict[str, Any]:
    """`booking` is the hold: capture takes the points for good, release lets them go, as does time."""
    setup = there(body.program)
    member = member_of(external_id, setup)
    try:
        seconds = Period.parse(body.lasts).seconds or 0
    except ValueError as error:
        raise Problems([Problem("lasts", str(error))]) from None
    booked = holds.hold(
        setup=setup,
        member_id=member.pk,
        wallet=body.wallet,
        points=body.points,
        lasts=timedelta(seconds=seconds),
        reason=body.reason,
        now=clock.now(),
        pin=body.pin,
    )
    return _moved(booked, member.pk, setup)


def _settled(hold_id: int, *, capture: bool) -> dict[str, Any]:
    owner = queries.hold_owner(hold_id)
    if owner is None:
        raise Http404(f"There is no hold {hold_id}.")
    member_id, program = owner
    setup = there(program)
    booked = holds.settle_hold(hold_id, capture=capture, setup=setup, now=clock.now())
    return _moved(booked, member_id, setup)


@router.post("/loyalty/holds/{hold_id}/capture", auth=WRITE, response=PointsOut, summary="Take held points for good")
def capture_hold(request: HttpRequest, hold_id: int) -> dict[str, Any]:
    return _settled(hold_id, capture=True)


@router.post("/loyalty/holds/{hold_id}/release", auth=WRITE, response=PointsOut, summary="Let held points go")
def release_hold(request: HttpRequest, hold_id: int) -> dict[str, Any]:
    return _settled(hold_id, capture=False)


@router.post("/loyalty/members/{external_id}/transfer", auth=WRITE, response=PointsOut, summary="Hand points on")
def transfer(request: HttpRequest, external_id: str, body: TransferIn) -> dict[str, Any]:
    """They keep their dates. Only in wallets that allow it, and up to their limit a day."""
    setup = there(body.program)
    member = member_of(external_id, setup)
    taker = known(body.to, setup, "The receiver is no member of the program.")
    booked = movements.transfer(
        setup=setup,
        giver_id=member.pk,
        taker_id=taker.pk,
        wallet=body.wallet,
        points=body.points,
        reason=body.reason,
        now=clock.now(),
        pin=body.pin,
    )
    return _moved(booked, member.pk, setup)


@router.post("/loyalty/members/{external_id}/adjustments", auth=WRITE, summary="Ask for a correction")
def ask_adjustment(request: HttpRequest, external_id: str, body: AdjustIn) -> dict[str, Any]:
    """Nothing is booked until a second person approves it in the admin."""
    setup = there(body.program)
    key: Any = request.auth  # type: ignore[attr-defined]
    found = operations.request_adjustment(
        member_id=member_of(external_id, setup).pk,
        wallet=body.wallet,
        points=body.points,
        reason=body.reason,
        by=f"API key {key.name}",
        setup=setup,
        now=clock.now(),
    )
    return {"adjustment": found, "state": "requested"}


def _said(setup: Setup) -> list[tuple[Rule, str]]:
    said = sentences.sentences(setup.rules, setup)
    return [(rule, said[rule.id]) for rule in setup.rules]


@router.get("/loyalty/programs", auth=READ, summary="The programs with their rules in words")
def read_programs(request: HttpRequest) -> dict[str, Any]:
    return {
        "programs": [
            {
                "key": setup.key,
                "name": setup.document.name,
                "currency": setup.document.currency,
                "earns_until": setup.earns_until,
                "spends_until": setup.spends_until,
                "wallets": [wallet.key for wallet in setup.document.wallets],
                "rules": [
                    {
                        "key": rule.document.key,
                        "sentence": said,
                    }
                    for rule, said in _said(setup)
                ],
            }
            for setup in load_all()
        ]
    }


@router.get("/loyalty/tiers", auth=READ, summary="The tiers of a program")
def read_tiers(request: HttpRequest, program: str | None = None) -> dict[str, Any]:
    setup = there(program)
    counts = queries.tier_counts(setup.id)
    return {
        "tiers": [
            {
                "key": tier.key,
                "name": tier.name,
                "rank": tier.rank,
                "threshold": tier.threshold,
                "benefits": tier.definition.get("benefits", []),
                "members": counts.get(tier.id, 0),
            }
            for tier in setup.tiers
        ]
    }
