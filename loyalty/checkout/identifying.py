"""Who stands at the till: by a scanned code, a card, an external id, a phone number or an address, in this order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from loyalty.cards import codes
from loyalty.cards import operations as card_operations
from loyalty.cards import queries as cards
from loyalty.customers import queries as customers
from loyalty.customers.addresses import phone as phone_of
from loyalty.customers.cards import plain
from loyalty.customers.operations import ensure_customers
from loyalty.customers.values import Refused
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import fetch, sql

PRIORITY = ("qr", "card", "external_id", "phone", "email")
Reference = str | dict[str, str]


@dataclass(frozen=True, slots=True)
class Known:
    """A customer, the reference by which others find the same one, and by what they were recognized.

    `conflicts`: keys given beside that belong to somebody else.
    """

    customer_id: int
    reference: Reference
    by: str
    conflicts: dict[str, str] = field(default_factory=dict)


def identify(given: Mapping[str, str], *, now: datetime) -> Known:
    """The customer whom the keys mean: the first that leads to somebody counts. Raises Problems, one for each key."""
    found: Known | None = None
    problems: list[Problem] = []
    conflicts: dict[str, str] = {}
    for kind in (kind for kind in PRIORITY if given.get(kind)):
        try:
            known = recognize({kind: given[kind]}, at=now, now=now, where=kind)
        except Problems as error:
            problems += error.problems
            # A card that is refused is looked into by people: whoever shows it may have found it.
            if found is None and kind in ("qr", "card") and not _may_go_on(error.problems):
                raise
            continue
        if found is None:
            found = known
        elif found.customer_id != known.customer_id:
            conflicts[kind] = "belongs to somebody else"
    if found is None:
        raise Problems(problems or [Problem("", "nothing to go by", f"give one of {', '.join(PRIORITY)}")])
    return Known(found.customer_id, found.reference, found.by, conflicts)


def _may_go_on(problems: list[Problem]) -> bool:
    return all("blocked" not in one.problem and "replaced" not in one.problem for one in problems)


def recognize(customer: str | Mapping[str, str], *, at: datetime, now: datetime, where: str = "customer") -> Known:
    """One reference of a basket; `at` is when the code on the phone was scanned. Raises Problems.

    A card from our own stock that nobody has yet is good: somebody without a name collects with it.
    """
    kind, text = ("external_id", customer) if isinstance(customer, str) else next(iter(customer.items()))
    if kind == "qr" and codes.is_code(text):
        try:
            customer_id = codes.read_code(text, now=min(at, now))
        except Problems as error:
            raise Problems([Problem(where, one.problem, one.remedy) for one in error.problems]) from None
        return Known(customer_id, reference_of(customer_id, where), "qr")
    if kind in ("qr", "card"):
        number = plain(text)
        return Known(_card(number, where, now), {"card": number}, "card")
    if kind == "phone":
        text = _phone(text)
    reference: Reference = text if kind == "external_id" else {kind: text}
    if kind in ("phone", "email") and len(_sharing(kind, text)) > 1:
        remedy = "ask for the card, or another key"
        raise Problems([Problem(where, f"several customers have this {kind}", remedy)])
    found = customers.resolve([reference])[0]
    if found is None:
        told = f"the external id {text!r}" if kind == "external_id" else f"{kind} {text!r}"
        remedy = "check the number, or create the customer first"
        raise Problems([Problem(where, f"nobody is known by {told}", remedy)])
    return Known(found, reference, kind)


def _card(number: str, where: str, now: datetime) -> int:
    card = cards.find(number)
    if card is None:
        wrong = card_operations.unknown(number)
        raise Problems([Problem(where, wrong.problem, wrong.remedy)])
    if card.usable and card.customer_id is not None:
        return card.customer_id
    if card.state == "ready" and card.holder == "member":
        return ensure_customers([], [], now=now, identities=[("card", number)])["card", number]
    wrong = card_operations.refusal(card)
    raise Problems([Problem(where, wrong.problem, wrong.remedy)])


def _phone(text: str) -> str:
    """The number as it is stored; as it was typed where it is none."""
    try:
        return phone_of(text) or text
    except (Refused, ValueError):
        return text


def _sharing(kind: str, text: str) -> list[int]:
    column = sql("lower(email) = lower({t})", t=text) if kind == "email" else sql("phone = {t}", t=text)
    return [row[0] for row in fetch(sql("SELECT id FROM customer WHERE {column} LIMIT 2", column=column))]


def reference_of(customer_id: int, where: str = "customer") -> Reference:
    """By what the ledger finds this customer and nobody else: external id, card, other identity, address, phone."""
    rows = fetch(
        sql(
            "SELECT c.external_id, i.kind, i.value, c.email, c.phone FROM customer c LEFT JOIN customer_identity i"
            " ON i.customer_id = c.id WHERE c.id = {id} ORDER BY i.kind <> 'card', i.id LIMIT 1",
            id=customer_id,
        )
    )
    external_id, kind, value, email, phone = rows[0] if rows else (None, None, None, None, None)
    if external_id:
        return str(external_id)
    if kind:
        return {kind: value}
    for name, text in (("email", email), ("phone", phone)):
        if text and len(_sharing(name, text)) == 1:
            return {name: text}
    gone = "is gone" if not rows else "has no card yet"
    raise Problems([Problem(where, f"the customer {gone}", "ask for another key")])


def staff_card(number: str, customer_id: int | None) -> int:
    """The card of who serves; raises Problems for one that is none, and for those who serve themselves."""
    card = cards.find(number)
    if card is None or card.id is None or card.holder != "staff":
        raise Problems([Problem("staff", f"{number!r} is no card of staff", "scan the card of who serves")])
    if card.state != "ready":
        wrong = card_operations.refusal(card)
        raise Problems([Problem("staff", wrong.problem, wrong.remedy)])
    if card.customer_id is not None and card.customer_id == customer_id:
        raise Problems([Problem("staff", "is the customer", "let somebody else ring it up")])
    return card.id
