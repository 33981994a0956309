"""What people may ask of us, and until when it must be done."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class RightsRequest(models.Model):
    """One request of one person under the GDPR, with the clock of one month (Art. 12(3)).

    What would tell who it was (`customer_id`, `contact`, `notes`, `extension_reason`) is emptied when the person is
    erased: kind, times and outcome stay, to prove that the request was answered.
    """

    class Kind(models.TextChoices):
        ACCESS = "access", _("access")
        PORTABILITY = "portability", _("data to take along")
        RECTIFY = "rectify", _("correction")
        ERASE = "erase", _("erasure")
        RESTRICT = "restrict", _("restriction")
        RELEASE = "release", _("end of a restriction")
        OBJECT = "object", _("objection")

    class State(models.TextChoices):
        OPEN = "open", _("open")
        DONE = "done", _("done")
        REFUSED = "refused", _("refused")

    kind = models.TextField(_("kind"), choices=Kind)
    state = models.TextField(_("state"), choices=State, default=State.OPEN)
    customer_id = models.BigIntegerField(_("customer"), null=True, db_index=True)
    contact = models.TextField(_("how to answer"), null=True)
    received_at = models.DateTimeField(_("received at"))
    due_at = models.DateTimeField(_("due at"))
    extension_reason = models.TextField(_("why it takes longer"), null=True)
    identity_checked_at = models.DateTimeField(_("identity checked at"), null=True)
    identity_checked_by = models.TextField(_("identity checked by"), null=True)
    identity_how = models.TextField(_("how the identity was checked"), null=True)
    notes = models.TextField(_("notes"), null=True)
    filed_by = models.TextField(_("filed by"))
    closed_at = models.DateTimeField(_("closed at"), null=True)
    closed_by = models.TextField(_("closed by"), null=True)
    outcome = models.TextField(_("outcome"), null=True)

    class Meta:
        db_table = "rights_request"
        verbose_name = _("request")
        verbose_name_plural = _("requests")
        indexes = [
            models.Index(fields=["due_at"], name="rights_request_open", condition=models.Q(state="open")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["customer_id", "kind"], condition=models.Q(state="open"), name="rights_request_once_open"
            ),
            models.CheckConstraint(
                condition=models.Q(state="open", closed_at__isnull=True)
                | models.Q(state__in=["done", "refused"], closed_at__isnull=False, outcome__isnull=False),
                name="rights_request_closed",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    kind__in=["access", "portability", "rectify", "erase", "restrict", "release", "object"]
                ),
                name="rights_request_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.get_kind_display()}"
