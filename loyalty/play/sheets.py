"""Pure: stamps come onto sheets: one sheet is filled after the other, and one whose time is up is void."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Sheet:
    """`id` is None for a sheet that is new; `before` are the stamps it had before these."""

    number: int
    size: int
    started_at: datetime
    expires_at: datetime | None
    stamps: int = 0
    before: int = 0
    state: str = "open"
    closed_at: datetime | None = None
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """The card as it is now: stamps of a sheet, how long it lasts (`ends(at)`, None for ever) from the first or the
    last stamp, and the most sheets a person may fill (None: any number)."""

    size: int
    ends: Callable[[datetime], datetime] | None = None
    from_last: bool = False
    most: int | None = None


def lay(
    open_sheet: Sheet | None, last_number: int, complete: int, stamps: Sequence[tuple[datetime, int]], terms: Terms
) -> tuple[list[Sheet], int]:
    """Lay stamps, given as (when, how many), in the order of time. The sheets that are new or changed, and how many
    stamps found no sheet any more because the person has filled as many as there are.

    `last_number` is the number of the newest sheet, `complete` how many are full already.
    """
    changed: list[Sheet] = []
    current, lost = open_sheet, 0
    for at, count in sorted(stamps, key=lambda one: one[0]):
        while count:
            if current is not None and current.expires_at is not None and at >= current.expires_at:
                changed.append(replace(current, state="expired", closed_at=current.expires_at))
                current = None
            if current is None:
                if terms.most is not None and complete >= terms.most:
                    lost += count
                    break
                last_number += 1
                current = Sheet(last_number, terms.size, at, terms.ends(at) if terms.ends else None)
            laid = min(count, current.size - current.stamps)
            count -= laid
            current = replace(current, stamps=current.stamps + laid)
            if terms.from_last and terms.ends:
                later = terms.ends(at)
                current = replace(current, expires_at=max(current.expires_at or later, later))
            if current.stamps == current.size:
                changed.append(replace(current, state="complete", closed_at=at))
                current, complete = None, complete + 1
    if current is not None and current != open_sheet:
        changed.append(current)
    return changed, lost
