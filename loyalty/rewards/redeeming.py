"""Redeeming: points, stock, an hour and a code are taken together or not at all."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from loyalty.events import partitions
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.program import membership, movements
from loyalty.program.setup import Setup
from loyalty.program.setup import load as load_program
from loyalty.rewards import eligibility, people, stock
from loyalty.rewards.definition import Price
from loyalty.rewards.loading import Loaded, load
from loyalty.rewards.models import Redemption, RewardSlot
from loyalty.rewards.orders import check_address, content_of, key_of
from loyalty.rewards.placing import Row, place
from loyalty.rewards.shapes import Gift, Order, Redeemed

MOST_GIFTS = 10_000
_REFUSALS = {
    "member": ("customer", "is no active member of the program", "let the customer join first"),
    "later": ("reward", "cannot be redeemed yet", ""),
    "over": ("reward", "cannot be redeemed any more", "choose another"),
    "limit": ("reward", "was redeemed as often as one person may", "choose another"),
}


@transaction.atomic
def redeem(
    order: Order, *, customer_id: int, setup: Setup, now: datetime, source: str = "member", actor: str | None = None
) -> Redeemed:
    """Order a reward for points; raises Problems with everything that stands against it, and then nothing happened."""
    reward = load(order.reward, program_id=setup.id)
    member_id, _state = membership.of_customers([customer_id], program_id=setup.id).get(customer_id, (0, ""))
    if not member_id:
        raise Problems([membership.unfit("none")])
    partitions.ensure(now, now)
    state = membership.lock([member_id]).get(member_id, "gone")
    key = key_of(order.identifier) if order.identifier else None
    if key and (known := _known(key, content_of(order, customer_id))):
        return known
    if state not in ("active", "left"):
        raise Problems([membership.unfit(state)])
    person = people.know(customer_id, setup=setup, segments=reward.document.visible.segments)
    wallet_id, wallet = setup.wallet(reward.document.wallet)
    slot, problems = _slot(reward, order, now)
    problems += _refused(order, reward, person, wallet=wallet.key, now=now, zone=setup.zone)
    if problems:
        raise Problems(problems)
    price = reward.document.options[order.price]
    points = price.points * order.quantity
    booking_id = None
    if points:
        booking_id = movements.spend(
            setup=setup, member_id=member_id, wallet=wallet.key, points=points, now=now,
            reason=f"reward {reward.row.key}", actor=actor, pin=order.pin,
        ).booking_id  # fmt: skip
    row = Row(
        customer_id, order.quantity, points, wallet_id,
        money=None if price.money is None else price.money * order.quantity,
        currency=setup.document.currency if price.money is not None or reward.document.value else None,
        payment=order.payment, booking_id=booking_id, slot_id=slot.id if slot else None,
        address=order.address, note=order.note, key=key, content=content_of(order, customer_id),
    )  # fmt: skip
    redemption_id = place(reward, [row], now=now, source=source, actor=actor)[0]
    execute(
        sql(
            "DELETE FROM wish WHERE customer_id = {customer} AND program_id = {program} AND reward_id = {reward}",
            customer=customer_id,
            program=setup.id,
            reward=reward.row.id,
        )
    )
    return Redeemed(redemption_id, False, "delivered" if reward.at_once else "ordered", points)


def _known(key: UUID, content: UUID) -> Redeemed | None:
    found = Redemption.objects.filter(key_digest=key).first()
    if found is None:
        return None
    if found.content_digest != content:
        raise Problems([Problem("id", "stands for another order already", "give each order an id of its own")])
    return Redeemed(found.pk, True, found.state, found.points)


def _refused(
    order: Order, reward: Loaded, person: eligibility.Person, *, wallet: str, now: datetime, zone: str
) -> list[Problem]:
    """Everything that stands against the order, but for what the last moment decides."""
    document = reward.document
    if not eligibility.visible(document, person, now):
        return [Problem("reward", f"{document.key!r} is not there for this customer", "choose another")]
    problems = []
    if not 1 <= order.quantity <= document.most:
        problems.append(Problem("quantity", f"must be between 1 and {document.most}"))
    if not 0 <= order.price < len(document.options):
        problems.append(Problem("price", f"there are {len(document.options)} prices", "count them from 0"))
        return problems
    price: Price = document.options[order.price]
    word = eligibility.why_not(
        document, person, reward_id=reward.row.id, wallet=wallet, left=reward.left, now=now, zone=zone
    )
    if word == "stock" or (not word and reward.left is not None and reward.left < order.quantity):
        problems.append(stock.sold_out() if not reward.left else Problem("quantity", f"only {reward.left} are left"))
    elif word in _REFUSALS:
        problems.append(Problem(*_REFUSALS[word]))
    may = eligibility.left_for(document.per_person, person.redeemed.get(reward.row.id, ()), now, zone)
    if word != "limit" and may is not None and may < order.quantity:
        problems.append(Problem("quantity", f"{may} more may be redeemed by this customer"))
    has, wanted = person.points.get(wallet, 0), price.points * order.quantity
    if wanted > has:
        remedy = f"{wanted - has} are missing"
        problems.append(Problem("points", f"{wanted} points are wanted, {has} can be used", remedy))
    if price.money is not None and not order.payment:
        owed = price.money * order.quantity
        if not order.pay_later:
            problems.append(Problem("payment", f"{owed:.2f} are to be paid", "name the payment's reference"))
        elif any(one.at_once for one in (reward, *(part for part, _n in reward.parts))):
            problems.append(Problem("payment", f"{owed:.2f} are to be paid first", "it is delivered at once"))
    parcel = document.type == "physical" or any(part.document.type == "physical" for part, _n in reward.parts)
    return problems + check_address(order.address, wanted=parcel)


def _slot(reward: Loaded, order: Order, now: datetime) -> tuple[RewardSlot | None, list[Problem]]:
    """The hour that is wanted."""
    if not reward.document.slots:
        return None, [Problem("slot", "this reward has no times", "leave it out")] if order.slot else []
    if order.slot is None:
        return None, [Problem("slot", "is missing", "choose one of the reward's times")]
    found = RewardSlot.objects.filter(reward_id=reward.row.id, starts_at=order.slot).first()
    if found is None:
        return None, [Problem("slot", "is none of the reward's times", "choose one of them")]
    if found.starts_at <= now:
        return found, [Problem("slot", "has passed", "choose a later time")]
    if found.taken + order.quantity > found.places:
        return found, [Problem("slot", "has no room left", "choose another time")]
    return found, []


@transaction.atomic
def give(gifts: Sequence[Gift], *, reward: str, now: datetime, source: str = "gift") -> dict[int, int]:
    """Give a reward as a gift (a prize) to any number of customers at once: customer -> redemption.

    Who got it under the same key before keeps that one. When the stock ends, the rest gets nothing. The address
    of a parcel is asked for later (`fulfillment.set_address`). Raises Problems for a reward that cannot be given.
    """
    loaded = load(reward)
    if loaded.row.state != "active":
        raise Problems([Problem("reward", f"{reward!r} is {loaded.row.state}", "set it active first")])
    if loaded.document.slots:
        raise Problems([Problem("reward", f"{reward!r} needs an hour, which a gift has not", "choose another")])
    if source not in people.GIFTS:
        raise Problems([Problem("source", f"is none of {', '.join(people.GIFTS)}")])
    if len(gifts) > MOST_GIFTS:
        raise Problems([Problem("gifts", f"are more than {MOST_GIFTS:,}", "give them in several parts")])
    here = fetch(
        sql(
            "SELECT id FROM customer WHERE id = ANY({ids}::bigint[]) ORDER BY id FOR KEY SHARE",
            ids=sorted({gift.customer_id for gift in gifts}),
        )
    )
    alive = {row[0] for row in here}
    stock.lock([loaded.row.id, *(part.row.id for part, _n in loaded.parts)])
    loaded = load(reward)
    known = dict(Redemption.objects.filter(key_digest__in=[gift.key for gift in gifts]).values_list("key_digest", "id"))
    before = {gift.customer_id: known[gift.key] for gift in gifts if gift.key in known}
    fresh = {gift.key: gift for gift in gifts if gift.key not in known and gift.customer_id in alive}
    most = loaded.left
    for part, number in ((loaded, 1), *loaded.parts):
        if part.document.codes:
            free = stock.free_codes(part.row.id, now=now) // number
            most = free if most is None else min(most, free)
    wanted = list(fresh.values())[:most]
    if not wanted:
        return before
    currency = load_program(loaded.row.program.key).document.currency if loaded.document.value else None
    rows = [Row(gift.customer_id, currency=currency, key=gift.key) for gift in wanted]
    ids = place(loaded, rows, now=now, source=source)
    return before | {gift.customer_id: one for gift, one in zip(wanted, ids, strict=True)}
