"""What tills need beside the ledger: stores, held baskets, what vouchers did to a purchase, receipts without a card."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from loyalty.checkout.counter_models import ReceiptPhoto as ReceiptPhoto
from loyalty.checkout.counter_models import RewardDue as RewardDue


class Store(models.Model):
    """A place where people buy; purchases name it by its key."""

    class State(models.TextChoices):
        OPEN = "open", _("open")
        CLOSED = "closed", _("closed")

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"))
    name = models.JSONField(_("name"), default=dict)
    state = models.TextField(_("state"), choices=State, default=State.OPEN)
    region = models.TextField(_("region"), null=True)
    city = models.TextField(_("city"), null=True)
    definition = models.JSONField(default=dict)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        db_table = "store"
        verbose_name = _("store")
        verbose_name_plural = _("stores")
        constraints = [
            models.UniqueConstraint(fields=["key"], name="store_key"),
            models.CheckConstraint(condition=Q(state__in=["open", "closed"]), name="store_state"),
        ]

    def __str__(self) -> str:
        return self.key


class StoreKey(models.Model):
    """An API key that speaks for one store only: its purchases are that store's whatever the till says."""

    api_key_id = models.BigIntegerField(primary_key=True)
    store = models.ForeignKey(Store, on_delete=models.DO_NOTHING, verbose_name=_("store"), related_name="keys")
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        db_table = "store_api_key"
        verbose_name = _("key of a store")
        verbose_name_plural = _("keys of stores")

    def __str__(self) -> str:
        return f"{self.store_id}/{self.api_key_id}"


class HeldBasket(models.Model):
    """A basket with the points and vouchers that nobody else can take until it is committed or its time is over.

    `key_digest` is the hash of the purchase's own id, `holds` the bookings that lock points, `vouchers` the token of
    the reservation of vouchers and offers.
    """

    class State(models.TextChoices):
        OPEN = "open", _("open")
        COMMITTED = "committed", _("committed")
        RELEASED = "released", _("released")
        EXPIRED = "expired", _("expired")

    token = models.UUIDField(unique=True)
    program_id = models.IntegerField(_("program"))
    member_id = models.BigIntegerField(_("member"))
    customer_id = models.BigIntegerField(_("customer"), null=True)
    key_digest = models.UUIDField()
    content_digest = models.UUIDField()
    reference = models.TextField(_("transaction"), null=True)
    state = models.TextField(_("state"), choices=State, default=State.OPEN)
    basket = models.JSONField(_("basket"), null=True)
    holds = models.JSONField(_("held points"), default=list)
    vouchers = models.UUIDField(_("held vouchers"), null=True)
    made_at = models.DateTimeField(_("made at"))
    ends_at = models.DateTimeField(_("ends at"))
    settled_at = models.DateTimeField(_("settled at"), null=True)
    booking_id = models.BigIntegerField(_("booking"), null=True)

    class Meta:
        db_table = "held_basket"
        verbose_name = _("held basket")
        verbose_name_plural = _("held baskets")
        constraints = [
            models.UniqueConstraint(fields=["key_digest"], name="held_basket_key", condition=Q(state="open")),
            models.CheckConstraint(
                condition=Q(state__in=["open", "committed", "released", "expired"]), name="held_basket_state"
            ),
            models.CheckConstraint(
                condition=Q(state="committed", booking_id__isnull=False)
                | (~Q(state="committed") & Q(booking_id__isnull=True)),
                name="held_basket_booked",
            ),
        ]
        indexes = [
            models.Index(fields=["ends_at"], name="held_basket_ends", condition=Q(state="open")),
            models.Index(fields=["customer_id"], name="held_basket_customer", condition=Q(customer_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return str(self.token)


class Sale(models.Model):
    """What vouchers, offers and staff had to do with a purchase of the ledger. Plain purchases have no row.

    `content_digest` tells a repetition from another purchase under the same id; `vouchers` is the token of the
    redeemed reservation, `answer` what was said to the till.
    """

    booking_id = models.BigIntegerField(primary_key=True)
    customer_id = models.BigIntegerField(_("customer"), null=True)
    key_digest = models.UUIDField(unique=True)
    content_digest = models.UUIDField()
    vouchers = models.UUIDField(_("vouchers"), null=True)
    gross = models.DecimalField(_("before discounts"), max_digits=14, decimal_places=2)
    discount = models.DecimalField(_("discount"), max_digits=14, decimal_places=2, default=0)
    paid = models.DecimalField(_("paid by gift card"), max_digits=14, decimal_places=2, default=0)
    staff_card_id = models.BigIntegerField(_("card of staff"), null=True)
    answer = models.JSONField(null=True)
    restored_at = models.DateTimeField(_("vouchers given back"), null=True)
    at = models.DateTimeField(_("at"))

    class Meta:
        db_table = "sale"
        verbose_name = _("sale with vouchers")
        verbose_name_plural = _("sales with vouchers")
        constraints = [
            models.CheckConstraint(condition=Q(gross__gte=0, discount__gte=0, paid__gte=0), name="sale_amounts")
        ]
        indexes = [models.Index(fields=["customer_id"], name="sale_customer", condition=Q(customer_id__isnull=False))]

    def __str__(self) -> str:
        return f"#{self.booking_id}"


class UnmatchedReceipt(models.Model):
    """A purchase of somebody who showed no card: kept without a name, until a customer claims it by its code, or by
    number, day and amount. `row` is what is booked then, `returned` what came back before."""

    class State(models.TextChoices):
        OPEN = "open", _("can be claimed")
        CLAIMED = "claimed", pgettext_lazy("receipt", "claimed")
        RETURNED = "returned", _("came back")
        LAPSED = "lapsed", _("too old")

    program_id = models.IntegerField(_("program"))
    key_digest = models.UUIDField(unique=True)
    content_digest = models.UUIDField()
    code = models.TextField(_("code"), unique=True)
    number = models.TextField(_("number"), null=True)
    store = models.TextField(_("store"), null=True)
    occurred_at = models.DateTimeField(_("bought at"))
    received_at = models.DateTimeField(_("received at"))
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)
    row = models.JSONField(null=True)
    returned = models.JSONField(default=list)
    state = models.TextField(_("state"), choices=State, default=State.OPEN)
    customer_id = models.BigIntegerField(_("customer"), null=True)
    settled_at = models.DateTimeField(_("claimed at"), null=True)
    booking_id = models.BigIntegerField(_("booking"), null=True)

    class Meta:
        db_table = "unmatched_receipt"
        verbose_name = _("receipt without a card")
        verbose_name_plural = _("receipts without a card")
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["open", "claimed", "returned", "lapsed"]), name="unmatched_receipt_state"
            ),
        ]
        indexes = [
            models.Index(fields=["number"], name="unmatched_receipt_number", condition=Q(state="open")),
            models.Index(fields=["occurred_at"], name="unmatched_receipt_day", condition=Q(state="open")),
            models.Index(fields=["customer_id"], name="unmatched_receipt_of", condition=Q(customer_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.number or f"#{self.pk}"


class ClaimAttempt(models.Model):
    """A claim that named no receipt there is: after some, the customer has to wait, so that nobody tries numbers."""

    customer_id = models.BigIntegerField(_("customer"))
    at = models.DateTimeField(_("at"))

    class Meta:
        db_table = "claim_attempt"
        verbose_name = _("failed claim")
        verbose_name_plural = _("failed claims")
        indexes = [models.Index(fields=["customer_id", "at"], name="claim_attempt_customer")]

    def __str__(self) -> str:
        return f"{self.customer_id}"


class StoreStaff(models.Model):
    """A user who serves at one store: what they ring up at the counter is that store's."""

    user_id = models.IntegerField(primary_key=True)
    store = models.ForeignKey(Store, on_delete=models.DO_NOTHING, verbose_name=_("store"), related_name="staff")
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        db_table = "store_staff"
        verbose_name = _("staff of a store")
        verbose_name_plural = _("staff of stores")
        permissions = [
            ("use_counter", _("Can look up customers and book at the counter")),
            ("redeem_counter", _("Can redeem rewards and take money at the counter")),
        ]

    def __str__(self) -> str:
        return f"{self.store_id}/{self.user_id}"


class TillItem(models.Model):
    """An article as tills sell it: its name, how many receipts had it lately, what is earned on one of it."""

    sku = models.TextField(primary_key=True)
    name = models.TextField(_("name"), null=True)
    receipts = models.IntegerField(_("receipts"), default=0, db_default=0)
    margin = models.DecimalField(_("margin"), max_digits=14, decimal_places=2, null=True)
    seen_at = models.DateTimeField(_("seen at"))

    class Meta:
        db_table = "till_item"
        verbose_name = _("article")
        verbose_name_plural = _("articles")
        indexes = [models.Index(fields=["-receipts", "sku"], name="till_item_popular")]

    def __str__(self) -> str:
        return self.name or self.sku


class TillPair(models.Model):
    """Two articles on the same receipts: `together` receipts, `score` from 0 to 1 (the cosine of the two)."""

    pk = models.CompositePrimaryKey("sku", "other")
    sku = models.TextField(_("article"))
    other = models.TextField(_("bought with it"))
    together = models.IntegerField(_("receipts"))
    score = models.FloatField(_("score"))

    class Meta:
        db_table = "till_pair"
        verbose_name = _("articles bought together")
        verbose_name_plural = _("articles bought together")

    def __str__(self) -> str:
        return f"{self.sku} + {self.other}"


class StoreMonth(models.Model):
    """Receipts of a month at a store ('' where none was named), with a card and without."""

    pk = models.CompositePrimaryKey("month", "program_id", "store")
    month = models.DateField(_("month"))
    program_id = models.IntegerField(_("program"))
    store = models.TextField(_("store"))
    with_card = models.IntegerField(_("with a card"))
    without_card = models.IntegerField(_("without a card"))
    amount_with = models.DecimalField(_("sales with a card"), max_digits=16, decimal_places=2)
    amount_without = models.DecimalField(_("sales without a card"), max_digits=16, decimal_places=2)

    class Meta:
        db_table = "store_month"
        verbose_name = _("receipts of a month")
        verbose_name_plural = _("receipts by month")

    def __str__(self) -> str:
        return f"{self.month} {self.store}"


class Reckoning(models.Model):
    """When something that is reckoned once a day was reckoned last."""

    key = models.TextField(primary_key=True)
    done_at = models.DateTimeField(_("done at"))

    class Meta:
        db_table = "till_reckoning"
        verbose_name = _("reckoning")
        verbose_name_plural = _("reckonings")

    def __str__(self) -> str:
        return self.key
