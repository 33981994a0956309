"""What members bring to the counter later: photos of receipts, and money that is still due for rewards."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class ReceiptPhoto(models.Model):
    """A picture of a receipt that a member sent; people of ours read it. The picture was drawn anew from the pixels of
    what was sent, so nothing else of the file is left, and goes when the photo has been decided for a while."""

    class State(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("photo", "waits")
        BOOKED = "booked", pgettext_lazy("photo", "booked")
        REFUSED = "refused", pgettext_lazy("photo", "refused")

    customer_id = models.BigIntegerField(_("customer"))
    program_id = models.IntegerField(_("program"))
    state = models.TextField(_("state"), choices=State, default=State.WAITING)
    picture = models.BinaryField(_("picture"), null=True)
    digest = models.UUIDField()
    width = models.IntegerField(_("width"))
    height = models.IntegerField(_("height"))
    note = models.TextField(_("note"), null=True)
    sent_at = models.DateTimeField(_("sent at"))
    decided_at = models.DateTimeField(_("decided at"), null=True)
    decided_by = models.TextField(_("decided by"), null=True)
    reason = models.TextField(_("reason"), null=True)
    booking_id = models.BigIntegerField(_("booking"), null=True)

    class Meta:
        db_table = "receipt_photo"
        verbose_name = _("photo of a receipt")
        verbose_name_plural = _("photos of receipts")
        constraints = [
            models.UniqueConstraint(fields=["customer_id", "digest"], name="receipt_photo_once"),
            models.CheckConstraint(condition=Q(state__in=["waiting", "booked", "refused"]), name="receipt_photo_state"),
            models.CheckConstraint(
                condition=~Q(state="waiting") | Q(decided_at=None, picture__isnull=False), name="receipt_photo_waits"
            ),
        ]
        indexes = [
            models.Index(fields=["sent_at"], name="receipt_photo_waiting", condition=Q(state="waiting")),
            models.Index(fields=["decided_at"], name="receipt_photo_kept", condition=Q(picture__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class RewardDue(models.Model):
    """The part in money of a redemption that is paid after it was ordered: at the counter, or by invoice.

    A redemption that is cancelled needs no row changed: what was not paid is void, what was paid is to be refunded
    (`queries.dues`). Amount and currency stand with the redemption.
    """

    class Way(models.TextChoices):
        COUNTER = "counter", _("at the counter")
        INVOICE = "invoice", _("by invoice")

    redemption_id = models.BigIntegerField(_("redemption"), primary_key=True)
    customer_id = models.BigIntegerField(_("customer"), null=True)
    way = models.TextField(_("paid"), choices=Way)
    made_at = models.DateTimeField(_("due since"))
    paid_at = models.DateTimeField(_("paid at"), null=True)
    paid_by = models.TextField(_("noted by"), null=True)
    refunded_at = models.DateTimeField(_("refunded at"), null=True)
    refunded_by = models.TextField(_("refunded by"), null=True)
    refund = models.TextField(_("reference of the refund"), null=True)

    class Meta:
        db_table = "reward_due"
        verbose_name = _("money due for a reward")
        verbose_name_plural = _("money due for rewards")
        constraints = [
            models.CheckConstraint(condition=Q(way__in=["counter", "invoice"]), name="reward_due_way"),
            models.CheckConstraint(condition=Q(refunded_at=None) | Q(paid_at__isnull=False), name="reward_due_refund"),
        ]
        indexes = [
            models.Index(fields=["made_at"], name="reward_due_open", condition=Q(paid_at=None)),
            models.Index(fields=["customer_id"], name="reward_due_customer", condition=Q(customer_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"#{self.redemption_id}"
