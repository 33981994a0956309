"""What members get for their points: rewards, their stock and codes, who redeemed what, who wishes for what.

Redemptions name customers, not members: they are personal rows (an address, a code), and what they cost stands in the
ledger of the program under `booking_id`.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.program.models import Program
from loyalty.rewards.names import OPEN, STATES, TYPES


class RewardCategory(models.Model):
    """The name and place of a category; one without a row is shown by its key."""

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"))
    name = models.JSONField(_("name"), default=dict)
    position = models.SmallIntegerField(_("position"), default=100)

    class Meta:
        db_table = "reward_category"
        verbose_name = _("reward category")
        verbose_name_plural = _("reward categories")
        constraints = [models.UniqueConstraint(fields=["key"], name="reward_category_key")]

    def __str__(self) -> str:
        return self.key


class Reward(models.Model):
    """Something to redeem points for; `definition` is its document.

    `stock` is how many there ever were (NULL: no limit), `taken` how many of them are gone; the check lets the database
    itself refuse the one too many. `points` is its lowest price in points.
    """

    class Type(models.TextChoices):
        PHYSICAL = "physical", _("physical")
        DIGITAL = "digital", _("digital")
        SERVICE = "service", _("service")
        EVENT = "event", _("event")
        DONATION = "donation", _("donation")
        CASHBACK = "cashback", _("cashback")
        GIFT_CARD = "gift_card", _("gift card")
        BUNDLE = "bundle", _("bundle")
        DRAW_TICKET = "draw_ticket", _("draw ticket")

    class State(models.TextChoices):
        ACTIVE = "active", _("active")
        PAUSED = "paused", _("paused")
        ARCHIVED = "archived", _("archived")

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"))
    program = models.ForeignKey(Program, on_delete=models.DO_NOTHING, verbose_name=_("program"))
    type = models.TextField(_("type"), choices=Type)
    state = models.TextField(_("state"), choices=State, default=State.ACTIVE)
    name = models.JSONField(_("name"), default=dict)
    points = models.IntegerField(_("points"))
    categories = ArrayField(models.TextField(), verbose_name=_("categories"), default=list)
    featured = models.BooleanField(_("featured"), default=False)
    stock = models.IntegerField(_("stock"), null=True)
    taken = models.IntegerField(_("taken"), default=0, db_default=0)
    low_stock = models.IntegerField(_("alarm at"), null=True)
    definition = models.JSONField(default=dict)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        db_table = "reward"
        verbose_name = _("reward")
        verbose_name_plural = _("rewards")
        constraints = [
            models.UniqueConstraint(fields=["key"], name="reward_key"),
            models.CheckConstraint(condition=Q(type__in=TYPES), name="reward_type"),
            models.CheckConstraint(condition=Q(state__in=["active", "paused", "archived"]), name="reward_state"),
            models.CheckConstraint(
                condition=Q(taken__gte=0) & (Q(stock__isnull=True) | Q(taken__lte=F("stock"))), name="reward_stock"
            ),
        ]

    def __str__(self) -> str:
        return self.key


class RewardSlot(models.Model):
    """An hour at which a service or an event takes place, and how many find room."""

    id = models.AutoField(primary_key=True)
    reward = models.ForeignKey(Reward, on_delete=models.CASCADE, verbose_name=_("reward"))
    starts_at = models.DateTimeField(_("starts at"))
    places = models.IntegerField(_("places"))
    taken = models.IntegerField(_("taken"), default=0, db_default=0)

    class Meta:
        db_table = "reward_slot"
        verbose_name = _("appointment")
        verbose_name_plural = _("appointments")
        constraints = [
            models.UniqueConstraint(fields=["reward", "starts_at"], name="reward_slot_once"),
            models.CheckConstraint(condition=Q(taken__gte=0, taken__lte=F("places")), name="reward_slot_places"),
        ]

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m-%d %H:%M}"


class Redemption(models.Model):
    """A member's order of a reward, with what it cost and where it goes; the parts of a bundle have it as `parent`.

    `key_digest` is the hash of the caller's own id: the same id twice is one redemption; `content_digest` tells whether
    the second one said the same. `refund_id` is the booking that gave the points back.
    """

    class State(models.TextChoices):
        ORDERED = "ordered", _("ordered")
        APPROVED = "approved", _("approved")
        PACKED = "packed", _("packed")
        SHIPPED = "shipped", _("shipped")
        DELIVERED = "delivered", _("delivered")
        CANCELLED = "cancelled", _("cancelled")

    program = models.ForeignKey(
        Program, on_delete=models.DO_NOTHING, verbose_name=_("program"), db_constraint=False, db_index=False
    )
    customer_id = models.BigIntegerField(_("customer"), null=True)
    reward = models.ForeignKey(
        Reward, on_delete=models.DO_NOTHING, verbose_name=_("reward"), db_constraint=False, db_index=False
    )
    parent_id = models.BigIntegerField(_("part of"), null=True)
    quantity = models.SmallIntegerField(_("quantity"), default=1)
    state = models.TextField(_("state"), choices=State, default=State.ORDERED)
    state_since = models.DateTimeField(_("since"))
    source = models.TextField(_("source"))
    points = models.IntegerField(_("points"), default=0)
    wallet_id = models.IntegerField(_("wallet"), null=True)
    money = models.DecimalField(_("money"), max_digits=14, decimal_places=2, null=True)
    currency = models.TextField(_("currency"), null=True)
    payment = models.TextField(_("payment"), null=True)
    booking_id = models.BigIntegerField(_("booking"), null=True)
    refund_id = models.BigIntegerField(_("refund"), null=True)
    slot = models.ForeignKey(
        RewardSlot,
        on_delete=models.DO_NOTHING,
        null=True,
        verbose_name=_("appointment"),
        db_constraint=False,
        db_index=False,
    )
    address = models.JSONField(_("address"), null=True)
    tracking = models.TextField(_("tracking number"), null=True)
    note = models.TextField(_("note"), null=True)
    reason = models.TextField(_("reason"), null=True)
    won = models.BooleanField(_("won"), null=True)
    key_digest = models.UUIDField(null=True)
    content_digest = models.UUIDField(null=True)
    ordered_at = models.DateTimeField(_("ordered at"))

    class Meta:
        db_table = "reward_redemption"
        verbose_name = _("redemption")
        verbose_name_plural = _("redemptions")
        constraints = [
            models.UniqueConstraint(fields=["key_digest"], name="reward_redemption_key"),
            models.UniqueConstraint(fields=["booking_id"], name="reward_redemption_booking"),
            models.CheckConstraint(condition=Q(state__in=STATES), name="reward_redemption_state"),
            models.CheckConstraint(condition=Q(quantity__gt=0, points__gte=0), name="reward_redemption_amount"),
        ]
        indexes = [
            models.Index(fields=["customer_id", "id"], name="reward_redemption_customer"),
            models.Index(fields=["reward", "id"], name="reward_redemption_reward"),
            models.Index(fields=["parent_id"], name="reward_redemption_parent", condition=Q(parent_id__isnull=False)),
            # Of millions of redemptions only the open ones stand on the board.
            models.Index(fields=["state", "ordered_at"], name="reward_redemption_open", condition=Q(state__in=OPEN)),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class RedemptionStep(models.Model):
    """A redemption reached a state: when, and by whom."""

    redemption_id = models.BigIntegerField(_("redemption"))
    state = models.TextField(_("state"), choices=Redemption.State)
    at = models.DateTimeField(_("at"))
    actor = models.TextField(_("by"), null=True)

    class Meta:
        db_table = "reward_redemption_step"
        verbose_name = _("step of a redemption")
        verbose_name_plural = _("steps of redemptions")
        indexes = [models.Index(fields=["redemption_id", "id"], name="reward_redemption_step_of")]

    def __str__(self) -> str:
        return self.state


class RewardCode(models.Model):
    """A code of a digital reward, given to one redemption; the hash keeps a code from being there twice."""

    reward = models.ForeignKey(
        Reward, on_delete=models.DO_NOTHING, verbose_name=_("reward"), db_constraint=False, db_index=False
    )
    code = models.TextField(_("code"))
    digest = models.BinaryField()
    redemption_id = models.BigIntegerField(_("redemption"), null=True)
    expires_at = models.DateTimeField(_("expires at"), null=True)
    added_at = models.DateTimeField(_("added at"))

    class Meta:
        db_table = "reward_code"
        verbose_name = _("code")
        verbose_name_plural = _("codes")
        constraints = [models.UniqueConstraint(fields=["reward", "digest"], name="reward_code_once")]
        indexes = [
            models.Index(fields=["reward", "id"], name="reward_code_free", condition=Q(redemption_id__isnull=True)),
            models.Index(fields=["redemption_id"], name="reward_code_given", condition=Q(redemption_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class RewardDraw(models.Model):
    """How a draw went: whoever knows the seed and the tickets gets the same winners."""

    reward = models.OneToOneField(Reward, on_delete=models.DO_NOTHING, primary_key=True, verbose_name=_("reward"))
    drawn_at = models.DateTimeField(_("drawn at"))
    seed = models.TextField(_("seed"))
    tickets = models.IntegerField(_("tickets"))
    winners = models.IntegerField(_("winners"))

    class Meta:
        db_table = "reward_draw"
        verbose_name = _("draw")
        verbose_name_plural = _("draws")

    def __str__(self) -> str:
        return f"{self.reward_id}"


class Wish(models.Model):
    """The one reward that a customer saves points for in a program; `reached_at`: there were enough."""

    pk = models.CompositePrimaryKey("customer_id", "program_id")
    customer_id = models.BigIntegerField(_("customer"))
    program_id = models.IntegerField(_("program"))
    reward = models.ForeignKey(
        Reward, on_delete=models.DO_NOTHING, verbose_name=_("reward"), db_constraint=False, db_index=False
    )
    since = models.DateTimeField(_("since"))
    reached_at = models.DateTimeField(_("reached at"), null=True)

    class Meta:
        db_table = "wish"
        verbose_name = _("wish")
        verbose_name_plural = _("wishes")
        indexes = [models.Index(fields=["reward"], name="wish_reward")]

    def __str__(self) -> str:
        return f"{self.customer_id}: {self.reward_id}"


class Supplier(models.Model):
    """Who sends rewards out; orders are pushed to its address when its document has one.

    `failures` in a row, whatever the order, and until when nothing is sent because of them. What was ordered before
    `pushed_since` went another way (as CSV) and is not sent by itself.
    """

    class State(models.TextChoices):
        ACTIVE = "active", _("active")
        PAUSED = "paused", _("paused")

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"))
    name = models.TextField(_("name"))
    state = models.TextField(_("state"), choices=State, default=State.ACTIVE)
    definition = models.JSONField(default=dict)
    pushed_since = models.DateTimeField(_("sends orders since"), null=True)
    failures = models.SmallIntegerField(_("failures in a row"), default=0, db_default=0)
    resting_until = models.DateTimeField(_("rests until"), null=True)
    told_at = models.DateTimeField(_("last order taken"), null=True)
    heard_at = models.DateTimeField(_("last report"), null=True)
    refused_at = models.DateTimeField(_("last report refused"), null=True)
    refused_why = models.TextField(_("refused because"), null=True)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        db_table = "supplier"
        verbose_name = _("supplier")
        verbose_name_plural = _("suppliers")
        constraints = [
            models.UniqueConstraint(fields=["key"], name="supplier_key"),
            models.CheckConstraint(condition=Q(state__in=["active", "paused"]), name="supplier_state"),
        ]

    def __str__(self) -> str:
        return self.name or self.key


class SupplierOrder(models.Model):
    """What a supplier knows of a redemption: `revision` counts what there was to tell, `told` is the last that arrived.

    It holds nothing about the person: what is sent is read from the redemption in that moment. `lease_until` keeps
    others away while one is sending.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("to be sent")
        TOLD = "told", _("sent")
        DEAD = "dead", _("given up")

    redemption_id = models.BigIntegerField(_("redemption"), primary_key=True)
    supplier = models.ForeignKey(Supplier, on_delete=models.DO_NOTHING, verbose_name=_("supplier"), db_index=False)
    state = models.TextField(_("state"), choices=State, default=State.WAITING)
    revision = models.SmallIntegerField(_("revision"), default=1, db_default=1)
    told = models.SmallIntegerField(_("sent revision"), default=0, db_default=0)
    attempts = models.SmallIntegerField(_("attempts"), default=0, db_default=0)
    due_at = models.DateTimeField(_("next attempt"))
    lease_until = models.DateTimeField(null=True)
    last_at = models.DateTimeField(_("last attempt"), null=True)
    last_status = models.SmallIntegerField(_("last answer"), null=True)
    last_error = models.TextField(_("last error"), null=True)
    created_at = models.DateTimeField(_("since"))

    class Meta:
        db_table = "supplier_order"
        verbose_name = _("order at a supplier")
        verbose_name_plural = _("orders at suppliers")
        constraints = [
            models.CheckConstraint(condition=Q(state__in=["waiting", "told", "dead"]), name="supplier_order_state"),
            models.CheckConstraint(
                condition=Q(told__gte=0, told__lte=F("revision"), attempts__gte=0), name="supplier_order_told"
            ),
        ]
        indexes = [
            models.Index(fields=["supplier", "due_at"], name="supplier_order_due", condition=Q(state="waiting")),
            models.Index(fields=["supplier", "redemption_id"], name="supplier_order_dead", condition=Q(state="dead")),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
