"""What `manage.py doctor` looks at here: the queue between events and those who follow them."""

from collections.abc import Iterable

from loyalty.events import partitions, retention
from loyalty.kit import clock
from loyalty.kit.diagnoses import Finding, broken, diagnosis, ok, warning
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


@diagnosis("event retention", order=46)
def look_at_retention() -> Iterable[Finding]:
    """What is set can be understood, and what has expired is going."""
    now = clock.now()
    for name, read in (("LEGAL_HOLD", retention.hold), ("EVENT_ID_MEMORY", retention.memory)):
        try:
            read()
        except ValueError as error:
            yield broken(f"{name}: {error}", "correct the variable; until then nothing is removed")
            return
    try:
        waiting = retention.due(now=now)
    except ValueError as error:
        yield broken(f"EVENT_RETENTION: {error}", "correct the variable; until then nothing is removed")
        return
    if waiting:
        told = f"{len(waiting)} months hold expired events, the oldest {waiting[0].month:%Y-%m}"
        yield warning(told, "they go one an hour; at once by: manage.py tick --until-idle")
    else:
        yield ok(f"nothing has expired in {len(partitions.existing())} months of events")
