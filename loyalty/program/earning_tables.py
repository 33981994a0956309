"""Tables beside the earning rules: what budgets had paid out by each day, and places where people check in."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class RuleUse(models.Model):
    """What the budget of an earning rule had paid out at the end of a day; today's row is as of the last look."""

    pk = models.CompositePrimaryKey("rule_id", "day")
    rule_id = models.IntegerField(_("earning rule"))
    day = models.DateField(_("day"))
    used_points = models.BigIntegerField(_("points used"))

    class Meta:
        db_table = "earning_rule_use"
        verbose_name = _("use of a budget")
        verbose_name_plural = _("uses of budgets")

    def __str__(self) -> str:
        return f"{self.rule_id}/{self.day}: {self.used_points}"


class CheckInPlace(models.Model):
    """A place with a screen that shows a code to check in with. A new `generation` voids the screen and its codes."""

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"))
    program = models.ForeignKey("program.Program", on_delete=models.DO_NOTHING, verbose_name=_("program"))
    name = models.JSONField(_("name"), default=dict)
    definition = models.JSONField(default=dict)
    generation = models.SmallIntegerField(default=1)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        db_table = "check_in_place"
        verbose_name = _("place to check in")
        verbose_name_plural = _("places to check in")
        constraints = [models.UniqueConstraint(fields=["key"], name="check_in_place_key")]

    def __str__(self) -> str:
        return self.key
