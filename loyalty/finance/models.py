"""What the program's points are worth and cost: how they are valued, where they went by month, the books of each month.

`point_flow` is the points ledger in little: all later figures are computed from it, a few thousand rows.
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loyalty.program.models import Program


class Valuation(models.Model):
    """How a program's points are valued; `definition` is its document, empty while nobody wrote one."""

    program = models.OneToOneField(Program, on_delete=models.DO_NOTHING, primary_key=True)
    definition = models.JSONField(default=dict)
    measured_at = models.DateTimeField(_("computed"), null=True)
    measure_ms = models.IntegerField(null=True)

    class Meta:
        db_table = "valuation"
        verbose_name = _("valuation")
        verbose_name_plural = _("valuations")

    def __str__(self) -> str:
        return str(self.program_id)


class PointFlow(models.Model):
    """Points of a wallet that were earned in the month `cohort` and, in `month`, came from (`incoming`) or went to the
    account `counter` of the points ledger."""

    pk = models.CompositePrimaryKey("wallet_id", "cohort", "month", "counter", "incoming")
    wallet_id = models.IntegerField(_("wallet"))
    cohort = models.DateField(_("earned in"))
    month = models.DateField(_("month"))
    counter = models.SmallIntegerField(_("account"))
    incoming = models.BooleanField()
    points = models.BigIntegerField(_("points"))

    class Meta:
        db_table = "point_flow"
        verbose_name = _("flow of points")
        verbose_name_plural = _("flows of points")
        indexes = [models.Index(fields=["month"], name="point_flow_month")]
        constraints = [models.CheckConstraint(condition=Q(points__gt=0), name="point_flow_points")]

    def __str__(self) -> str:
        return f"{self.month}: {self.points}"


class BookMonth(models.Model):
    """A month in the books: what is owed in points at its end, the bookings that led there, the program's result.

    Computed anew every day until it is closed; then it stays, and the next month begins with it.
    """

    program = models.ForeignKey(Program, on_delete=models.DO_NOTHING, verbose_name=_("program"))
    month = models.DateField(_("month"))
    opening = models.DecimalField(_("owed before"), max_digits=16, decimal_places=2)
    closing = models.DecimalField(_("owed"), max_digits=16, decimal_places=2)
    points = models.BigIntegerField(_("points"))
    issued = models.BigIntegerField(_("issued"))
    spent = models.BigIntegerField(_("spent"))
    expired = models.BigIntegerField(_("expired"))
    rows = models.JSONField(default=list)
    ages = models.JSONField(default=list)
    curves = models.JSONField(default=dict)
    lines = models.JSONField(default=list)
    result = models.DecimalField(_("result"), max_digits=16, decimal_places=2)
    currency = models.TextField(_("currency"))
    timezone = models.TextField()
    closed_at = models.DateTimeField(_("closed"), null=True)

    class Meta:
        db_table = "book_month"
        verbose_name = _("month in the books")
        verbose_name_plural = _("months in the books")
        constraints = [models.UniqueConstraint(fields=["program", "month"], name="book_month_once")]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"
