"""Conversions and the credit each touch gets for them.

A conversion is one goal event. Its credit is kept per method (`credit.model`): the rows of one conversion and one
method sum to exactly 1 and to exactly its value; a conversion without a touch has one row on channel 'none'.
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Conversion(models.Model):
    """One event that reached a goal. Numbered by the database; `value` is 0 where the event has none."""

    id = models.BigAutoField(primary_key=True)
    goal_id = models.IntegerField(_("goal"))
    event_id = models.BigIntegerField(_("event"))
    customer_id = models.BigIntegerField(_("customer"))
    occurred_at = models.DateTimeField(_("occurred at"))
    value = models.DecimalField(_("value"), max_digits=14, decimal_places=2)

    class Meta:
        db_table = "conversion"
        verbose_name = _("conversion")
        verbose_name_plural = _("conversions")
        constraints = [
            # Carries "an event counts once", however often it is read from the queue or swept.
            models.UniqueConstraint(fields=["goal_id", "event_id"], name="conversion_once"),
        ]
        indexes = [
            models.Index(fields=["goal_id", "occurred_at"], name="conversion_when"),
            models.Index(fields=["customer_id", "occurred_at"], name="conversion_customer"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class Credit(models.Model):
    """One touch's part of one conversion by one method; touches that get nothing have no row."""

    pk = models.CompositePrimaryKey("conversion_id", "model", "touch_no")
    conversion_id = models.BigIntegerField(_("conversion"))
    model = models.TextField(_("model"))
    touch_no = models.IntegerField(_("touch"))
    message_id = models.BigIntegerField(_("message"), null=True)
    dispatch_id = models.IntegerField(_("dispatch"), null=True)
    channel = models.TextField(_("channel"))
    touched_at = models.DateTimeField(_("touched at"), null=True)
    share = models.DecimalField(_("share"), max_digits=12, decimal_places=10)
    value = models.DecimalField(_("value"), max_digits=16, decimal_places=6)

    class Meta:
        db_table = "credit"
        verbose_name = _("credit")
        verbose_name_plural = _("credits")
        constraints = [
            models.CheckConstraint(condition=Q(share__gt=0, share__lte=1), name="credit_share_is_a_part"),
            models.CheckConstraint(
                condition=Q(channel="none", touched_at__isnull=True, share=1) | ~Q(channel="none"),
                name="credit_none_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.conversion_id} {self.model} {self.touch_no}"


class StaleConversion(models.Model):
    """A conversion whose credit has still to be worked out; the credit chore takes rows away."""

    id = models.BigAutoField(primary_key=True)
    conversion_id = models.BigIntegerField()

    class Meta:
        db_table = "stale_conversion"

    def __str__(self) -> str:
        return str(self.conversion_id)


class GoalCount(models.Model):
    """How far the timeline was searched for events of a goal as it is defined now.

    `digest` is of the definition that was searched for; `cursor` is the last instant searched in this pass (null:
    none yet); `due_at` is when the search goes on, null when the history is done.
    """

    goal_id = models.IntegerField(primary_key=True)
    digest = models.TextField()
    cursor = models.DateTimeField(null=True)
    search_no = models.SmallIntegerField(default=1)
    due_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "goal_count"
        constraints = [models.CheckConstraint(condition=Q(search_no__gte=1), name="goal_count_search_positive")]

    def __str__(self) -> str:
        return str(self.goal_id)
