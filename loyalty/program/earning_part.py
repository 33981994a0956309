"""What an earning rule's file brings, and their registry.

A part says which bookings it looks at and how many points, as a fraction, each line gets. What all rules share (when,
caps, budgets, order, rounding, lots) is `award.py`'s. The SQL of a part reads two CTEs:

- `op`: the bookings: id, member_id, customer_id, kind, occurred_at, wall (local time), amount, net, margin, store,
  channel, tier, details (an event's properties), event (its name)
- `line`: their lines: booking_id, no, sku, category, brand, labels (text[]), quantity, gross, net, margin
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from loyalty.kit.registry import Registry
from loyalty.kit.sql import Sql
from loyalty.program.definition import Strict
from loyalty.program.terms import Terms


class EarningPart(Protocol):
    """One file in `earning/`; its key is the file name.

    `kinds` are the bookings it looks at. `points_sql(parameters, base)` selects booking_id, no (1 without lines) and
    points; `base` is such a select of what earlier rules of the same wallet gave, for `multiplies`. `points` is the
    twin in plain Python for one booking: points by line. `events` names the events it wants to be told of.
    """

    kinds: ClassVar[tuple[str, ...]]
    multiplies: ClassVar[bool]
    parameters: ClassVar[type[Strict]]

    def points_sql(self, parameters: Any, base: Sql) -> Sql: ...

    def points(self, parameters: Any, booking: dict[str, Any], base: dict[int, Any]) -> dict[int, Any]: ...

    def sentence(self, parameters: Any, terms: Terms) -> str: ...

    def events(self, parameters: Any) -> Sequence[str]: ...


earning: Registry[EarningPart] = Registry("earning rule type", package="loyalty.program.earning")
