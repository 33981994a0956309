"""Codes come into being: made, brought in a file, handed to people. Any number in a handful of statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Wanted:
    """A voucher for a customer (None: for whoever has it). The same `key` gets the same voucher again.

    `amount` is the money on a gift card, where it is not the pool's.
    """

    customer_id: int | None
    key: UUID | None = None
    amount: Decimal | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """The code that somebody got."""

    voucher_id: int
    code: str
    valid_until: datetime | None


def issue(pool: str, wanted: Sequence[Wanted], *, source: str, now: datetime) -> list[Issued | None]:
    """Hand out vouchers of the pool, in the order of `wanted`; None where the stock of codes ran out.

    Raises Problems for a pool that is unknown, paused or over, or shares one code.
    """
    raise NotImplementedError
