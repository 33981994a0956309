"""The program over HTTP, beside the ledger: friends, households, what a draft of a rule or the tiers would do."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema
from pydantic import AfterValidator, ConfigDict

from loyalty.access.auth import ApiAuth
from loyalty.customers import queries as customers
from loyalty.events import queue
from loyalty.kit import clock
from loyalty.kit.problems import Problem, Problems
from loyalty.program import households, queries, referrals, replay, tiering
from loyalty.program.addressing import known, member_of, there
from loyalty.program.receipts import Text, storable
from loyalty.program.setup import load
from loyalty.program.shapes import Balance, PointsIn, PointsOut

router = Router(tags=["loyalty"])
READ, WRITE = ApiAuth("loyalty:read"), ApiAuth("loyalty:write")
# More would hold the caller for too long; the command looks at all.
MOST_REPLAYED = 50_000
Name = Annotated[str, AfterValidator(storable)]


class CodeOut(Schema):
    code: str
    link: str = Field(description="Empty where the rule has no link.")
    friends: list[dict[str, Any]] = Field(description="The state of each, newest first; never who they are.")


class ReferralIn(Schema):
    model_config = ConfigDict(extra="forbid")

    code: Text
    customer: Text | dict[Text, Text] = Field(description="The friend, who must be known as a customer.")
    program: Text | None = None


class ReferralOut(Schema):
    referral: int
    state: str = Field(description="waiting for a purchase, or doubtful: somebody looks at it first")
    doubt: str | None


class HouseholdIn(Schema):
    model_config = ConfigDict(extra="forbid")

    name: Name | None = Field(None, max_length=100)
    program: Text | None = None


class HouseholdMemberIn(Schema):
    model_config = ConfigDict(extra="forbid")

    customer: Text | dict[Text, Text]
    role: Literal["adult", "child"] = "adult"
    program: Text | None = None


class HouseholdOut(Schema):
    household: int
    name: str | None
    role: str
    available: int = Field(description="What all of them have together, in the first wallet.")
    members: list[dict[str, Any]]


class ReplayIn(Schema):
    model_config = ConfigDict(extra="forbid")

    rule: dict[str, Any] = Field(description="A document of kind earning_rule; nothing of it is kept.")
    weeks: int = Field(4, ge=1, le=replay.LONGEST_WEEKS)
    program: Text | None = None


class GivenOut(Schema):
    rule: str
    draft: bool
    actual: int
    replayed: int
    cost: Decimal = Field(description="What the difference costs, by what a point is worth.")


class ReplayOut(Schema):
    since: datetime
    known: int = Field(description="Bookings of that time.")
    bookings: int = Field(description=f"How many of them were looked at, the latest {MOST_REPLAYED} at most.")
    members: int = Field(description="Members who would have got points from the draft.")
    cost: Decimal
    rules: list[GivenOut]


class Moving(Schema):
    now: str | None
    then: str | None
    members: int
    direction: str = Field(description="up, down or same")


class TierPreviewOut(Schema):
    program: str
    moves: list[Moving]


@router.get("/loyalty/members/{external_id}/referral-code", auth=READ, response=CodeOut, summary="A member's code")
def read_code(request: HttpRequest, external_id: str, program: str | None = None) -> dict[str, Any]:
    """What to pass on to friends, and what became of those who came. The code must have been made before."""
    setup = there(program)
    member = member_of(external_id, setup)
    found = referrals.code_if_any(member.pk)
    if found is None:
        raise Problems([Problem("code", "was not made yet", "make it with POST")])
    return {"code": found, "link": referrals.link_of(found, setup), "friends": referrals.of_member(member.pk)}


@router.post("/loyalty/members/{external_id}/referral-code", auth=WRITE, response=CodeOut, summary="Make a code")
def make_code(request: HttpRequest, external_id: str, program: str | None = None) -> dict[str, Any]:
    """Made once; the same again later."""
    setup = there(program)
    member = member_of(external_id, setup)
    referrals.rule_of(setup)
    code = referrals.code_of(member.pk, now=clock.now())
    return {"code": code, "link": referrals.link_of(code, setup), "friends": referrals.of_member(member.pk)}


@router.post("/loyalty/referrals", auth=WRITE, response=ReferralOut, summary="A friend came with a code")
def refer(request: HttpRequest, body: ReferralIn) -> dict[str, Any]:
    """Before the friend's first purchase. Both get their points when the return window of a purchase has passed."""
    setup = load(body.program)
    friend = customers.resolve([body.customer])[0]
    if friend is None:
        raise Problems([Problem("customer", "nobody is known by this", "create the customer first")])
    came = referrals.refer(code=body.code, friend_customer_id=friend, setup=setup, now=clock.now())
    return {"referral": came.id, "state": came.state, "doubt": came.doubt}


def _household(member_id: int, wallet_id: int) -> dict[str, Any]:
    found = households.of_member(member_id, wallet_id)
    if found is None:
        raise Problems([Problem("customer", "is in no household")])
    return found


@router.get("/loyalty/members/{external_id}/household", auth=READ, response=HouseholdOut, summary="A household")
def read_household(request: HttpRequest, external_id: str, program: str | None = None) -> dict[str, Any]:
    setup = there(program)
    return _household(member_of(external_id, setup).pk, setup.wallet(None)[0])


@router.post("/loyalty/members/{external_id}/household", auth=WRITE, response=HouseholdOut, summary="Found one")
def found_household(request: HttpRequest, external_id: str, body: HouseholdIn) -> dict[str, Any]:
    """The member is its owner; with the owner it ends."""
    setup = there(body.program)
    member = member_of(external_id, setup)
    households.found(owner_id=member.pk, name=body.name, setup=setup, now=clock.now())
    return _household(member.pk, setup.wallet(None)[0])


@router.delete("/loyalty/members/{external_id}/household", auth=WRITE, summary="Leave the household")
def leave_household(request: HttpRequest, external_id: str, program: str | None = None) -> dict[str, Any]:
    """With the own points."""
    households.leave(member_id=member_of(external_id, there(program)).pk)
    return {"household": None}


@router.post("/loyalty/members/{external_id}/household/members", auth=WRITE, response=HouseholdOut, summary="Take in")
def add_to_household(request: HttpRequest, external_id: str, body: HouseholdMemberIn) -> dict[str, Any]:
    """Only the owner takes members in. A child collects and does not spend."""
    setup = there(body.program)
    owner = member_of(external_id, setup)
    home = _household(owner.pk, setup.wallet(None)[0])
    if home["role"] != households.OWNER:
        raise Problems([Problem("customer", "is not the owner of the household", "let the owner do it")])
    taken = known(body.customer, setup, "Who is to be taken in is no member of the program.")
    households.add(household_id=home["household"], member_id=taken.pk, role=body.role, setup=setup, now=clock.now())
    return _household(owner.pk, setup.wallet(None)[0])


@router.post("/loyalty/members/{external_id}/household/spend", auth=WRITE, response=PointsOut, summary="Spend together")
def spend_together(request: HttpRequest, external_id: str, body: PointsIn) -> dict[str, Any]:
    """The member's own points first, then those of the others."""
    setup = there(body.program)
    member = member_of(external_id, setup)
    booked = households.spend(
        member_id=member.pk, wallet=body.wallet, points=body.points, setup=setup, now=clock.now(), reason=body.reason,
        pin=body.pin,
    )  # fmt: skip
    queue.wake()
    shown = queries.balances(member.pk, setup=setup, now=clock.now())
    return {"booking": booked.booking_id, "points": booked.points, "balances": [Balance(**one) for one in shown]}


@router.post("/loyalty/rules/replay", auth=READ, response=ReplayOut, summary="What a draft of a rule would have given")
def replay_rule(request: HttpRequest, body: ReplayIn) -> replay.Replay:
    """Runs the bookings of the last weeks through all rules with the draft among them, and takes it all back."""
    setup = load(body.program)
    return replay.replay(body.rule, setup=setup, weeks=body.weeks, now=clock.now(), most=MOST_REPLAYED)


@router.get("/loyalty/tiers/preview", auth=READ, response=TierPreviewOut, summary="Who would rise and fall now")
def preview_tiers(request: HttpRequest, program: str | None = None) -> dict[str, Any]:
    """If everybody were looked at at this instant; who only begins to fall is not moved."""
    setup = there(program)
    return {"program": setup.key, "moves": tier_moves(setup, clock.now())}


def tier_moves(setup: Any, now: datetime) -> list[dict[str, Any]]:
    """The preview with the direction of each move."""
    ranks = {None: 0, **{tier.key: tier.rank for tier in setup.tiers}}
    words = {1: "up", 0: "same", -1: "down"}
    return [
        {
            "now": before,
            "then": after,
            "members": count,
            "direction": words[(ranks[after] > ranks[before]) - (ranks[after] < ranks[before])],
        }
        for before, after, count in tiering.preview(setup, now=now)
    ]
