"""The member portal: how it presents itself, who asked to come in, and who is in."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _


class Portal(models.Model):
    """How a portal presents itself; `definition` is its document."""

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"))
    definition = models.JSONField(default=dict)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        db_table = "portal"
        verbose_name = _("member portal")
        verbose_name_plural = _("member portals")
        constraints = [models.UniqueConstraint(fields=["key"], name="portal_key")]

    def __str__(self) -> str:
        return self.key


class EntryRequest(models.Model):
    """Somebody gave an address to sign in or to join; the link or code that is mailed to it lets them in, once.

    Rows are written alike for addresses that are known and not. `address` and `details` are emptied when the request
    is over; of the code there is only a keyed hash, and it counts only in the browser that asked.
    """

    class Kind(models.TextChoices):
        SIGN_IN = "sign_in", _("sign in")
        JOIN = "join", _("join")

    class State(models.TextChoices):
        ASKED = "asked", _("waits for its mail")
        MAILED = "mailed", _("mailed")
        NOBODY = "nobody", _("nobody has this address")
        REFUSED = "refused", _("not mailed")
        USED = "used", _("used")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.TextField(_("kind"), choices=Kind)
    state = models.TextField(_("state"), choices=State, default=State.ASKED, db_default="asked")
    address = models.TextField(_("address"), null=True)
    address_digest = models.BinaryField(_("address as a keyed hash"))
    browser_digest = models.BinaryField()
    details = models.JSONField(_("details"), null=True)
    locale = models.TextField(_("language"), null=True)
    ip = models.TextField(_("IP address"), null=True)
    user_agent = models.TextField(_("browser"), null=True)
    customer_id = models.BigIntegerField(_("customer"), null=True)
    opt_in_id = models.UUIDField(_("double opt-in"), null=True)
    message_id = models.BigIntegerField(_("message"), null=True)
    code_digest = models.BinaryField(null=True)
    tries = models.SmallIntegerField(_("codes tried"), default=0, db_default=0)
    requested_at = models.DateTimeField(_("requested at"))
    expires_at = models.DateTimeField(_("expires at"))
    used_at = models.DateTimeField(_("used at"), null=True)

    class Meta:
        db_table = "portal_entry"
        verbose_name = _("portal sign-in")
        verbose_name_plural = _("portal sign-ins")
        indexes = [
            models.Index(fields=["requested_at"], name="portal_entry_asked", condition=models.Q(state="asked")),
            models.Index(fields=["address_digest", "requested_at"], name="portal_entry_address"),
            models.Index(fields=["expires_at"], name="portal_entry_expires"),
            models.Index(
                fields=["customer_id"], name="portal_entry_customer", condition=models.Q(customer_id__isnull=False)
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=["sign_in", "join"]), name="portal_entry_kind"),
            models.CheckConstraint(
                condition=models.Q(state__in=["asked", "mailed", "nobody", "refused", "used"]),
                name="portal_entry_state",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="used")
                | models.Q(used_at__lte=models.F("expires_at"), code_digest__isnull=True),
                name="portal_entry_used_in_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.state}"


class Session(models.Model):
    """A browser in which a person is signed in; only the hash of its secret is kept."""

    digest = models.BinaryField()
    customer_id = models.BigIntegerField(_("customer"), db_index=True)
    started_at = models.DateTimeField(_("started at"))
    seen_at = models.DateTimeField(_("last seen at"))
    expires_at = models.DateTimeField(_("expires at"), db_index=True)
    user_agent = models.TextField(_("browser"), null=True)

    class Meta:
        db_table = "member_session"
        verbose_name = _("portal session")
        verbose_name_plural = _("portal sessions")
        constraints = [models.UniqueConstraint(fields=["digest"], name="member_session_digest")]

    def __str__(self) -> str:
        return f"#{self.pk}"
