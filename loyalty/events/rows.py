"""Pure: from one row of a file to one event, as the intake reads it."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

# What a spreadsheet writes for a number. Leading zeros and more than 15 digits mean a code, which stays text.
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?P<fraction>\.\d{1,15})?", re.ASCII)
_PROPERTY = "properties."
_CUSTOMER = "customer."


def event_of(
    record: Mapping[str, str], *, row_id: str, name: str | None, zone: ZoneInfo | None, shift: timedelta
) -> dict[str, Any]:
    """The event in a row: `record` holds its filled cells by field.

    `row_id` identifies it if the row has no id, `name` names it if the row has none; `zone` applies to times without
    offset; `shift` is added to the time. What is no time is passed on as it stands, for the intake to refuse.
    """
    event: dict[str, Any] = {"id": record.get("id", row_id), "name": record.get("name", name)}
    if "occurred_at" in record:
        event["occurred_at"] = _shifted(record["occurred_at"], zone, shift)
    event["customer"] = record.get("customer")
    identities = {field.removeprefix(_CUSTOMER): cell for field, cell in record.items() if field.startswith(_CUSTOMER)}
    if event["customer"] is None and identities:
        event["customer"] = identities
    event["properties"] = {
        field.removeprefix(_PROPERTY): typed(cell) for field, cell in record.items() if field.startswith(_PROPERTY)
    }
    return event


def typed(cell: str) -> str | int | float:
    """A number where the cell is plainly one, else its text."""
    match = _NUMBER.fullmatch(cell)
    if match is None:
        return cell
    return float(cell) if match["fraction"] else int(cell)


def instant_of(cell: str, zone: ZoneInfo | None) -> datetime | None:
    """The instant in a cell, in `zone` if it has no offset; None for what is no time or has neither offset nor zone."""
    try:
        instant = datetime.fromisoformat(cell.strip())
    except ValueError:
        return None
    if instant.tzinfo is None:
        return instant.replace(tzinfo=zone) if zone else None
    return instant


def _shifted(cell: str, zone: ZoneInfo | None, shift: timedelta) -> datetime | str:
    instant = instant_of(cell, zone)
    if instant is None:
        return cell
    try:
        return instant + shift
    except OverflowError:
        return cell
