"""What became of every chore: one row each, for people, health checks and the broker-free ticker."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class ChoreState(models.Model):
    """The last run of one chore. Times are the database's clock, so they compare across machines."""

    key = models.CharField(_("key"), max_length=100, primary_key=True)
    last_started_at = models.DateTimeField(_("last started"), null=True)
    last_finished_at = models.DateTimeField(_("last finished"), null=True)
    last_done = models.BigIntegerField(_("last done"), default=0)
    runs = models.BigIntegerField(_("runs"), default=0)
    failures = models.BigIntegerField(_("failures"), default=0)
    last_error = models.TextField(_("last error"), null=True)
    last_ms = models.IntegerField(_("last milliseconds"), default=0)

    class Meta:
        db_table = "chore_state"
        verbose_name = _("chore")
        verbose_name_plural = _("chores")
        ordering = ["key"]
        # Beside the view on chores: what the sink kept are letters to people.
        permissions = [("view_mailbox", _("Can read the mails of the sink"))]

    def __str__(self) -> str:
        return self.key
