"""What staff at a counter see of the customer before them, and what they note."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from loyalty.cards import codes
from loyalty.checkout import dues, identifying, queries
from loyalty.checkout.identifying import Known
from loyalty.checkout.models import Store, StoreStaff
from loyalty.events import facts, partitions
from loyalty.events import queries as events
from loyalty.kit.admin import localized
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import fetch, sql
from loyalty.offers import queries as vouchers
from loyalty.offers import wallets
from loyalty.offers.wording import sentence
from loyalty.program import queries as program
from loyalty.program.models import Member
from loyalty.program.setup import Setup
from loyalty.rewards import queries as rewards
from loyalty.rewards.queries import Offered

NOTED = "staff.noted"
LONGEST_NOTE = 1000
NOTES, REDEEMED, REWARDS, VOUCHERS = 5, 3, 12, 12


@dataclass(frozen=True, slots=True)
class Customer:
    """Everything on one page; no address, no birthday, no purchases: who serves does not need them."""

    id: int
    name: str
    member: Member | None
    tier: str
    balances: list[tuple[str, dict[str, Any]]]
    hints: list[dict[str, Any]]
    offers: list[wallets.InWallet]
    vouchers: list[dict[str, Any]]
    rewards: list[Offered]
    dues: list[dict[str, Any]]
    redeemed: list[dict[str, Any]]
    notes: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)


def store_of(user_id: int | None) -> Store | None:
    """The store at which a user serves."""
    found = StoreStaff.objects.select_related("store").filter(user_id=user_id or 0).first()
    return found.store if found else None


def find(text: str, *, now: datetime) -> Known:
    """Whom a scanned or typed text means: a code on a phone, a card, a number, an address. Raises Problems."""
    text = text.strip()
    if not text or "\0" in text or len(text) > 500:
        raise Problems([Problem("", "nothing to go by")])
    if codes.is_code(text):
        return identifying.identify({"qr": text}, now=now)
    if "@" in text:
        return identifying.identify({"email": text}, now=now)
    given = {"card": text, "external_id": text}
    if sum(char.isdigit() for char in text) >= 6:
        given["phone"] = text
    return identifying.identify(given, now=now)


def customer(customer_id: int, *, setup: Setup, now: datetime) -> Customer | None:
    """The customer as the staff sees them; None when they are gone. A fixed number of queries."""
    rows = fetch(sql("SELECT first_name, last_name FROM customer WHERE id = {id}", id=customer_id))
    if not rows:
        return None
    member = program.member_of(customer_id, program_id=setup.id)
    tier = next((one for one in setup.tiers if member and one.id == member.tier_id), None)
    offered = rewards.shop(setup=setup, now=now, customer_id=customer_id) if member else []
    mine = vouchers.of_customer(customer_id, now=now)
    redeemed, _more = rewards.redemptions(customer_id=customer_id, program_id=setup.id, limit=REDEEMED)
    return Customer(
        customer_id,
        " ".join(part for part in rows[0] if part),
        member,
        localized(tier.name, tier.key) if tier else "",
        [
            (queries.wallet_name(setup, one["wallet"]), one)
            for one in (program.balances(member.pk, setup=setup, now=now) if member else [])
        ],
        queries.hints(customer_id, member, setup=setup, now=now) if member else [],
        [one for one in wallets.wallet(customer_id, now=now) if one.state != "used"],
        [{**one, "sentence": sentence(one["document"])} for one in mine if one["status"] == queries.USABLE][:VOUCHERS],
        [one for one in offered if not one.why_not][:REWARDS],
        dues.dues(customer_id=customer_id, state=dues.OPEN)[0],
        redeemed,
        [(one.occurred_at, one.properties) for one in events.timeline(customer_id, names=[NOTED], limit=NOTES).events],
    )


def note(customer_id: int, text: str, *, by: str, store: str | None, now: datetime) -> None:
    """Put a note on the customer's timeline; raises Problems for an empty or endless one."""
    text = text.strip()
    if not text or len(text) > LONGEST_NOTE or "\0" in text:
        raise Problems([Problem("note", f"is empty, or longer than {LONGEST_NOTE} characters")])
    partitions.ensure(now, now)
    facts.write(
        NOTED,
        sql(
            "SELECT id, {now}::timestamptz, NULL::bigint, jsonb_strip_nulls(jsonb_build_object('note', {text}::text,"
            " 'by', {by}::text, 'store', {store}::text)) FROM customer WHERE id = {id}",
            now=now,
            text=text,
            by=by,
            store=store,
            id=customer_id,
        ),
    )


def pickup(store: Store | None, name: str) -> dict[str, str] | None:
    """The address of a store as the one to which a reward goes that is taken along; None where it has none."""
    place = store.definition if store else {}
    if store is None or not all(place.get(part) for part in ("street", "postcode", "city", "country")):
        return None
    address = {part: str(place[part]) for part in ("street", "postcode", "city", "country")}
    return {"name": name or localized(store.name, store.key), "company": localized(store.name, store.key), **address}
