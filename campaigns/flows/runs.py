"""Bulk entries: the people already in a segment at publishing, and scheduled entries. Unique, resumable, in batches."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim
from django.conf import settings
from django.db import transaction

from campaigns.flows import engine
from campaigns.flows.definition import Entry
from campaigns.flows.entering import enter
from campaigns.flows.models import Flow, FlowRun
from campaigns.flows.versions import version
from campaigns.segments.models import Segment
from loyalty.kit.sql import Sql, fetch, sql

RUN_BATCH = 20_000
# A schedule that was missed (everything was down) is made up for once, if it is not older than this.
MISSED_AT_MOST = timedelta(days=1)


def open_publish_runs(flow: Flow, *, now: datetime) -> int:
    """Note one run for each entry by segment that takes the people already inside; how many were noted."""
    assert flow.current_version_id is not None  # noqa: S101 - called by publish
    document = version(flow.current_version_id).graph.document
    runs = [
        FlowRun(flow=flow, version_id=flow.current_version_id, entry=i, scheduled_for=now)
        for i, entry in enumerate(document.entry)
        if entry.kind == "segment_entered" and entry.existing
    ]
    FlowRun.objects.bulk_create(runs, ignore_conflicts=True)
    return len(runs)


def open_scheduled_runs(*, now: datetime) -> int:
    """Note the runs whose instant has come; how many are new. The unique key makes two tickers note one."""
    new = 0
    for flow in Flow.objects.filter(state=Flow.State.RUNNING).select_related("current_version"):
        if flow.current_version is None:
            continue
        current = version(flow.current_version.pk)
        for i, entry in enumerate(current.graph.document.entry):
            at = due_instant(entry, after=flow.current_version.published_at, now=now)
            if at is None:
                continue
            _, created = FlowRun.objects.get_or_create(
                flow=flow, entry=i, scheduled_for=at, defaults={"version_id": current.id}
            )
            new += created
    return new


def due_instant(entry: Entry, *, after: datetime, now: datetime) -> datetime | None:
    """The latest instant of the entry's schedule in (after, now], not older than a day; None if there is none.

    Cron expressions are in the house's zone; cronsim lets a time in a DST gap happen right after it and one in an
    overlap once.
    """
    if entry.kind == "at":
        at = datetime.fromisoformat(str(entry.at))
        return at if after < at <= now and now - at <= MISSED_AT_MOST else None
    if entry.kind != "schedule":
        return None
    start = max(after, now - MISSED_AT_MOST)
    zone = ZoneInfo(settings.TIME_ZONE)
    latest = None
    for instant in CronSim(str(entry.schedule), start.astimezone(zone)):
        if instant > now:
            break
        latest = instant.astimezone(UTC)
    return latest


def advance_runs(*, now: datetime) -> int:
    """Let the next batch of one open run in; how many were looked at (0 = no open run)."""
    with transaction.atomic():
        engine.prepare_session()
        run = (
            FlowRun.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(finished_at=None, flow__state=Flow.State.RUNNING, scheduled_for__lte=now)
            .order_by("scheduled_for", "id")
            .first()
        )
        if run is None:
            return 0
        current = version(run.version_id)
        people = _people(current.graph.document.entry[run.entry], run.cursor)
        if people is None:
            FlowRun.objects.filter(pk=run.pk).update(finished_at=now)
            return 1
        looked_at, last = _window(people)
        entered = 0
        if looked_at:
            candidates = sql(
                "SELECT p.customer_id, 0::bigint, {now}::timestamptz, NULL::jsonb FROM ({people}) p",
                now=now,
                people=people,
            )
            entered = enter(current, candidates, now=now)
        FlowRun.objects.filter(pk=run.pk).update(
            cursor=last if looked_at else run.cursor,
            entered=run.entered + entered,
            finished_at=None if looked_at == RUN_BATCH else now,
        )
        return max(looked_at, 1)


def _people(entry: Entry, cursor: int) -> Sql | None:
    """The next batch behind the cursor, by customer id."""
    key = entry.segment_entered or entry.segment
    if key is None:
        return sql(
            "SELECT c.id AS customer_id FROM customer c WHERE c.id > {cursor} ORDER BY c.id LIMIT {n}",
            cursor=cursor,
            n=RUN_BATCH,
        )
    segment = Segment.objects.filter(key=key).first()
    if segment is None:
        return None
    return sql(
        "SELECT m.customer_id FROM segment_member m WHERE m.segment_id = {segment} AND m.customer_id > {cursor}"
        " ORDER BY m.customer_id LIMIT {n}",
        segment=segment.pk,
        cursor=cursor,
        n=RUN_BATCH,
    )


def _window(people: Sql) -> tuple[int, int]:
    count, last = fetch(sql("SELECT count(*), max(p.customer_id) FROM ({people}) p", people=people))[0]
    return count, last or 0
