"""Tables of a membership's and a program's life: the member's PIN, and how a program ends."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class MemberPin(models.Model):
    """What a member proves with that it is them who spend: only a salted hash, made with the installation's key."""

    member_id = models.BigIntegerField(_("member"), primary_key=True)
    salt = models.BinaryField()
    hash = models.BinaryField()
    set_at = models.DateTimeField(_("set at"))

    class Meta:
        db_table = "member_pin"
        verbose_name = _("PIN")
        verbose_name_plural = _("PINs")

    def __str__(self) -> str:
        return f"#{self.member_id}"


class Ending(models.Model):
    """The end of a program: until when members earn, until when they spend; asked by one, approved by another.

    `told_until` is the last member who was told; `begun_at`: it runs, and cannot be undone any more.
    """

    class State(models.TextChoices):
        REQUESTED = "requested", _("requested")
        APPROVED = "approved", _("approved")
        REJECTED = "rejected", _("rejected")
        UNDONE = "undone", _("undone")

    program = models.ForeignKey(
        "program.Program", on_delete=models.DO_NOTHING, verbose_name=_("program"), db_constraint=False, db_index=False
    )
    last_earning_day = models.DateField(_("last day to earn"))
    last_spending_day = models.DateField(_("last day to spend"))
    state = models.TextField(_("state"), choices=State, default=State.REQUESTED)
    requested_by = models.TextField(_("requested by"))
    requested_at = models.DateTimeField(_("requested at"))
    decided_by = models.TextField(_("decided by"), null=True)
    decided_at = models.DateTimeField(_("decided at"), null=True)
    told_until = models.BigIntegerField(default=0)
    begun_at = models.DateTimeField(_("begun at"), null=True)

    class Meta:
        db_table = "program_end"
        verbose_name = _("end of a program")
        verbose_name_plural = _("ends of programs")
        constraints = [
            models.UniqueConstraint(
                fields=["program"], name="program_ending_one", condition=Q(state__in=["requested", "approved"])
            ),
            models.CheckConstraint(
                condition=Q(state__in=["requested", "approved", "rejected", "undone"]), name="program_ending_state"
            ),
            models.CheckConstraint(
                condition=~Q(state="approved") | ~Q(decided_by=F("requested_by")), name="program_ending_four_eyes"
            ),
            models.CheckConstraint(
                condition=Q(last_spending_day__gte=F("last_earning_day")), name="program_ending_order"
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
