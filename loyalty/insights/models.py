"""What is computed about customers, and when."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _


class FeatureState(models.Model):
    """How one feature is set and when it was last computed.

    `parameters` are those that differ from the feature's own; `due_at` is the next computation (NULL: at the next
    look); `people` have a value; `problem` is why the last computation failed.
    """

    key = models.TextField(_("key"), primary_key=True)
    parameters = models.JSONField(_("parameters"), default=dict)
    due_at = models.DateTimeField(_("next computation"), null=True)
    computed_at = models.DateTimeField(_("computed at"), null=True)
    compute_ms = models.IntegerField(_("computation time in ms"), null=True)
    people = models.BigIntegerField(_("people"), null=True)
    problem = models.TextField(_("problem"), null=True)

    class Meta:
        db_table = "insight_feature"
        verbose_name = _("computed insight")
        verbose_name_plural = _("computed insights")

    def __str__(self) -> str:
        return self.key


class CustomerInsight(models.Model):
    """What a feature says about a customer: one label and some numbers, in the order the feature names them.

    One row per customer and feature keeps a daily computation over a million people to the rows that changed.
    """

    pk = models.CompositePrimaryKey("feature", "customer_id")
    feature = models.TextField(_("feature"))
    customer_id = models.BigIntegerField(_("customer"))
    label = models.TextField(_("label"), null=True)
    numbers = ArrayField(models.DecimalField(max_digits=30, decimal_places=6), verbose_name=_("numbers"), null=True)
    changed_at = models.DateTimeField(_("changed at"))

    class Meta:
        db_table = "customer_insight"
        verbose_name = _("insight")
        verbose_name_plural = _("insights")
        indexes = [models.Index(fields=["feature", "label", "customer_id"], name="customer_insight_label")]

    def __str__(self) -> str:
        return f"{self.feature}: {self.customer_id}"
