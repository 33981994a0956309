"""Messages that may have killed a worker are tried alone, and not for ever.

When a worker dies, the rescuer notes every message it had only claimed. Most of them are innocent, so none is judged by
that; but from then on each is taken alone, its trial written down first. Only the one that kills its worker collects
trials, and at the third it is given up.
"""

from collections.abc import Sequence
from datetime import datetime

from campaigns.delivery.claim import Claimed
from campaigns.delivery.start import skip
from loyalty.kit.sql import fetch, sql

MAX_TRIALS = 3
GATE = "rescue"
LOST = "worker_lost"
TRIAL = "trial"


def apart(messages: Sequence[Claimed]) -> tuple[list[Claimed], list[Claimed]]:
    """The messages without and those with a lost worker in their past; one query."""
    suspects = {
        row[0]
        for row in fetch(
            sql(
                "SELECT DISTINCT message_id FROM message_verdict WHERE message_id = ANY({ids}) AND gate = {gate}",
                ids=[message.id for message in messages],
                gate=GATE,
            )
        )
    }
    if not suspects:
        return list(messages), []
    return (
        [message for message in messages if message.id not in suspects],
        [message for message in messages if message.id in suspects],
    )


def begin(message: Claimed, *, owner: int, at: datetime) -> bool:
    """Write down that this message is tried alone; False when it has had its trials and was skipped."""
    trials = fetch(
        sql(
            """WITH before AS (
                SELECT count(*) AS n FROM message_verdict
                WHERE message_id = {id} AND gate = {gate} AND code = {trial}
            ), noted AS (
                INSERT INTO message_verdict (message_id, judged_at, gate, code)
                SELECT {id}, {at}, {gate}, {trial} FROM before WHERE n < {most}
            ) SELECT n FROM before""",
            id=message.id,
            at=at,
            gate=GATE,
            trial=TRIAL,
            most=MAX_TRIALS,
        )
    )[0][0]
    if trials < MAX_TRIALS:
        return True
    facts = {"problem": "each worker that took it alone was lost", "trials": trials}
    skip({message.id: facts}, owner=owner, at=at, gate=GATE, code="render_error")
    return False
