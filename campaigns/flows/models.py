"""Flows, their immutable versions, and the people in them.

`enrollment` is hot and narrow: no index on a column that moves, fill factor 50, so that a wave of updates stays HOT
(measured 508,000 against 140,000 rows per CPU second with an index on due_at). Its timer is `flow_block`: 2,048
consecutive enrollment ids of one version share one row that knows when the next of them is due.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

BLOCK_BITS = 11
BLOCK_SIZE = 1 << BLOCK_BITS
VISIT_LIMIT = 4096


class Flow(models.Model):
    """A flow as people edit it; what runs is its versions."""

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        RUNNING = "running", _("running")
        PAUSED = "paused", _("paused")
        STOPPED = "stopped", _("stopped")

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"), unique=True)
    name = models.JSONField(_("name"), default=dict)
    campaign_key = models.TextField(_("campaign"), null=True, blank=True)  # noqa: DJ001 - missing is NULL everywhere
    state = models.TextField(_("state"), choices=State.choices, default=State.DRAFT)
    definition = models.JSONField(_("definition"))
    current_version = models.ForeignKey(
        "FlowVersion", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("current version")
    )
    paused_at = models.DateTimeField(_("paused at"), null=True, blank=True)
    # The goal's numbers as last computed by the chore, for flows too large to count at each look.
    goal_numbers = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        db_table = "flow"
        verbose_name = _("flow")
        verbose_name_plural = _("flows")
        constraints = [
            models.CheckConstraint(
                name="flow_state_known", condition=models.Q(state__in=["draft", "running", "paused", "stopped"])
            ),
        ]

    def __str__(self) -> str:
        return self.key

    # Which states an action may start from; operations change a flow only from one of these.
    MAY_PAUSE = (State.RUNNING,)
    MAY_RESUME = (State.PAUSED,)
    MAY_STOP = (State.RUNNING, State.PAUSED)


class FlowVersion(models.Model):
    """What was published: immutable, and people stay on theirs."""

    id = models.AutoField(primary_key=True)
    flow = models.ForeignKey(Flow, models.CASCADE, related_name="versions", verbose_name=_("flow"))
    number = models.IntegerField(_("number"))
    definition = models.JSONField(_("definition"))
    published_at = models.DateTimeField(_("published at"))

    class Meta:
        db_table = "flow_version"
        verbose_name = _("flow version")
        verbose_name_plural = _("flow versions")
        constraints = [models.UniqueConstraint(fields=["flow", "number"], name="flow_version_once")]

    def __str__(self) -> str:
        return f"{self.flow.key} v{self.number}"


class FlowBlock(models.Model):
    """The timer of 2,048 consecutive enrollment ids (`id << 11` onward) of one version."""

    id = models.BigIntegerField(primary_key=True)
    version_id = models.IntegerField()
    used = models.IntegerField()
    next_due = models.DateTimeField(null=True)

    class Meta:
        db_table = "flow_block"
        indexes = [
            models.Index(fields=["next_due", "id"], name="flow_block_due", condition=models.Q(next_due__isnull=False)),
            models.Index(fields=["version_id", "id"], name="flow_block_version"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Enrollment(models.Model):
    """One person's way through one flow. `node` is the step the person stands at (1 = first in the list)."""

    class Status(models.IntegerChoices):
        ACTIVE = 1, _("active")
        FINISHED = 2, _("finished")
        EXITED = 3, _("exited")
        FAILED = 4, _("failed")
        STOPPED = 5, _("stopped")

    id = models.BigIntegerField(primary_key=True)
    flow = models.ForeignKey(Flow, models.DO_NOTHING, db_constraint=False, db_index=False, verbose_name=_("flow"))
    version_id = models.IntegerField()
    customer = models.ForeignKey(
        "customers.Customer", models.DO_NOTHING, db_constraint=False, db_index=False, verbose_name=_("customer")
    )
    entry_key = models.BigIntegerField()
    entry_no = models.IntegerField()
    node = models.SmallIntegerField(_("step"))
    status = models.SmallIntegerField(_("status"), choices=Status.choices)
    visit = models.SmallIntegerField(_("moves"))
    holdout = models.BooleanField(_("held out"))
    entered_at = models.DateTimeField(_("entered at"))
    since = models.DateTimeField(_("at this step since"))
    due_at = models.DateTimeField(_("due at"), null=True)

    class Meta:
        db_table = "enrollment"
        verbose_name = _("enrollment")
        verbose_name_plural = _("enrollments")
        constraints = [
            models.UniqueConstraint(
                fields=["flow", "customer", "entry_key", "entry_no"], name="enrollment_entered_once"
            ),
            models.CheckConstraint(name="enrollment_visit_bound", condition=models.Q(visit__lt=VISIT_LIMIT)),
        ]

    def __str__(self) -> str:
        return str(self.id)


class StepLog(models.Model):
    """Append-only: one row per move; `path` lists the instant steps that ran in it, in order."""

    pk = models.CompositePrimaryKey("enrollment_id", "visit")
    enrollment_id = models.BigIntegerField()
    visit = models.SmallIntegerField()
    at = models.DateTimeField()
    version_id = models.IntegerField()
    from_node = models.SmallIntegerField()
    exit = models.SmallIntegerField()
    path = models.JSONField()  # smallint[] in the database; read by SQL only

    class Meta:
        db_table = "step_log"
        managed = False

    def __str__(self) -> str:
        return f"{self.enrollment_id}/{self.visit}"


class EnrollmentFailure(models.Model):
    """A person whose move failed alone: where and why. The others of the batch went on.

    `enrollment_id` is unset for somebody who could not even enter.
    """

    enrollment_id = models.BigIntegerField(null=True, db_index=True)
    version_id = models.IntegerField()
    customer_id = models.BigIntegerField(db_index=True)
    node = models.SmallIntegerField()
    at = models.DateTimeField()
    reason = models.TextField()

    class Meta:
        db_table = "enrollment_failure"

    def __str__(self) -> str:
        return f"{self.customer_id}: {self.reason}"


class FlowRun(models.Model):
    """One bulk entry (at publishing, or a scheduled instant), resumable by its cursor and unique, so it happens" "
    once.
    """

    flow = models.ForeignKey(Flow, models.CASCADE, related_name="runs")
    version_id = models.IntegerField()
    entry = models.SmallIntegerField()
    scheduled_for = models.DateTimeField(_("scheduled for"))
    cursor = models.BigIntegerField(default=0)
    entered = models.BigIntegerField(_("entered"), default=0)
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        db_table = "flow_run"
        constraints = [
            models.UniqueConstraint(fields=["flow", "entry", "scheduled_for"], name="flow_run_once"),
        ]

    def __str__(self) -> str:
        return f"{self.flow_id} {self.scheduled_for}"


class FlowCount(models.Model):
    """Counters as deltas, one row per batch, step and exit; folded now and then. Never a hot row to update."""

    version_id = models.IntegerField()
    node = models.SmallIntegerField()
    exit = models.TextField()
    n = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        db_table = "flow_count"
        indexes = [models.Index(fields=["version_id"], name="flow_count_version")]

    def __str__(self) -> str:
        return f"{self.version_id}/{self.node}/{self.exit}: {self.n}"
