"""What consent holds about people: entries and states go with them; the hashes of suppressed addresses stay."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from loyalty.kit.erasures import PersonalData, hold_personal_data
from loyalty.kit.sql import execute, fetch, fetch_values, sql, statement


@contextmanager
def _entries_unlocked() -> Iterator[None]:
    """Let this transaction change entries, which a trigger otherwise refuses."""
    switch = "SELECT set_config('loyalty.consent_rewrite', %(to)s, true)"
    fetch(switch, {"to": "on"})
    yield
    fetch(switch, {"to": "off"})


def erase(customer_ids: Sequence[int]) -> int:
    """Forget what these people declared. Who had withdrawn stays out: the hash of the address is suppressed for it."""
    ids = {"ids": list(customer_ids)}
    execute(statement("loyalty.consent", "keep_objections"), ids)
    with _entries_unlocked():
        rows = execute("DELETE FROM consent_entry WHERE customer_id = ANY(%(ids)s)", ids)
    return rows + execute("DELETE FROM consent_state WHERE customer_id = ANY(%(ids)s)", ids)


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """The person's rows by table."""
    entries = "SELECT * FROM consent_entry WHERE customer_id = {id} ORDER BY occurred_at, id"
    states = "SELECT * FROM consent_state WHERE customer_id = {id} ORDER BY channel, purpose"
    suppressions = (
        "SELECT p.channel, p.purpose, p.reason, p.created_at FROM suppression p JOIN customer c"
        " ON p.digest IN (c.email_digest, c.phone_digest) WHERE c.id = {id} ORDER BY p.id"
    )
    return {
        "consent_entry": fetch_values(sql(entries, id=customer_id)),
        "consent_state": fetch_values(sql(states, id=customer_id)),
        "suppression": fetch_values(sql(suppressions, id=customer_id)),
    }


def merge(winner: int, loser: int) -> int:
    """The winner has declared what both declared; the latest holds."""
    pair = {"winner": winner, "loser": loser}
    rows = execute(statement("loyalty.consent", "merge_entries"), pair)
    with _entries_unlocked():
        execute("DELETE FROM consent_entry WHERE customer_id = %(loser)s", pair)
    execute("DELETE FROM consent_state WHERE customer_id IN (%(winner)s, %(loser)s)", pair)
    execute(statement("loyalty.consent", "rebuild_state"), pair)
    return rows


hold_personal_data(PersonalData("loyalty.consent", erase, export, merge))
