"""What is said: templates and their versions, which never change once written."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from campaigns.channels.names import CHANNELS, PURPOSES


class Template(models.Model):
    """A message by key; `current_version_id` is what new flow versions send."""

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"), unique=True)
    channel = models.TextField(_("channel"), choices=[(key, key) for key in CHANNELS])
    purpose = models.TextField(_("purpose"), choices=[(key, key) for key in PURPOSES], default="marketing")
    name = models.JSONField(_("name"), default=dict, db_default={}, blank=True)
    sender_key = models.TextField(_("sender"), null=True, blank=True)
    topic = models.TextField(_("topic"), null=True, blank=True)
    product_group = models.TextField(_("product group of existing customers"), null=True, blank=True)
    current_version_id = models.IntegerField(_("current version"), null=True)
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    updated_at = models.DateTimeField(_("updated at"), db_default=Now())

    class Meta:
        db_table = "template"
        verbose_name = _("template")
        verbose_name_plural = _("templates")
        constraints = [
            models.CheckConstraint(condition=models.Q(channel__in=list(CHANNELS)), name="template_channel_known"),
            models.CheckConstraint(condition=models.Q(purpose__in=list(PURPOSES)), name="template_purpose_known"),
        ]

    def __str__(self) -> str:
        names = self.name or {}
        language = (get_language() or "en")[:2]
        return names.get(language) or names.get("en") or next(iter(names.values()), self.key)


class TemplateVersion(models.Model):
    """One wording: `source` as applied (locales in order), `compiled` ready to fill (`compile.py`)."""

    id = models.AutoField(primary_key=True)
    template = models.ForeignKey(
        Template, on_delete=models.CASCADE, related_name="versions", verbose_name=_("template")
    )
    number = models.IntegerField(_("number"))
    digest = models.TextField(_("digest"))
    source = models.JSONField(_("source"))
    compiled = models.JSONField(_("compiled"))
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    class Meta:
        db_table = "template_version"
        verbose_name = _("template version")
        verbose_name_plural = _("template versions")
        constraints = [
            models.UniqueConstraint(fields=["template", "number"], name="template_version_number"),
            models.CheckConstraint(condition=models.Q(number__gte=1), name="template_version_number_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.template_id}/{self.number}"
