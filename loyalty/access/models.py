"""Who may ask: API keys."""

from django.db import models
from django.utils.translation import gettext_lazy as _

SCOPES = (
    "customers:read",
    "customers:write",
    "events:read",
    "events:write",
    "segments:read",
    "segments:write",
    "templates:read",
    "templates:write",
    "flows:read",
    "flows:write",
    "messages:read",
    "reports:read",
    "loyalty:read",
    "loyalty:write",
    "partner",
    "*",
)


class ApiKey(models.Model):
    """A bearer key: only its SHA-256 is kept, `prefix` finds the row and tells keys apart in lists.

    Two keys of one name may live at once, so that a caller can change over without a gap.
    """

    name = models.TextField(_("name"))
    prefix = models.TextField(_("prefix"))
    digest = models.BinaryField()
    scopes = models.JSONField(_("scopes"), default=list)
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"), null=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True)

    class Meta:
        db_table = "api_key"
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        constraints = [models.UniqueConstraint(fields=["prefix"], name="api_key_prefix")]
        indexes = [models.Index(fields=["name"], name="api_key_name")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}...)"
