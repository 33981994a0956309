"""What happened: one append-only timeline, and the queue through which others hear of it.

Timeline and queue are made by hand-written SQL in the migration (partitions, no surplus keys); their models serve
reading. Nothing here has a database-level foreign key: these tables take tens of thousands of rows a second.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _


class EventType(models.Model):
    """One name of events, learned at first sight; never deleted, so processes may remember its id."""

    id = models.AutoField(primary_key=True)
    name = models.CharField(_("name"), max_length=100, unique=True)
    internal = models.BooleanField(_("internal"), default=False, db_default=False)
    first_seen_at = models.DateTimeField(_("first seen at"))

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
