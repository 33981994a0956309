"""`limits: {per_second: N}` of a sender, held over all workers by one token bucket in PostgreSQL.

The bucket holds one second's worth, so in any second at most 2 N start, over ten seconds at most 1.1 N each. Its clock
is the database's. Taking tokens is one UPDATE of one row per claim, not per message.
"""

from loyalty.kit.sql import execute, fetch, sql


def take(sender_id: int, *, rate: float, most: int) -> int:
    """Take up to `most` tokens of the sender's bucket; how many there were."""
    burst = max(rate, 1.0)
    rows = fetch(
        sql(
            """
            WITH made AS (
                INSERT INTO sender_budget (sender_id, tokens, refilled_at) VALUES ({sender}, {burst}, clock_timestamp())
                ON CONFLICT (sender_id) DO UPDATE SET refilled_at = clock_timestamp(), tokens = least({burst},
                    sender_budget.tokens + {rate} * greatest(0, extract(epoch FROM
                        clock_timestamp() - sender_budget.refilled_at)::float8))
                RETURNING tokens
            ) SELECT tokens FROM made""",
            sender=sender_id,
            burst=burst,
            rate=rate,
        )
    )
    granted = min(most, int(rows[0][0]))
    if granted:
        give_back(sender_id, -granted)
    return granted


def give_back(sender_id: int, tokens: int) -> None:
    """Put unused tokens back."""
    if tokens:
        execute(
            sql(
                "UPDATE sender_budget SET tokens = tokens + {tokens} WHERE sender_id = {sender}",
                tokens=tokens,
                sender=sender_id,
            )
        )
