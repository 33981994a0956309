"""What `manage.py doctor` looks at here: the queue between events and those who follow them."""

from collections.abc import Iterable

from loyalty.kit.diagnoses import Finding, broken, diagnosis, ok
from loyalty.kit.sql import fetch

WAIT_MAX_SECONDS = 600.0

# The queue keeps no time of its own: that its oldest row arrived stands with the event, found by the partition's index.
_OLDEST = """
SELECT consumer, waiting, extract(epoch FROM clock_timestamp() - event.received_at)::float8
FROM (SELECT consumer, count(*) AS waiting, min(seq) AS seq FROM event_queue GROUP BY consumer) AS line
JOIN event_queue AS oldest USING (consumer, seq)
LEFT JOIN event ON event.customer_id = oldest.customer_id AND event.type_id = oldest.type_id
    AND event.occurred_at = oldest.occurred_at AND event.id = oldest.event_id
ORDER BY consumer
"""


@diagnosis("event queue", order=45)
def look_at_queue() -> Iterable[Finding]:
    """Nobody lets events wait."""
    lines = fetch(_OLDEST)
    if not lines:
        yield ok("no event waits")
    for consumer, waiting, age in lines:
        told = f"{waiting:,} events wait for {consumer}, the oldest for {age or 0:,.0f} s"
        if age and age > WAIT_MAX_SECONDS:
            yield broken(told, "start the worker of the queue 'triggers', or run: manage.py tick --until-idle")
        else:
            yield ok(told)
