"""Pure: what somebody who redeems says, and what comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Order:
    """What a customer wants. `price` is the place of the price among the reward's prices; `slot` the hour of a service
    or an event; `payment` the reference under which the money part was paid; `identifier` the caller's own id, with
    which the same order sent again is one order; `pin` the member's, where so many points ask for it.
    """

    reward: str
    quantity: int = 1
    price: int = 0
    identifier: str | None = None
    address: Mapping[str, str] | None = None
    slot: datetime | None = None
    payment: str | None = None
    note: str | None = None
    pay_later: bool = False
    pin: str | None = None


@dataclass(frozen=True, slots=True)
class Redeemed:
    """The redemption; `repeated`: it was there already, and nothing changed. `points` were spent for it."""

    redemption_id: int
    repeated: bool
    state: str
    points: int


@dataclass(frozen=True, slots=True)
class Gift:
    """A reward for a customer who pays nothing for it; the same `key` again gives nothing again."""

    customer_id: int
    key: UUID


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The points that came back, and the redemptions that were cancelled (a bundle with its parts)."""

    points: int
    redemptions: int
