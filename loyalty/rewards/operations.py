"""Writes what the shop offers: rewards, their hours, categories. Redeeming is in `redeeming`, what follows in
`fulfillment`."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import transaction

from loyalty.kit.audiences import unknown
from loyalty.kit.documents import Change
from loyalty.kit.problems import Problem, Problems
from loyalty.offers.models import VoucherPool
from loyalty.offers.queries import unknown_pool
from loyalty.program.setup import Setup
from loyalty.program.setup import load as load_program
from loyalty.rewards import names, stock
from loyalty.rewards.definition import CategoryDocument, RewardDocument
from loyalty.rewards.models import Redemption, Reward, RewardCategory, RewardSlot


def _change(kind: str, key: str, before: dict[str, Any] | None, after: dict[str, Any]) -> Change:
    verdict = "created" if before is None else "unchanged" if before == after else "updated"
    return Change(kind=kind, key=key, verdict=verdict, before=before, after=after)


@transaction.atomic
def save_category(document: CategoryDocument, *, now: datetime) -> Change:
    """Name a category of the shop."""
    found = RewardCategory.objects.filter(key=document.key).first()
    before = category_document(found) if found else None
    after = {"kind": "reward_category", "key": document.key, **document.plain()}
    change = _change("reward_category", document.key, before, after)
    if change.verdict != "unchanged":
        RewardCategory.objects.update_or_create(
            key=document.key, defaults={"name": document.name, "position": document.position}
        )
    return change


def category_document(category: RewardCategory) -> dict[str, Any]:
    """The category as it is written."""
    given = CategoryDocument(key=category.key, name=category.name, position=category.position)
    return {"kind": "reward_category", "key": category.key, **given.plain()}


@transaction.atomic
def save_reward(document: RewardDocument, *, now: datetime, coming: Collection[str] = ()) -> Change:
    """Create the reward or change it to `document`; raises Problems. `coming` are rewards that the same call brings."""
    setup = load_program(document.program)
    found = Reward.objects.select_for_update(no_key=True).filter(key=document.key).first()
    problems = _problems(document, setup, found, coming)
    if problems:
        raise Problems(problems)
    after = {"kind": "reward", "key": document.key, "program": setup.key, **document.plain()}
    change = _change("reward", document.key, found.definition if found else None, after)
    if change.verdict == "unchanged":
        return change
    pieces = document.stock
    if document.codes:
        pieces = found.stock if found and found.definition.get("codes") else 0
    row = found or Reward(key=document.key, program_id=setup.id, created_at=now)
    was_out = bool(found and found.stock is not None and found.stock <= found.taken)
    row.type, row.state, row.name = document.type, document.state, document.name
    row.points = min(price.points for price in document.options)
    row.categories, row.featured = document.categories, document.featured
    row.stock, row.low_stock, row.definition, row.updated_at = pieces, document.low_stock, after, now
    row.save()
    _save_slots(row, document)
    if was_out and (row.stock is None or row.stock > row.taken):
        stock.tell_back([row.id], now=now)
    return change


def _problems(document: RewardDocument, setup: Setup, found: Reward | None, coming: Collection[str]) -> list[Problem]:
    """What is wrong with the document in this house."""
    tiers = {tier.key for tier in setup.tiers}
    known = ", ".join(sorted(tiers)) or "none"
    problems = [
        Problem(f"visible.tiers[{place}]", f"there is no tier {key!r}", f"known: {known}")
        for place, key in enumerate(document.visible.tiers)
        if key not in tiers
    ]
    lost = unknown(document.visible.segments)
    problems += [
        Problem(f"visible.segments[{place}]", f"there is no segment {key!r}")
        for place, key in enumerate(document.visible.segments)
        if key in lost
    ]
    _, wallet = setup.wallet(document.wallet)
    if not wallet.spendable:
        problems.append(Problem("wallet", f"{wallet.key} is no wallet to pay with"))
    problems += _references(document, setup, coming)
    if document.voucher_pool and not VoucherPool.objects.filter(key=document.voucher_pool).exists():
        problems.append(unknown_pool(document.voucher_pool, "voucher_pool"))
    if found is None:
        return problems
    if found.program_id != setup.id:
        problems.append(Problem("program", "a reward stays in its program", "make a new reward"))
    if document.stock is not None and document.stock < found.taken:
        problems.append(Problem("stock", f"{found.taken} were redeemed already", f"give at least {found.taken}"))
    if (found.type, bool(found.definition.get("codes"))) != (document.type, document.codes) and found.taken:
        problems.append(Problem("type", "and codes stay once it was redeemed", "make a new reward"))
    if _parts(found.definition) != _parts(document.plain()) and _open(found.id):
        problems.append(Problem("items", "somebody still waits for this bundle", "make a new reward"))
    return problems


def _parts(definition: dict[str, Any]) -> dict[str, int]:
    return {part["reward"]: part.get("quantity", 1) for part in definition.get("items", [])}


def _open(reward_id: int) -> bool:
    return Redemption.objects.filter(reward_id=reward_id, state__in=names.OPEN).exists()


def _references(document: RewardDocument, setup: Setup, coming: Collection[str]) -> list[Problem]:
    """Whether the rewards of a bundle and the prize of a draw are there and fit."""
    wanted = {f"items[{place}].reward": part.reward for place, part in enumerate(document.items)}
    if document.draw:
        wanted["draw.prize"] = document.draw.prize
    if not wanted:
        return []
    found = {row.key: row for row in Reward.objects.filter(program_id=setup.id, key__in=wanted.values())}
    problems = []
    for where, key in wanted.items():
        row = found.get(key)
        if row is None:
            hint = "correct it first" if key in coming else "apply it first, or in the same call before this one"
            problems.append(Problem(where, f"there is no reward {key!r} in {setup.key}", hint))
        elif row.type == names.BUNDLE and where.startswith("items"):
            problems.append(Problem(where, f"{key!r} is a bundle itself"))
        elif row.definition.get("slots") or row.type == names.DRAW_TICKET:
            problems.append(Problem(where, f"{key!r} needs an hour or is a ticket", "choose another"))
    return problems


def _save_slots(row: Reward, document: RewardDocument) -> None:
    """The hours as the document says; those that somebody has booked cannot go, nor become too small."""
    wanted = {slot.at: slot.places for slot in document.slots}
    have = {slot.starts_at: slot for slot in RewardSlot.objects.select_for_update(no_key=True).filter(reward=row)}
    problems = [
        Problem("slots", f"{slot.taken} places are booked at {at.isoformat()}", "keep that hour with so many places")
        for at, slot in sorted(have.items())
        if wanted.get(at, 0) < slot.taken
    ]
    if problems:
        raise Problems(problems)
    RewardSlot.objects.filter(id__in=[slot.id for at, slot in have.items() if at not in wanted]).delete()
    changed = [slot for at, slot in have.items() if at in wanted and slot.places != wanted[at]]
    for slot in changed:
        slot.places = wanted[slot.starts_at]
    RewardSlot.objects.bulk_update(changed, ["places"])
    RewardSlot.objects.bulk_create(
        RewardSlot(reward=row, starts_at=at, places=places) for at, places in wanted.items() if at not in have
    )


@transaction.atomic
def set_state(*, reward_id: int, state: str, now: datetime) -> None:
    """Show the reward, take it off the shelf for a while, or for good; its document says so too."""
    row = Reward.objects.select_for_update(no_key=True).get(id=reward_id)
    definition = {name: value for name, value in row.definition.items() if name != "state"}
    row.state, row.updated_at = state, now
    row.definition = definition if state == "active" else {**definition, "state": state}
    row.save(update_fields=["state", "definition", "updated_at"])
