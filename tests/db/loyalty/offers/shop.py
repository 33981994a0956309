"""A shop with vouchers and offers, for tests."""

from datetime import UTC, datetime
from typing import Any

from loyalty.kit.applying import apply_documents
from loyalty.kit.checks import invariants, verdict
from loyalty.kit.sql import execute, fetch, sql
from loyalty.offers import issuing

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def applied(*documents: dict[str, Any]) -> None:
    """These documents, applied."""
    apply_documents(list(documents), now=NOW)


def pool(key: str, benefit: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """The document of a pool."""
    return {"kind": "voucher_pool", "key": key, "benefit": benefit, **rest}


def shared(key: str, code: str, benefit: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """The document of a pool with one code for all."""
    return pool(key, benefit, codes={"type": "shared", "code": code}, **rest)


def offer(key: str, benefit: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """The document of an offer."""
    return {"kind": "offer", "key": key, "benefit": benefit, **rest}


def customer(external_id: str) -> int:
    """A customer; the id."""
    return fetch(
        sql(
            "INSERT INTO customer (external_id, created_at, updated_at) VALUES ({e}, {now}, {now}) RETURNING id",
            e=external_id,
            now=NOW,
        )
    )[0][0]


def code_of(pool_key: str, customer_id: int | None = None, **wanted: Any) -> str:
    """The code of a new voucher."""
    issued = issuing.issue(pool_key, [issuing.Wanted(customer_id, **wanted)], source="test", now=NOW)[0]
    assert issued is not None
    return issued.code


def items(*amounts: float, **facts: Any) -> list[dict[str, Any]]:
    """A line for each amount."""
    return [{"amount": amount, "sku": f"s{number}", **facts} for number, amount in enumerate(amounts, 1)]


def basket(*amounts: float, codes: tuple[str, ...] = (), **rest: Any) -> dict[str, Any]:
    """A basket with a line for each amount."""
    return {"codes": list(codes), "items": items(*amounts), **rest}


def reasons(answer: dict[str, Any]) -> dict[str, str]:
    """Why what is refused, by name."""
    return {one["name"]: one["reason"] for one in answer["refused"]}


def violations() -> dict[str, int]:
    """Invariants of offers that do not hold."""
    found = [verdict(one) for one in invariants() if one.key.startswith(("offers.", "program."))]
    assert len(found) > 4
    return {one.key: one.violations or -1 for one in found if not one.holds}


def uses(code: str) -> int:
    """How often a voucher is held or used."""
    return fetch(sql("SELECT uses FROM voucher WHERE code = {c}", c=code))[0][0]


def money(code: str) -> tuple[str, str]:
    """(available, held) of a gift card."""
    [(available, held)] = fetch(sql("SELECT available, held FROM voucher WHERE code = {c}", c=code))
    return str(available), str(held)


def forget(external_id: str) -> None:
    """Take the customer away."""
    execute(sql("DELETE FROM customer WHERE external_id = {e}", e=external_id))
