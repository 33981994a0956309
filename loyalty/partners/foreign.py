"""A program of somebody else: its balances mirrored here, its points moved over when their owners come along."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Annotated, Any

from django.db import transaction
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from loyalty.customers import queries as customers
from loyalty.kit.problems import Problem
from loyalty.kit.sql import execute, fetch, sql
from loyalty.partners.models import ForeignProgram
from loyalty.program import membership, movements, names
from loyalty.program.receipts import key_of, read
from loyalty.program.setup import Setup, load

BATCH = 5_000
MOST = 1_000_000_000


class Account(BaseModel):
    """A line of what the foreign program tells: the account's number, its balance, and whose it is if that is known."""

    model_config = ConfigDict(extra="forbid")

    number: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
    balance: Annotated[int, Field(ge=0, le=MOST)]
    as_of: AwareDatetime | None = None
    customer: str | dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Mirrored:
    """Accounts that are new, that changed, that said nothing new (or something older); those whose owner is unknown."""

    created: int
    updated: int
    unchanged: int
    unknown: int
    rejected: list[tuple[int, list[Problem]]]


@dataclass(frozen=True, slots=True)
class Conversion:
    """Accounts whose points moved over, theirs and ours."""

    accounts: int
    foreign_points: int
    points: int


@transaction.atomic
def mirror(*, foreign: ForeignProgram, rows: Sequence[object], now: datetime) -> Mirrored:
    """Note balances as the foreign program tells them; the good rows are noted, the bad ones told. What is older than
    what we have changes nothing, so files may be sent again and in any order."""
    problems: dict[int, list[Problem]] = {}
    good: dict[str, Account] = {}
    for place, row in enumerate(rows):
        account, wrong = read(Account, row)
        if account and account.as_of and account.as_of > now:
            wrong = [Problem("as_of", "lies in the future", "send the instant of the balance")]
        if not wrong and account.number in good:
            wrong = [Problem("number", f"{account.number!r} stands in this call twice", "send it once")]
        if wrong:
            problems[place] = wrong
        else:
            good[account.number] = account
    accounts = sorted(good.values(), key=lambda one: one.number)
    named = [one for one in accounts if one.customer is not None]
    owners = dict(
        zip((one.number for one in named), customers.resolve([one.customer or "" for one in named]), strict=True)
    )
    written = fetch(
        sql(
            """INSERT INTO foreign_account AS a (foreign_id, number, customer_id, balance, as_of, updated_at)
            SELECT {foreign}, t.*, {now} FROM unnest({numbers}::text[], {owners}::bigint[], {balances}::bigint[],
                {times}::timestamptz[]) AS t (number, customer_id, balance, as_of)
            ON CONFLICT (foreign_id, number) DO UPDATE SET
                balance = CASE WHEN EXCLUDED.as_of >= a.as_of THEN EXCLUDED.balance ELSE a.balance END,
                as_of = greatest(a.as_of, EXCLUDED.as_of),
                customer_id = coalesce(a.customer_id, EXCLUDED.customer_id), updated_at = EXCLUDED.updated_at
            WHERE (EXCLUDED.as_of >= a.as_of AND EXCLUDED.balance <> a.balance)
                OR (a.customer_id IS NULL AND EXCLUDED.customer_id IS NOT NULL)
            RETURNING xmax = 0, customer_id IS NULL""",
            foreign=foreign.pk,
            now=now,
            numbers=[one.number for one in accounts],
            owners=[owners.get(one.number) for one in accounts],
            balances=[one.balance for one in accounts],
            times=[one.as_of or now for one in accounts],
        )
    )
    created = sum(1 for new, _ in written if new)
    return Mirrored(
        created, len(written) - created, len(accounts) - len(written), sum(1 for _, unknown in written if unknown),
        sorted(problems.items()),
    )  # fmt: skip


def move_over(*, foreign: ForeignProgram, now: datetime, limit: int = BATCH) -> Conversion:
    """Give the owners of up to `limit` mirrored accounts our points for theirs; who has no membership gets one.

    Done once for every state of an account: its key is the points moved before, so a second call gives nothing again.
    Parts of a point of ours stay theirs.
    """
    setup = load(foreign.program.key)
    rate = Decimal(str(foreign.definition["rate"]))
    wallet = next(key for key, wallet_id in setup.wallet_ids.items() if wallet_id == foreign.wallet_id)
    with transaction.atomic():
        rows = fetch(
            sql(
                "SELECT a.id, a.customer_id, a.balance - a.moved, a.moved FROM foreign_account a"
                " JOIN customer c ON c.id = a.customer_id WHERE a.foreign_id = {foreign}"
                " AND floor((a.balance - a.moved) * {rate}::numeric) >= 1 ORDER BY a.id LIMIT {limit}"
                " FOR NO KEY UPDATE OF a",
                foreign=foreign.pk,
                rate=rate,
                limit=limit,
            )
        )
        grants, moved = _grants(rows, rate, foreign, setup, now)
        movements.grant(
            grants, setup=setup, wallet=wallet, kind=names.IMPORT, reason=f"moved over from {foreign.key}", now=now
        )
        execute(
            sql(
                "UPDATE foreign_account a SET moved = a.moved + t.points, updated_at = {now}"
                " FROM unnest({ids}::bigint[], {points}::bigint[]) AS t (id, points) WHERE a.id = t.id",
                ids=[account_id for account_id, _ in moved],
                points=[points for _, points in moved],
                now=now,
            )
        )
    return Conversion(len(moved), sum(points for _, points in moved), sum(grant.points for grant in grants))


def _grants(
    rows: Sequence[tuple[int, int, int, int]], rate: Decimal, foreign: ForeignProgram, setup: Setup, now: datetime
) -> tuple[list[movements.Grant], list[tuple[int, int]]]:
    """What the owners get, and the points of the accounts that move; not of members who are frozen or have left."""
    owners = {customer_id for _, customer_id, _, _ in rows}
    members = membership.of_customers(owners, program_id=setup.id)
    if strangers := owners - members.keys():
        membership.join(strangers, setup=setup, now=now)
        members |= membership.of_customers(strangers, program_id=setup.id)
    grants, moved = [], []
    for account_id, customer_id, open_points, before in rows:
        member_id, state = members.get(customer_id, (0, "none"))
        if state != "active":
            continue
        ours = int((open_points * rate).to_integral_value(ROUND_FLOOR))
        grants.append(movements.Grant(member_id, ours, key_of("foreign", f"{foreign.key}:{account_id}:{before}")))
        moved.append((account_id, open_points))
    return grants, moved


def exit_plan(foreign: ForeignProgram) -> dict[str, Any]:
    """What leaving the foreign program means: accounts, whose owner is known, points there, our points and money for
    them."""
    accounts, known, members, points, moved, open_known = fetch(
        sql(
            "SELECT count(*), count(a.customer_id), count(m.id), coalesce(sum(a.balance), 0)::bigint,"
            " coalesce(sum(a.moved), 0)::bigint,"
            " coalesce(sum(greatest(0, a.balance - a.moved)) FILTER (WHERE a.customer_id IS NOT NULL), 0)::bigint"
            " FROM foreign_account a LEFT JOIN member m ON m.customer_id = a.customer_id AND m.program_id = {program}"
            " WHERE a.foreign_id = {foreign}",
            program=foreign.program_id,
            foreign=foreign.pk,
        )
    )[0]
    setup = load(foreign.program.key)
    rate = Decimal(str(foreign.definition["rate"]))
    ours = int((open_known * rate).to_integral_value(ROUND_FLOOR))
    return {
        "accounts": accounts,
        "known": known,
        "members": members,
        "points": points,
        "moved": moved,
        "open": open_known,
        "ours": ours,
        "cost": (ours * setup.settings_of(foreign.wallet_id).value).quantize(Decimal("0.01")),
        "worth": (open_known * Decimal(str(foreign.definition.get("worth", 0)))).quantize(Decimal("0.01")),
        "currency": setup.document.currency,
        "ends_on": foreign.definition.get("ends_on"),
    }
