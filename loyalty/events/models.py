"""What happened: one append-only timeline, and the queue through which others hear of it.

Timeline and queue are made by hand-written SQL in the migration (partitions, no surplus keys); their models serve
reading. Nothing here has a database-level foreign key: these tables take tens of thousands of rows a second.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _


class EventType(models.Model):
    """One name of events, learned at first sight; never deleted, so processes may remember its id.

    What people decide about it: `title` and `description` by language, `properties` as {name: {"type", "required"}},
    which are enforced while it is `locked`, `retention` as a period ("400d"; None: as long as the installation says).
    `defined` tells a type that somebody wrote down from one that was only learned. The last `sampled` events up to
    `sampled_to` were looked at for `EventProperty`.
    """

    id = models.AutoField(primary_key=True)
    name = models.CharField(_("name"), max_length=100, unique=True)
    internal = models.BooleanField(_("internal"), default=False, db_default=False)
    first_seen_at = models.DateTimeField(_("first seen at"))
    title = models.JSONField(_("name"), default=dict, db_default={})
    description = models.JSONField(_("description"), default=dict, db_default={})
    properties = models.JSONField(_("properties"), default=dict, db_default={})
    locked = models.BooleanField(_("locked"), default=False, db_default=False)
    retention = models.TextField(_("kept for"), null=True)
    defined = models.BooleanField(_("defined"), default=False, db_default=False)
    sampled = models.IntegerField(_("events looked at"), default=0, db_default=0)
    sampled_to = models.DateTimeField(_("newest event looked at"), null=True)

    class Meta:
        db_table = "event_type"
        verbose_name = _("event type")
        verbose_name_plural = _("event types")

    def __str__(self) -> str:
        return self.name


class Event(models.Model):
    """One thing that happened to one customer; partitioned by UTC month of `occurred_at`, keyless in the database.

    `ref` is the row that an internal fact is about (see `names.FACTS`), null for events from outside.
    """

    id = models.BigIntegerField(primary_key=True)
    customer_id = models.BigIntegerField(_("customer"))
    type = models.ForeignKey(
        EventType, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, verbose_name=_("event type")
    )
    occurred_at = models.DateTimeField(_("occurred at"))
    received_at = models.DateTimeField(_("received at"))
    ref = models.BigIntegerField(_("reference"), null=True)
    properties = models.JSONField(_("properties"), null=True)

    class Meta:
        db_table = "event"
        verbose_name = _("event")
        verbose_name_plural = _("events")

    def __str__(self) -> str:
        return str(self.pk)


class EventProperty(models.Model):
    """A property that events of a type came with, one row per shape of its value (see `schemas.SHAPES`); no values.

    `seen` is how many of the type's last sampled events had it in this shape.
    """

    pk = models.CompositePrimaryKey("type_id", "key", "shape")
    type = models.ForeignKey(EventType, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    key = models.TextField(_("property"))
    shape = models.TextField(_("type"))
    first_seen_at = models.DateTimeField(_("first seen at"))
    seen = models.IntegerField(_("seen"), default=0, db_default=0)

    class Meta:
        db_table = "event_property"

    def __str__(self) -> str:
        return f"{self.key}: {self.shape}"


class EventKey(models.Model):
    """md5(source ':' id) of every event that came with an id: carries "the same id twice changes nothing"."""

    digest = models.UUIDField(primary_key=True)
    received_at = models.DateTimeField()

    class Meta:
        db_table = "event_key"

    def __str__(self) -> str:
        return str(self.digest)


class EventSubscription(models.Model):
    """`consumer` gets every event of this type that is written after this row was committed."""

    pk = models.CompositePrimaryKey("consumer", "type_id")
    consumer = models.TextField(_("consumer"))
    type = models.ForeignKey(EventType, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)

    class Meta:
        db_table = "event_subscription"

    def __str__(self) -> str:
        return f"{self.consumer}:{self.type_id}"


class QueuedEvent(models.Model):
    """An event that a consumer has still to take; written with the event, deleted in the transaction that works it."""

    seq = models.BigIntegerField(primary_key=True)
    consumer = models.TextField(_("consumer"))
    event_id = models.BigIntegerField()
    customer_id = models.BigIntegerField()
    type = models.ForeignKey(EventType, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    occurred_at = models.DateTimeField(_("occurred at"))
    ref = models.BigIntegerField(null=True)
    properties = models.JSONField(null=True)

    class Meta:
        db_table = "event_queue"

    def __str__(self) -> str:
        return str(self.seq)


class EventRemoval(models.Model):
    """One month out of which retention took events: `removed` as {name: number}, how many others were `kept`."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(_("removed at"))
    month = models.DateField(_("month"))
    removed = models.JSONField(_("removed"))
    kept = models.BigIntegerField(_("kept"))

    class Meta:
        db_table = "event_removal"
        verbose_name = _("removal of old events")
        verbose_name_plural = _("removals of old events")

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class EventSweep(models.Model):
    """How far a walk through a large table has come, so that the next tick goes on there."""

    name = models.TextField(primary_key=True)
    position = models.BigIntegerField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "event_sweep"

    def __str__(self) -> str:
        return self.name


class Arrival(models.Model):
    """How many events of one batch came how late (see `arrivals.BOUNDS`); unlogged, folded into hours by a chore."""

    received_at = models.DateTimeField(primary_key=True)
    bucket = models.SmallIntegerField()
    events = models.IntegerField()

    class Meta:
        db_table = "event_arrival"

    def __str__(self) -> str:
        return f"{self.received_at:%Y-%m-%d %H:%M}"


class ArrivalHour(models.Model):
    """How many events of one hour came how late."""

    pk = models.CompositePrimaryKey("hour", "bucket")
    hour = models.DateTimeField(_("hour"))
    bucket = models.SmallIntegerField(_("lateness"))
    events = models.BigIntegerField(_("events"))

    class Meta:
        db_table = "event_arrival_hour"

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}"


class Website(models.Model):
    """A website whose pages may send events of visitors: `origins` as browsers write them, `events` by name.

    Its secret is never stored: it is made from the installation's own and `secret_no` (see `visitors.site_secret`).
    """

    id = models.AutoField(primary_key=True)
    key = models.CharField(_("site key"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=100)
    origins = models.JSONField(_("origins"), default=list)
    events = models.JSONField(_("events it may send"), default=list)
    active = models.BooleanField(_("active"), default=True, db_default=True)
    secret_no = models.SmallIntegerField(_("number of the secret"), default=1, db_default=1)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        db_table = "website"
        verbose_name = _("website")
        verbose_name_plural = _("websites")

    def __str__(self) -> str:
        return self.name
