"""Pure: what an order says: its address, and the hashes under which it is remembered."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from uuid import UUID

from loyalty.kit.problems import Problem
from loyalty.program import receipts
from loyalty.rewards.shapes import Order

# The namespace of the ids of orders.
SOURCE = "redemption"
NEEDED = ("name", "street", "postcode", "city", "country")
ADDRESS = (*NEEDED, "company", "addition", "region", "email", "phone")
LONGEST = 200


def key_of(identifier: str) -> UUID:
    """The hash under which the caller's own id is remembered."""
    return receipts.key_of(SOURCE, identifier)


def content_of(order: Order, customer_id: int) -> UUID:
    """The hash of what was ordered by whom, to tell a repetition from a second order under the same id."""
    said = {name: value for name, value in asdict(order).items() if name not in ("identifier", "pin")}
    if not order.pay_later:
        del said["pay_later"]  # the hashes of earlier orders do not know it
    text = json.dumps({**said, "customer": customer_id}, sort_keys=True, default=str)
    return UUID(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest())


def check_address(address: Mapping[str, str] | None, *, wanted: bool) -> list[Problem]:
    """What is wrong with an address to send a parcel to."""
    if address is None:
        remedy = f"give {', '.join(NEEDED)}"
        return [Problem("address", "is missing", remedy)] if wanted else []
    problems = [
        Problem(f"address.{name}", "is no field of an address", f"known: {', '.join(ADDRESS)}")
        for name in address
        if name not in ADDRESS
    ]
    problems += [Problem(f"address.{name}", "is missing") for name in NEEDED if not str(address.get(name, "")).strip()]
    problems += [
        Problem(f"address.{name}", f"is longer than {LONGEST} characters")
        for name, value in address.items()
        if len(str(value)) > LONGEST
    ]
    country = str(address.get("country", ""))
    if country and not (len(country) == 2 and country.isalpha() and country.isupper()):
        problems.append(Problem("address.country", "is no country code", "two capital letters, such as DE"))
    return problems
