"""Cards: plastic, digital, of members and of staff; where their numbers come from and what became of them.

Whose a usable card is stands in one place only: the identity of kind `card` in `customer_identity`. `card.customer_id`
says whose it was, once the card is blocked or ended and no identity leads from it to anybody any more.
"""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class CardSeries(models.Model):
    """Where numbers come from: a prefix and room for digits; `next_number` is used when they run on."""

    class Holder(models.TextChoices):
        MEMBER = "member", _("member")
        STAFF = "staff", _("staff")

    class Order(models.TextChoices):
        RANDOM = "random", _("random")
        RUNNING = "running", pgettext_lazy("numbers", "running")

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"))
    name = models.JSONField(_("name"), default=dict)
    prefix = models.TextField(_("prefix"))
    length = models.SmallIntegerField(_("digits"))
    order = models.TextField(_("order of numbers"), choices=Order, default=Order.RANDOM)
    holder = models.TextField(_("for"), choices=Holder, default=Holder.MEMBER)
    first_number = models.BigIntegerField(_("first number"), default=1)
    next_number = models.BigIntegerField(_("next number"), default=1)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        db_table = "card_series"
        verbose_name = _("card series")
        verbose_name_plural = _("card series")
        constraints = [
            models.UniqueConstraint(fields=["key"], name="card_series_key"),
            models.CheckConstraint(condition=Q(holder__in=["member", "staff"]), name="card_series_holder"),
            models.CheckConstraint(condition=Q(order__in=["random", "running"]), name="card_series_order"),
            models.CheckConstraint(condition=Q(next_number__gte=1), name="card_series_next"),
        ]

    def __str__(self) -> str:
        return self.key


class CardBatch(models.Model):
    """Cards that were issued together, to be printed; `personal`: each for a known customer, with the name on it."""

    id = models.AutoField(primary_key=True)
    series = models.ForeignKey(CardSeries, on_delete=models.DO_NOTHING, verbose_name=_("series"))
    amount = models.IntegerField(_("cards"))
    note = models.TextField(_("note"), default="")
    personal = models.BooleanField(_("with names"), default=False)
    created_by = models.TextField(_("issued by"))
    created_at = models.DateTimeField(_("issued at"))
    printed_at = models.DateTimeField(_("file made at"), null=True)

    class Meta:
        db_table = "card_batch"
        verbose_name = _("card batch")
        verbose_name_plural = _("card batches")
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="card_batch_amount")]

    def __str__(self) -> str:
        return f"{self.series_id}/{self.pk}"


class Card(models.Model):
    """One card. `ready`: usable, in stock or in somebody's hands; `blocked`: for now; `ended`: for good."""

    class State(models.TextChoices):
        READY = "ready", _("usable")
        BLOCKED = "blocked", _("blocked")
        ENDED = "ended", _("ended")

    class Reason(models.TextChoices):
        LOST = "lost", _("lost")
        STOLEN = "stolen", _("stolen")
        DAMAGED = "damaged", _("damaged")
        MERGED = "merged", _("merged with another card")
        RETURNED = "returned", _("given back")
        MISUSE = "misuse", _("suspected misuse")

    number = models.TextField(_("number"))
    series = models.ForeignKey(
        CardSeries, on_delete=models.DO_NOTHING, verbose_name=_("series"), db_constraint=False, db_index=False
    )
    batch_id = models.IntegerField(_("batch"), null=True)
    state = models.TextField(_("state"), choices=State, default=State.READY)
    reason = models.TextField(_("reason"), choices=Reason, null=True)
    label = models.TextField(_("label"), null=True)
    customer_id = models.BigIntegerField(_("was the card of"), null=True)
    issued_at = models.DateTimeField(_("issued at"))
    assigned_at = models.DateTimeField(_("assigned at"), null=True)
    changed_at = models.DateTimeField(_("changed at"), null=True)
    replaced_by = models.ForeignKey(
        "self",
        on_delete=models.DO_NOTHING,
        null=True,
        verbose_name=_("replaced by"),
        db_constraint=False,
        db_index=False,
    )

    class Meta:
        db_table = "card"
        verbose_name = _("card")
        verbose_name_plural = _("cards")
        constraints = [
            models.UniqueConstraint(fields=["number"], name="card_number"),
            models.CheckConstraint(condition=Q(state__in=["ready", "blocked", "ended"]), name="card_state"),
            models.CheckConstraint(
                condition=Q(state="ready", reason__isnull=True, customer_id__isnull=True)
                | (~Q(state="ready") & Q(reason__isnull=False)),
                name="card_reason",
            ),
            models.CheckConstraint(
                condition=Q(replaced_by__isnull=True) | (Q(state="ended") & ~Q(replaced_by=F("id"))),
                name="card_replaced",
            ),
        ]
        indexes = [
            models.Index(fields=["batch_id", "id"], name="card_of_batch"),
            models.Index(fields=["customer_id"], name="card_customer", condition=Q(customer_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.number


class CardChange(models.Model):
    """What happened to a card, by whom and why; rows are only added."""

    class Act(models.TextChoices):
        ASSIGNED = "assigned", _("assigned")
        BLOCKED = "blocked", _("blocked")
        UNBLOCKED = "unblocked", _("unblocked")
        ENDED = "ended", _("ended")
        REPLACED = "replaced", _("replaced")
        MERGED = "merged", _("merged")

    card_id = models.BigIntegerField(_("card"))
    act = models.TextField(_("what"), choices=Act)
    customer_id = models.BigIntegerField(_("customer"), null=True)
    at = models.DateTimeField(_("at"))
    actor = models.TextField(_("by"), null=True)
    reason = models.TextField(_("reason"), null=True)

    class Meta:
        db_table = "card_change"
        verbose_name = _("change of a card")
        verbose_name_plural = _("changes of cards")
        indexes = [
            models.Index(fields=["card_id", "id"], name="card_change_card"),
            models.Index(fields=["customer_id"], name="card_change_customer", condition=Q(customer_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.act} #{self.card_id}"


class WalletPass(models.Model):
    """What the pass in a customer's phone said last, as a hash, and since when it says so."""

    customer_id = models.BigIntegerField(_("customer"), primary_key=True)
    digest = models.BinaryField()
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        db_table = "wallet_pass"
        verbose_name = _("pass in a phone")
        verbose_name_plural = _("passes in phones")

    def __str__(self) -> str:
        return f"{self.customer_id}"


class WalletDevice(models.Model):
    """A phone that wants to know when the pass of a customer changes; `device` and `push_token` are its own names."""

    device = models.TextField(_("device"))
    customer_id = models.BigIntegerField(_("customer"))
    push_token = models.TextField(_("push token"))
    registered_at = models.DateTimeField(_("registered at"))

    class Meta:
        db_table = "wallet_device"
        verbose_name = _("phone with a pass")
        verbose_name_plural = _("phones with a pass")
        constraints = [models.UniqueConstraint(fields=["device", "customer_id"], name="wallet_device_once")]
        indexes = [models.Index(fields=["customer_id"], name="wallet_device_customer")]

    def __str__(self) -> str:
        return f"#{self.pk}"
