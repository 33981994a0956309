"""Points from elsewhere: rows of a file become lots, once each, in one statement for thousands."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from loyalty.customers import queries as customers
from loyalty.kit.problems import Problem
from loyalty.program import membership, movements, names
from loyalty.program.models import Booking
from loyalty.program.movements import Grant
from loyalty.program.receipts import key_of
from loyalty.program.setup import Setup

SOURCE = "import"
MOST = 100_000_000
IDENTITIES = ("card", "email", "phone")


@dataclass(slots=True)
class Imported:
    """`given` rows became points, `repeated` had come before; `rejected` is (place, problems)."""

    given: int = 0
    repeated: int = 0
    points: int = 0
    rejected: list[tuple[int, list[Problem]]] = field(default_factory=list)


def import_points(
    rows: Sequence[dict[str, Any]], *, setup: Setup, wallet: str | None, reason: str | None, now: datetime
) -> Imported:
    """Give each row's points; who is no member becomes one.

    A row: `id` (each is given once ever), `customer` or one of card, email, phone, `points`, and `expires_at` (ISO,
    with offset; the wallet's usual expiry without).
    """
    setup.wallet(wallet)
    done = Imported()
    references: list[Any] = [_reference(row) for row in rows]
    found = customers.resolve([one if one is not None else "" for one in references])
    good: list[tuple[int, int, int, Any, datetime | None]] = []
    seen: set[str] = set()
    for place, (row, reference, customer_id) in enumerate(zip(rows, references, found, strict=True)):
        problems, points, expires_at = _values(row, now)
        identifier = str(row.get("id") or "").strip()
        if not identifier:
            problems.append(Problem("id", "is missing", "an id of the row lets it be sent twice without harm"))
        elif identifier in seen:
            problems.append(Problem("id", f"{identifier!r} stands twice in the file"))
        seen.add(identifier)
        if reference is None:
            problems.append(Problem("customer", "is missing", f"give customer, {', '.join(IDENTITIES)}"))
        elif customer_id is None:
            problems.append(Problem("customer", "nobody is known by this", "import the customers first"))
        if problems or customer_id is None:
            done.rejected.append((place, problems))
        else:
            good.append((place, customer_id, points, key_of(SOURCE, f"{setup.id}:{identifier}"), expires_at))
    if not good:
        return done
    with transaction.atomic():
        people = sorted({row[1] for row in good})
        membership.join(people, setup=setup, now=now)
        members = membership.of_customers(people, program_id=setup.id)
        fit = [row for row in good if members.get(row[1], (0, ""))[1] == "active"]
        done.rejected += [
            (row[0], [membership.unfit(members.get(row[1], (0, "none"))[1])]) for row in good if row not in fit
        ]
        grants = [Grant(members[row[1]][0], row[2], row[3], row[4]) for row in fit]
        before = _known([row[3] for row in fit])
        movements.grant(grants, setup=setup, wallet=wallet, kind=names.IMPORT, reason=reason, now=now)
        fresh = [row for row in fit if row[3] not in before]
    done.given, done.repeated = len(fresh), len(fit) - len(fresh)
    done.points = sum(row[2] for row in fresh)
    done.rejected.sort(key=lambda one: one[0])
    return done


def _known(keys: list[Any]) -> set[Any]:
    return set(Booking.objects.filter(key_digest__in=keys).values_list("key_digest", flat=True))


def _reference(row: dict[str, Any]) -> str | dict[str, str] | None:
    if text := str(row.get("customer") or "").strip():
        return text
    return next(({kind: str(row[kind]).strip()} for kind in IDENTITIES if str(row.get(kind) or "").strip()), None)


def _values(row: dict[str, Any], now: datetime) -> tuple[list[Problem], int, datetime | None]:
    problems: list[Problem] = []
    text = str(row.get("points") or "").strip()
    points = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
    if not 0 < points <= MOST:
        problems.append(Problem("points", f"{text[:20]!r} is no number of points", f"write 1 to {MOST}"))
    expires_at = None
    if written := str(row.get("expires_at") or "").strip():
        try:
            expires_at = datetime.fromisoformat(written)
        except ValueError:
            expires_at = None
        if expires_at is None or expires_at.tzinfo is None:
            problems.append(Problem("expires_at", f"{written[:40]!r} is no instant", "write 2028-12-31T23:00:00+01:00"))
            expires_at = None
        elif expires_at <= now:
            problems.append(Problem("expires_at", "has passed", "leave out what has expired"))
    return problems, points, expires_at
