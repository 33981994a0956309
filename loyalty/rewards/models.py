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
