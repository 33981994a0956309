"""A year of a real shop through the ledger: receipts, returns, everything twice, and the books must balance.

    .venv/bin/uv pip install duckdb
    .venv/bin/python tests/scale/online_retail.py [--file ../shared/data/open/online_retail.parquet]

UCI Online Retail (D. Chen, CC BY 4.0): 541,909 lines of 2010-12 to 2011-12. Lines without a customer or without a price
are left out and counted. A negative quantity is a return: it takes back the customer's latest earlier lines of the same
article; what no line of the file explains is counted too. What must come out is worked out beside the ledger, from the
file alone: money to the cent, points to the point. Prints a table; exit status 1 where the books differ or the second
run changes anything.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from loyalty.local.postgres import Postgres  # noqa: E402
from loyalty.local.valkey import Valkey  # noqa: E402

BATCH = 2_000
LINES_MAX = 1_000
NOW = datetime(2011, 12, 10, tzinfo=UTC)
CENT = Decimal("0.01")
TABLES = ("booking", "lot", "entry", "member_balance", "event", "member", "customer")
DOCUMENTS: list[dict[str, Any]] = [
    {
        "kind": "program",
        "key": "retail",
        "currency": "GBP",
        "wallets": [{"key": "points", "pending": "14d", "value": 0.01}],
        "tiers": {"by": "points", "window": "12 months"},
    },
    {"kind": "tier", "key": "silver", "rank": 1, "threshold": 1000},
    {"kind": "tier", "key": "gold", "rank": 2, "threshold": 5000},
    {"kind": "earning_rule", "key": "base", "type": "per_purchase", "points": 1, "priority": 10},
]


@dataclass
class Line:
    """One line of a receipt, and how much of it came back."""

    number: int
    sku: str
    quantity: Decimal
    amount: Decimal
    back: Decimal = Decimal(0)


@dataclass
class Bought:
    """One receipt."""

    id: str
    customer: str
    at: datetime
    lines: list[Line] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        items = [{"sku": one.sku, "quantity": one.quantity, "amount": one.amount} for one in self.lines]
        return {"id": self.id, "customer": self.customer, "occurred_at": self.at, "currency": "GBP", "items": items}

    def points(self) -> tuple[int, int]:
        """(earned, taken back): a point per pound of the receipt, shared by its lines so that they add up."""
        earned = int(sum(one.amount for one in self.lines))
        taken, reached, total = 0, 0, Decimal(0)
        for place, one in enumerate(self.lines, 1):
            total += one.amount
            upto = earned if place == len(self.lines) else int(total)
            part, reached = upto - reached, upto
            taken += int((part * (one.back / one.quantity)).to_integral_value(ROUND_FLOOR))
        return earned, taken


@dataclass
class Shop:
    """The file as receipts and returns, and the money that came back."""

    receipts: dict[str, Bought] = field(default_factory=dict)
    returns: list[dict[str, Any]] = field(default_factory=list)
    returned: Decimal = Decimal(0)
    left_out: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def read(path: Path) -> Shop:
    """Receipts and returns in the order of time."""
    import duckdb

    rows = duckdb.sql(
        "SELECT InvoiceNo, StockCode, Quantity, UnitPrice, InvoiceDate, CustomerID"
        f" FROM read_parquet('{path}') ORDER BY InvoiceDate, InvoiceNo"
    ).fetchall()
    shop = Shop()
    stock: dict[tuple[str, str], list[tuple[Bought, Line]]] = defaultdict(list)
    for invoice, sku, quantity, price, at, customer in rows:
        if customer is None or not price or price <= 0 or not quantity:
            shop.left_out["lines without a customer" if customer is None else "lines without a price"] += 1
            continue
        who, when = f"c{int(float(customer))}", at.replace(tzinfo=UTC)
        if quantity < 0:
            _give_back(shop, stock[who, str(sku)], str(invoice), when, -int(quantity))
            continue
        bought = shop.receipts.setdefault(str(invoice), Bought(str(invoice), who, when))
        if len(bought.lines) == LINES_MAX:
            shop.left_out["lines beyond the thousandth of a receipt"] += 1
            continue
        amount = (Decimal(str(price)) * int(quantity)).quantize(CENT)
        line = Line(len(bought.lines) + 1, str(sku), Decimal(int(quantity)), amount)
        bought.lines.append(line)
        stock[who, str(sku)].append((bought, line))
    return shop


def _give_back(shop: Shop, candidates: list[tuple[Bought, Line]], invoice: str, at: datetime, pieces: int) -> None:
    """Take the pieces from the latest lines first."""
    rest = Decimal(pieces)
    for bought, line in reversed(candidates):
        taken = min(rest, line.quantity - line.back)
        if taken <= 0:
            continue
        before, line.back, rest = line.back, line.back + taken, rest - taken
        share = [(line.amount * (upto / line.quantity)).quantize(CENT, ROUND_FLOOR) for upto in (before, line.back)]
        shop.returned += share[1] - share[0]
        shop.returns.append(
            {
                "id": f"{invoice}-{len(shop.returns)}",
                "transaction": bought.id,
                "occurred_at": at,
                "items": [{"line": line.number, "quantity": taken}],
            }
        )
        if not rest:
            return
    shop.left_out["pieces returned that nobody bought in the file"] += int(rest)


def in_batches(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def replay(shop: Shop) -> tuple[float, float, int]:
    """Everything into the ledger; seconds of purchases and of returns, and how many rows were refused."""
    from loyalty.program import purchases, returns
    from loyalty.program.setup import load

    setup, refused, seconds = load(), 0, []
    bought = [one.row() for one in shop.receipts.values()]
    for commit, rows in ((purchases.commit, bought), (returns.give_back, shop.returns)):
        began = time.perf_counter()
        for batch in in_batches(rows):
            done = commit(rows=batch, setup=setup, now=NOW)
            refused += len(done.rejected)
            for place, problems in done.rejected[:3]:
                print("refused:", batch[place]["id"], *problems)
        seconds.append(time.perf_counter() - began)
    return seconds[0], seconds[1], refused


def books() -> dict[str, Any]:
    """What the ledger says, by SQL over its tables."""
    from loyalty.kit.sql import fetch
    from loyalty.program import names

    money = dict(fetch("SELECT kind, sum(amount) FROM booking WHERE kind IN ('purchase', 'return') GROUP BY 1"))
    moved = dict(
        fetch(
            "SELECT CASE WHEN from_account = %(issued)s THEN 'earned' WHEN to_account = %(reversed)s THEN 'taken' END,"
            " sum(amount) FROM entry GROUP BY 1",
            {"issued": names.ISSUED, "reversed": names.REVERSED},
        )
    )
    balance = fetch("SELECT coalesce(sum(pending + active + locked - owed), 0) FROM member_balance")[0][0]
    return {
        "bought": money.get("purchase", Decimal(0)),
        "returned": money.get("return", Decimal(0)),
        "earned": int(moved.get("earned", 0)),
        "taken": int(moved.get("taken", 0)),
        "balance": int(balance),
        "rows": {table: fetch(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES},
    }


def prepare(shop: Shop) -> None:
    """Tables, customers, program."""
    import django

    django.setup()
    from django.core.management import call_command

    from loyalty.customers.operations import upsert_customers
    from loyalty.kit.applying import apply_documents

    call_command("migrate", verbosity=0)
    people = [{"external_id": one} for one in sorted({bought.customer for bought in shop.receipts.values()})]
    for batch in in_batches(people):
        upsert_customers(batch, now=NOW, source="online retail")
    apply_documents(DOCUMENTS, now=NOW)


def expected_of(shop: Shop) -> dict[str, Any]:
    """What the ledger must say, from the file alone."""
    earned, taken = (sum(part) for part in zip(*(one.points() for one in shop.receipts.values()), strict=True))
    bought = sum((line.amount for one in shop.receipts.values() for line in one.lines), Decimal(0))
    return {
        "bought": bought,
        "returned": shop.returned,
        "earned": earned,
        "taken": taken,
        "balance": earned - taken,
    }


def report(shop: Shop) -> bool:
    """Replay twice and compare; whether everything agrees."""
    from loyalty.kit.checks import invariants, verdict

    bought, returned, refused = replay(shop)
    first = books()
    _, _, again = replay(shop)
    second = books()
    lines = sum(len(one.lines) for one in shop.receipts.values())
    print(f"{len(shop.receipts):,} receipts ({lines:,} lines) in {bought:.1f} s")
    print(f"{len(shop.returns):,} returns in {returned:.1f} s")
    for reason, count in shop.left_out.items():
        print(f"left out: {count:,} {reason}")
    agree = refused == again == 0
    for name, value in expected_of(shop).items():
        same = first[name] == value
        agree = agree and same
        print(f"{name:10} file {value:>14,}  ledger {first[name]:>14,}  {'equal' if same else 'DIFFERENT'}")
    print(f"second run: {'changes nothing' if first == second else f'CHANGED {first} to {second}'}")
    judged = [verdict(check) for check in invariants() if check.key.startswith("program.")]
    broken = [one for one in judged if one.violations or one.failure]
    for one in broken:
        print(f"verify: {one.key}: {one.violations} violations {one.failure or ''} {one.samples}")
    print(f"verify: {len(judged)} checks of the ledger, {len(broken)} broken")
    return agree and first == second and not broken


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--file", type=Path, default=ROOT.parent / "shared/data/open/online_retail.parquet")
    options = parser.parse_args()
    shop = read(options.file)
    state = Path(tempfile.mkdtemp(prefix="loyalty-retail-"))
    state.chmod(0o755)
    servers = (Postgres(state), Valkey(state))
    try:
        for server in servers:
            server.prepare()
            server.launch()
        for server in servers:
            server.wait()
        os.environ.update(
            STATE_DIR=str(state),
            DATABASE_URL=servers[0].url(),
            REDIS_URL=servers[1].url(),
            SECRET_KEY="online-retail",
            DJANGO_SETTINGS_MODULE="loyalty.settings",
        )
        prepare(shop)
        return 0 if report(shop) else 1
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(state, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
