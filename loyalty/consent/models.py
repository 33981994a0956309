"""May we: what each person agreed to, by channel and purpose, with proof; and the addresses nobody may write to."""

from django.db import models
from django.utils.translation import gettext_lazy as _

CHANNELS = ("email", "sms", "whatsapp", "telegram", "push", "letter", "phone", "webhook")


# The database's own clock: which of an opt-out and a start came first, also when business time was moved.
CLOCK = models.Func(function="clock_timestamp")


class Purpose(models.TextChoices):
    MARKETING = "marketing", _("marketing")
    SERVICE = "service", _("service")
    TRACKING = "tracking", _("tracking")
    PROFILING = "profiling", _("profiling")


class Status(models.TextChoices):
    GRANTED = "granted", _("granted")
    WITHDRAWN = "withdrawn", _("withdrawn")


class ConsentEntry(models.Model):
    """One declaration of one person; a trigger refuses UPDATE and DELETE outside of erasure and merging."""

    customer_id = models.BigIntegerField(_("customer"))
    channel = models.TextField(_("channel"))
    purpose = models.TextField(_("purpose"), choices=Purpose)
    status = models.TextField(_("status"), choices=Status)
    occurred_at = models.DateTimeField(_("occurred at"))
    recorded_at = models.DateTimeField(_("recorded at"))
    clock_at = models.DateTimeField(_("written at"), db_default=CLOCK)
    source = models.TextField(_("source"))
    text_version = models.TextField(_("text version"), null=True)
    evidence = models.JSONField(_("evidence"), null=True)

    class Meta:
        db_table = "consent_entry"
        verbose_name = _("consent entry")
        verbose_name_plural = _("consent entries")
        constraints = [
            # The same declaration told twice is one; it also finds a person's entries.
            models.UniqueConstraint(
                fields=["customer_id", "channel", "purpose", "occurred_at", "status", "source"],
                name="consent_entry_key",
            ),
            models.CheckConstraint(condition=models.Q(channel__in=CHANNELS), name="consent_entry_channel"),
            models.CheckConstraint(condition=models.Q(purpose__in=Purpose.values), name="consent_entry_purpose"),
            models.CheckConstraint(condition=models.Q(status__in=Status.values), name="consent_entry_status"),
            models.CheckConstraint(condition=~models.Q(source=""), name="consent_entry_source"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.purpose} {self.status}"


class ConsentState(models.Model):
    """The status that holds now: that of the person's latest entry; `since` is when that was declared."""

    pk = models.CompositePrimaryKey("customer_id", "channel", "purpose")
    customer_id = models.BigIntegerField(_("customer"))
    channel = models.TextField(_("channel"))
    purpose = models.TextField(_("purpose"), choices=Purpose)
    status = models.TextField(_("status"), choices=Status)
    since = models.DateTimeField(_("since"))

    class Meta:
        db_table = "consent_state"
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        constraints = [
            models.CheckConstraint(condition=models.Q(status__in=Status.values), name="consent_state_status"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.purpose} {self.status}"


class Suppression(models.Model):
    """An address, known only as a keyed hash, that gets nothing over a channel; outlives the person.

    `purpose` '' stands for every purpose but transactional.
    """

    channel = models.TextField(_("channel"))
    digest = models.BinaryField(_("digest"))
    purpose = models.TextField(_("purpose"), default="", db_default="", blank=True)
    reason = models.TextField(_("reason"))
    created_at = models.DateTimeField(_("created at"))
    clock_at = models.DateTimeField(_("written at"), db_default=CLOCK)

    class Meta:
        db_table = "suppression"
        verbose_name = _("suppressed address")
        verbose_name_plural = _("suppressed addresses")
        constraints = [
            models.UniqueConstraint(fields=["channel", "digest", "purpose"], name="suppression_key"),
            models.CheckConstraint(condition=models.Q(channel__in=CHANNELS), name="suppression_channel"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.reason}"
