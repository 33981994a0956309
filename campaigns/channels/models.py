"""Senders: who a message comes from and which provider carries it."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from campaigns.channels.names import CHANNELS


class Sender(models.Model):
    """One account at one provider. `settings` holds no secret, only the names of environment variables that do."""

    class State(models.TextChoices):
        ACTIVE = "active", _("active")
        PAUSED = "paused", _("paused")

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"), unique=True)
    channel = models.TextField(_("channel"), choices=[(key, key) for key in CHANNELS])
    provider = models.TextField(_("provider"))
    settings = models.JSONField(_("settings"), default=dict, db_default={}, blank=True)
    limits = models.JSONField(_("limits"), default=dict, db_default={}, blank=True)
    state = models.TextField(_("state"), choices=State, default=State.ACTIVE, db_default="active")
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    updated_at = models.DateTimeField(_("updated at"), db_default=Now())

    class Meta:
        db_table = "sender"
        verbose_name = _("sender")
        verbose_name_plural = _("senders")
        constraints = [
            models.CheckConstraint(condition=models.Q(channel__in=list(CHANNELS)), name="sender_channel_known"),
            models.CheckConstraint(condition=models.Q(state__in=["active", "paused"]), name="sender_state_known"),
        ]

    def __str__(self) -> str:
        return self.key
