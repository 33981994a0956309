"""The outbox: what is to be sent, to whom, what became of it and why.

    planned -> skipped | claimed -> started -> sent | failed | in_doubt | planned again (retry)

`claimed` is a lease that may be lost without harm; `started` is committed before the first byte leaves, so after it the
message is never handed over a second time by itself.
"""

from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from campaigns.channels.names import CHANNELS, PURPOSES
from campaigns.delivery.reasons import CODES


class State(models.IntegerChoices):
    """The states of a message."""

    PLANNED = 0, _("planned")
    CLAIMED = 1, _("claimed")
    STARTED = 2, _("started")
    SENT = 3, _("sent")
    FAILED = 4, _("failed")
    IN_DOUBT = 5, _("in doubt")
    SKIPPED = 6, _("skipped")


PENDING = (State.PLANNED, State.CLAIMED, State.STARTED)
TERMINAL = (State.SENT, State.FAILED, State.SKIPPED)


class Dispatch(models.Model):
    """One send instruction: a send step of a published flow version on one channel. Only `state` ever changes."""

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        PAUSED = "paused", _("paused")
        STOPPED = "stopped", _("stopped")

    id = models.AutoField(primary_key=True)
    flow_id = models.IntegerField(null=True, blank=True)
    flow_key = models.TextField(_("flow"), null=True, blank=True)
    flow_version = models.IntegerField(_("flow version"), null=True, blank=True)
    campaign_key = models.TextField(_("campaign"), null=True, blank=True)
    step = models.TextField(_("step"))
    step_no = models.SmallIntegerField(_("step number"))
    channel = models.TextField(_("channel"))
    purpose = models.TextField(_("purpose"))
    template_version_id = models.IntegerField(_("template version"))
    sender = models.ForeignKey("channels.Sender", models.PROTECT, verbose_name=_("sender"))
    exit_on = models.JSONField(_("exit on"), null=True, blank=True)
    # What people may have switched off, and the product group of a send to existing customers; both from the template.
    topic = models.TextField(_("topic"), null=True, blank=True)
    product_group = models.TextField(_("product group of existing customers"), null=True, blank=True)
    state = models.TextField(_("state"), choices=State, default=State.RUNNING, db_default="running")
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    class Meta:
        db_table = "dispatch"
        verbose_name = _("dispatch")
        verbose_name_plural = _("dispatches")
        constraints = [
            models.UniqueConstraint(
                fields=["flow_id", "flow_version", "step_no", "channel"], name="dispatch_once_per_step"
            ),
            models.CheckConstraint(condition=Q(channel__in=list(CHANNELS)), name="dispatch_channel_known"),
            models.CheckConstraint(condition=Q(purpose__in=list(PURPOSES)), name="dispatch_purpose_known"),
            models.CheckConstraint(
                condition=Q(state__in=["running", "paused", "stopped"]), name="dispatch_state_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.flow_key or '-'} / {self.step} / {self.channel}"


class Message(models.Model):
    """One message to one person. The id is made by `ids.pack`."""

    id = models.BigIntegerField(primary_key=True)
    customer_id = models.BigIntegerField(_("customer"))
    dispatch = models.ForeignKey(
        Dispatch, models.DO_NOTHING, db_constraint=False, db_index=False, verbose_name=_("dispatch")
    )
    channel = models.SmallIntegerField(_("channel"))
    state = models.SmallIntegerField(_("state"), choices=State, default=State.PLANNED, db_default=0)
    reason = models.SmallIntegerField(
        _("reason"), default=0, db_default=0, choices=[(0, "-"), *enumerate(CODES, start=1)]
    )
    attempt = models.SmallIntegerField(_("attempt"), default=0, db_default=0)
    planned_at = models.DateTimeField(_("planned at"))
    due_at = models.DateTimeField(_("due at"))
    entered_at = models.DateTimeField(_("entered at"))
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_owner = models.IntegerField(null=True, blank=True)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)

    class Meta:
        db_table = "message"
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        indexes = [
            # Led by the dispatch, not by the time: a paused dispatch with a million due messages costs the others
            # nothing, and a big campaign cannot starve a small trigger (each running dispatch is claimed from in turn).
            models.Index(fields=["dispatch", "due_at", "id"], name="message_due", condition=Q(state=State.PLANNED)),
            models.Index(fields=["lease_until"], name="message_lease", condition=Q(state__in=[1, 2])),
            # What needs somebody: few rows, so that looking for them does not read the table.
            models.Index(fields=["state", "id"], name="message_trouble", condition=Q(state__in=[4, 5])),
            models.Index(fields=["dispatch"], name="message_dispatch"),
            models.Index(fields=["customer_id"], name="message_customer"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__gte=0, state__lte=6), name="message_state_known"),
            models.CheckConstraint(condition=Q(reason__gte=0, reason__lte=len(CODES)), name="message_reason_known"),
            models.CheckConstraint(
                condition=Q(state=State.SKIPPED, reason__gt=0) | (~Q(state=State.SKIPPED) & Q(reason=0)),
                name="message_skip_has_reason",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[1, 2]) | Q(lease_until__isnull=False, lease_owner__isnull=False),
                name="message_work_has_lease",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[2, 3, 4, 5]) | Q(attempt__gt=0, started_at__isnull=False),
                name="message_start_has_attempt",
            ),
            models.CheckConstraint(condition=Q(channel=F("id").bitand(7)), name="message_channel_is_in_id"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class MessageContext(models.Model):
    """The triggering event of an enrollment, for its templates; of a single message also what was rendered (`copy`:
    subject, text, sha256, at), which proves it."""

    origin_id = models.BigIntegerField(primary_key=True)
    event = models.JSONField()
    copy = models.JSONField(null=True)

    class Meta:
        db_table = "message_context"

    def __str__(self) -> str:
        return str(self.origin_id)


class MessageAttempt(models.Model):
    """One try to hand a message to a provider; written and committed before the first byte."""

    id = models.BigAutoField(primary_key=True)
    message_id = models.BigIntegerField()
    attempt = models.SmallIntegerField()
    owner = models.IntegerField()
    started_at = models.DateTimeField()
    # The database's own clock: which of a start and an opt-out came first, also when business time was moved.
    clock_at = models.DateTimeField(db_default=Func(function="clock_timestamp"))
    settled_at = models.DateTimeField(null=True)
    outcome = models.TextField(null=True)
    provider_id = models.TextField(null=True)
    detail = models.TextField(null=True)

    class Meta:
        db_table = "message_attempt"
        constraints = [models.UniqueConstraint(fields=["message_id", "attempt"], name="message_attempt_once")]

    def __str__(self) -> str:
        return f"{self.message_id} / {self.attempt}"


class MessageVerdict(models.Model):
    """A gate that refused or delayed a message, and the facts it judged on."""

    id = models.BigAutoField(primary_key=True)
    message_id = models.BigIntegerField(db_index=True)
    judged_at = models.DateTimeField()
    gate = models.TextField()
    code = models.TextField()
    facts = models.JSONField(default=dict, db_default={})

    class Meta:
        db_table = "message_verdict"

    def __str__(self) -> str:
        return f"{self.message_id}: {self.code}"


class SenderBudget(models.Model):
    """The token bucket of a sender with a rate limit, shared by all workers, on the database clock."""

    sender = models.OneToOneField("channels.Sender", models.CASCADE, primary_key=True)
    tokens = models.FloatField()
    refilled_at = models.DateTimeField()

    class Meta:
        db_table = "sender_budget"

    def __str__(self) -> str:
        return str(self.sender_id)
