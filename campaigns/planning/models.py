"""What a company wants to reach: campaigns, and goals that attribution measures."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from campaigns.planning.definition import DEFAULT_TOUCHES, DEFAULT_WINDOW_SECONDS


def default_touches() -> list[str]:
    return list(DEFAULT_TOUCHES)


class Named(models.Model):
    """Something with a stable key and a name per language."""

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"), unique=True)
    name = models.JSONField(_("name"), default=dict, db_default={}, blank=True)
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    class Meta:
        abstract = True

    def __str__(self) -> str:
        """The name in the reader's language, else in any, else the key."""
        names = self.name or {}
        language = (get_language() or "en")[:2]
        return names.get(language) or names.get("en") or next(iter(names.values()), self.key)


class Campaign(Named):
    """A plan that flows belong to, for reports and the calendar."""

    starts_on = models.DateField(_("starts on"), null=True, blank=True)
    ends_on = models.DateField(_("ends on"), null=True, blank=True)
    description = models.TextField(_("description"), default="", db_default="", blank=True)

    class Meta:
        db_table = "campaign"
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(starts_on__isnull=True)
                | models.Q(ends_on__isnull=True)
                | models.Q(ends_on__gte=models.F("starts_on")),
                name="campaign_ends_after_it_starts",
            ),
        ]


class Goal(Named):
    """An event that counts as success, how long before it a touch may have helped, and which facts are touches."""

    event = models.TextField(_("event"))
    conditions = models.JSONField(_("conditions"), default=dict, db_default={}, blank=True)
    value_property = models.TextField(_("value property"), null=True, blank=True)
    window_seconds = models.BigIntegerField(
        _("window in seconds"), default=DEFAULT_WINDOW_SECONDS, db_default=DEFAULT_WINDOW_SECONDS
    )
    touches = models.JSONField(_("touches"), default=default_touches, db_default=list(DEFAULT_TOUCHES))
    updated_at = models.DateTimeField(_("updated at"), db_default=Now())

    class Meta:
        db_table = "goal"
        verbose_name = _("goal")
        verbose_name_plural = _("goals")
        constraints = [
            models.CheckConstraint(condition=models.Q(window_seconds__gt=0), name="goal_window_positive"),
        ]
