"""Vouchers and offers: pools of codes, the codes, what people have in their wallets, and every use of either.

A use is made by a reservation: what one checkout holds, then redeems or lets go. The tables of people (`voucher`,
`offer_wallet`, `offer_use`) have no foreign keys in the database: they are written by hundreds of thousands.
"""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.offers import names


class State(models.TextChoices):
    """Whether a pool or an offer can be used."""

    ACTIVE = "active", _("active")
    PAUSED = "paused", _("paused")


class VoucherPool(models.Model):
    """Codes that give the same; `definition` is its document.

    `uses` and `spent` (money) count what is reserved and redeemed, kept only for pools with a limit or a budget.
    `reminded_until`: whose vouchers end by then were told.
    """

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"))
    name = models.JSONField(_("name"), default=dict)
    state = models.TextField(_("state"), choices=State, default=State.ACTIVE)
    definition = models.JSONField(default=dict)
    uses = models.BigIntegerField(_("uses"), default=0, db_default=0)
    spent = models.DecimalField(_("spent"), max_digits=14, decimal_places=2, default=0, db_default=0)
    reminded_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        db_table = "voucher_pool"
        verbose_name = _("voucher pool")
        verbose_name_plural = _("voucher pools")
        constraints = [
            models.UniqueConstraint(fields=["key"], name="voucher_pool_key"),
            models.CheckConstraint(condition=Q(state__in=["active", "paused"]), name="voucher_pool_state"),
            models.CheckConstraint(condition=Q(uses__gte=0, spent__gte=0), name="voucher_pool_counts"),
        ]

    def __str__(self) -> str:
        return self.key


class Voucher(models.Model):
    """One code. It is found by `digest`, the hash of the code without case, spaces and hyphens.

    `uses` counts what is reserved and redeemed; the database refuses more than `uses_max` (NULL: any number).
    `issue_key` makes issuing happen once; `origin_id` is the enrollment it was issued in. `available` and `held` are
    the money on a gift card: the sums of its entries.
    """

    class State(models.IntegerChoices):
        STOCK = names.STOCK, _("in stock")
        ISSUED = names.ISSUED, _("issued")
        VOID = names.VOID, _("void")

    pool = models.ForeignKey(
        VoucherPool, on_delete=models.DO_NOTHING, verbose_name=_("voucher pool"), db_constraint=False, db_index=False
    )
    digest = models.UUIDField()
    code = models.TextField(_("code"), null=True)
    state = models.SmallIntegerField(_("state"), choices=State, default=State.STOCK)
    customer_id = models.BigIntegerField(_("customer"), null=True)
    uses = models.IntegerField(_("uses"), default=0, db_default=0)
    uses_max = models.IntegerField(_("uses at most"), null=True)
    valid_from = models.DateTimeField(_("valid from"), null=True)
    valid_until = models.DateTimeField(_("valid until"), null=True)
    issued_at = models.DateTimeField(_("issued at"), null=True)
    issue_key = models.UUIDField(null=True)
    origin_id = models.BigIntegerField(null=True)
    source = models.TextField(_("source"), null=True)
    available = models.DecimalField(_("available"), max_digits=14, decimal_places=2, default=0, db_default=0)
    held = models.DecimalField(_("held"), max_digits=14, decimal_places=2, default=0, db_default=0)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        db_table = "voucher"
        verbose_name = _("voucher")
        verbose_name_plural = _("vouchers")
        constraints = [
            models.UniqueConstraint(fields=["digest"], name="voucher_digest"),
            models.UniqueConstraint(
                fields=["issue_key"], name="voucher_issue_key", condition=Q(issue_key__isnull=False)
            ),
            models.CheckConstraint(
                condition=Q(uses__gte=0) & (Q(uses_max__isnull=True) | Q(uses__lte=F("uses_max"))),
                name="voucher_uses",
            ),
            models.CheckConstraint(condition=Q(available__gte=0, held__gte=0), name="voucher_money"),
        ]
        indexes = [
            models.Index(fields=["pool", "state", "id"], name="voucher_of_pool"),
            models.Index(fields=["customer_id"], name="voucher_customer", condition=Q(customer_id__isnull=False)),
            models.Index(fields=["origin_id"], name="voucher_origin", condition=Q(origin_id__isnull=False)),
            models.Index(
                fields=["valid_until"], name="voucher_money", condition=Q(available__gt=0, valid_until__isnull=False)
            ),
            models.Index(fields=["valid_until"], name="voucher_ends", condition=Q(state=1, valid_until__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.code or f"#{self.pk}"


class GiftEntry(models.Model):
    """One line of a gift card's account: `amount` leaves one account and reaches another (`names.ACCOUNTS`).

    `key_digest` makes a refund in parts happen once.
    """

    voucher_id = models.BigIntegerField(_("voucher"))
    reservation_id = models.BigIntegerField(null=True)
    from_account = models.SmallIntegerField(_("from"))
    to_account = models.SmallIntegerField(_("to"))
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)
    at = models.DateTimeField(_("at"))
    key_digest = models.UUIDField(null=True)

    class Meta:
        db_table = "gift_entry"
        verbose_name = _("gift card entry")
        verbose_name_plural = _("gift card entries")
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0) & ~Q(from_account=F("to_account")), name="gift_entry_moves_something"
            ),
            models.UniqueConstraint(
                fields=["voucher_id", "key_digest"], name="gift_entry_key", condition=Q(key_digest__isnull=False)
            ),
        ]
        indexes = [models.Index(fields=["voucher_id", "id"], name="gift_entry_voucher")]

    def __str__(self) -> str:
        return f"{self.from_account} -> {self.to_account}: {self.amount}"


class Offer(models.Model):
    """Something to choose in the wallet and to use at the till without a code; `definition` is its document."""

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"))
    name = models.JSONField(_("name"), default=dict)
    state = models.TextField(_("state"), choices=State, default=State.ACTIVE)
    definition = models.JSONField(default=dict)
    uses = models.BigIntegerField(_("uses"), default=0, db_default=0)
    spent = models.DecimalField(_("spent"), max_digits=14, decimal_places=2, default=0, db_default=0)
    # The round of a personal offer that counts now.
    round_id = models.IntegerField(null=True)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        db_table = "offer"
        verbose_name = _("offer")
        verbose_name_plural = _("offers")
        constraints = [
            models.UniqueConstraint(fields=["key"], name="offer_key"),
            models.CheckConstraint(condition=Q(state__in=["active", "paused"]), name="offer_state"),
            models.CheckConstraint(condition=Q(uses__gte=0, spent__gte=0), name="offer_counts"),
        ]

    def __str__(self) -> str:
        return self.key


class WalletOffer(models.Model):
    """An offer in one person's wallet: given to the person by name, activated by the person, or both."""

    pk = models.CompositePrimaryKey("customer_id", "offer_id")
    customer_id = models.BigIntegerField(_("customer"))
    offer_id = models.IntegerField(_("offer"))
    given_at = models.DateTimeField(_("given at"), null=True)
    activated_at = models.DateTimeField(_("activated at"), null=True)

    class Meta:
        db_table = "offer_wallet"
        verbose_name = _("offer in a wallet")
        verbose_name_plural = _("offers in wallets")
        indexes = [models.Index(fields=["offer_id"], name="offer_wallet_offer")]

    def __str__(self) -> str:
        return f"{self.customer_id}/{self.offer_id}"


class OfferRound(models.Model):
    """A time in which people have a personal offer, or are held out of it; all of them until `ends_at`.

    `rates` are those by which sizes were chosen, `outcome` what came of it by band, size and group: sums, no people.
    `cursor` is how far giving or measuring has come.
    """

    class State(models.TextChoices):
        GIVING = "giving", _("being given")
        RUNNING = "running", _("running")
        MEASURED = "measured", _("measured")

    id = models.AutoField(primary_key=True)
    offer_id = models.IntegerField(_("offer"))
    number = models.IntegerField(_("round"))
    state = models.TextField(_("state"), choices=State, default=State.GIVING)
    given_at = models.DateTimeField(_("given at"))
    ends_at = models.DateTimeField(_("ends at"))
    cursor = models.BigIntegerField(default=0, db_default=0)
    settings = models.JSONField(default=dict)
    rates = models.JSONField(default=list)
    outcome = models.JSONField(null=True)
    measured_at = models.DateTimeField(_("measured at"), null=True)

    class Meta:
        db_table = "offer_round"
        verbose_name = _("round of a personal offer")
        verbose_name_plural = _("rounds of personal offers")
        constraints = [models.UniqueConstraint(fields=["offer_id", "number"], name="offer_round_number")]

    def __str__(self) -> str:
        return f"{self.offer_id}/{self.number}"


class PersonalOffer(models.Model):
    """What one person was offered in a round, or that the person was held out (`size` None: no size was worth it).

    `usual` is the usual purchase it was made from; the last five are written when the round is measured.
    """

    pk = models.CompositePrimaryKey("round_id", "customer_id")
    round_id = models.IntegerField(_("round"))
    customer_id = models.BigIntegerField(_("customer"))
    band = models.SmallIntegerField()
    step = models.SmallIntegerField(null=True)
    size = models.DecimalField(_("size"), max_digits=14, decimal_places=2, null=True)
    held_out = models.BooleanField(_("held out"))
    explored = models.BooleanField(_("by chance"))
    usual = models.DecimalField(_("usual purchase"), max_digits=14, decimal_places=2)
    margin_share = models.DecimalField(max_digits=7, decimal_places=6)
    threshold = models.DecimalField(_("target"), max_digits=14, decimal_places=2, null=True)
    category = models.TextField(_("category"), null=True)
    expected = models.DecimalField(_("expected margin"), max_digits=14, decimal_places=4, null=True)
    reached = models.BooleanField(_("target reached"), null=True)
    redeemed = models.IntegerField(_("redeemed"), null=True)
    revenue = models.DecimalField(_("revenue"), max_digits=14, decimal_places=2, null=True)
    margin = models.DecimalField(_("margin"), max_digits=14, decimal_places=4, null=True)
    cost = models.DecimalField(_("cost"), max_digits=14, decimal_places=4, null=True)

    class Meta:
        db_table = "offer_personal"
        verbose_name = _("personal offer")
        verbose_name_plural = _("personal offers")
        indexes = [models.Index(fields=["customer_id"], name="offer_personal_customer")]

    def __str__(self) -> str:
        return f"{self.round_id}/{self.customer_id}"


class Reservation(models.Model):
    """What one checkout holds: the vouchers and offers of a basket, until they are redeemed, let go or run out.

    `token` names it outside. `key_digest` is the hash of the caller's own id: the same id twice is one reservation;
    `content_digest` tells whether the second one said the same. `booking_id` is the purchase in the ledger.
    """

    class State(models.TextChoices):
        RESERVED = names.RESERVED, _("reserved")
        REDEEMED = names.REDEEMED, _("redeemed")
        RELEASED = names.RELEASED, _("released")
        RETURNED = names.RETURNED, _("returned")

    token = models.UUIDField(unique=True)
    key_digest = models.UUIDField(null=True)
    content_digest = models.UUIDField(null=True)
    reference = models.TextField(_("reference"), null=True)
    customer_id = models.BigIntegerField(_("customer"), null=True)
    state = models.TextField(_("state"), choices=State, default=State.RESERVED)
    made_at = models.DateTimeField(_("made at"))
    ends_at = models.DateTimeField(_("ends at"))
    settled_at = models.DateTimeField(_("settled at"), null=True)
    booking_id = models.BigIntegerField(null=True)
    currency = models.TextField(_("currency"))
    total = models.DecimalField(_("total"), max_digits=14, decimal_places=2)
    discount = models.DecimalField(_("discount"), max_digits=14, decimal_places=2)
    paid = models.DecimalField(_("paid by gift card"), max_digits=14, decimal_places=2)
    store = models.TextField(_("store"), null=True)
    channel = models.TextField(_("channel"), null=True)
    answer = models.JSONField(default=dict)

    class Meta:
        db_table = "offer_reservation"
        verbose_name = _("reservation")
        verbose_name_plural = _("reservations")
        constraints = [
            models.UniqueConstraint(
                fields=["key_digest"], name="offer_reservation_key", condition=Q(key_digest__isnull=False)
            ),
            models.CheckConstraint(
                condition=Q(state__in=["reserved", "redeemed", "released", "returned"]), name="offer_reservation_state"
            ),
        ]
        indexes = [
            models.Index(fields=["ends_at"], name="offer_reservation_open", condition=Q(state="reserved")),
            models.Index(
                fields=["customer_id"], name="offer_reservation_customer", condition=Q(customer_id__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Use(models.Model):
    """One voucher or one offer in one reservation: the discount it gave, what a gift card paid, on which lines."""

    reservation_id = models.BigIntegerField(_("reservation"))
    pool_id = models.IntegerField(_("voucher pool"), null=True)
    voucher_id = models.BigIntegerField(_("voucher"), null=True)
    offer_id = models.IntegerField(_("offer"), null=True)
    customer_id = models.BigIntegerField(_("customer"), null=True)
    state = models.TextField(_("state"), choices=Reservation.State)
    at = models.DateTimeField(_("at"))
    amount = models.DecimalField(_("discount"), max_digits=14, decimal_places=2)
    paid = models.DecimalField(_("paid by gift card"), max_digits=14, decimal_places=2)
    lines = models.JSONField(_("lines"), default=dict)

    class Meta:
        db_table = "offer_use"
        verbose_name = _("use")
        verbose_name_plural = _("uses")
        constraints = [
            models.CheckConstraint(
                condition=Q(voucher_id__isnull=False, pool_id__isnull=False, offer_id__isnull=True)
                | Q(voucher_id__isnull=True, pool_id__isnull=True, offer_id__isnull=False),
                name="offer_use_of_one",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["reserved", "redeemed", "released", "returned"]), name="offer_use_state"
            ),
        ]
        indexes = [
            models.Index(fields=["reservation_id"], name="offer_use_reservation"),
            models.Index(fields=["voucher_id"], name="offer_use_voucher", condition=Q(voucher_id__isnull=False)),
            models.Index(fields=["pool_id", "at"], name="offer_use_pool", condition=Q(pool_id__isnull=False)),
            models.Index(fields=["offer_id", "at"], name="offer_use_offer", condition=Q(offer_id__isnull=False)),
            models.Index(fields=["customer_id"], name="offer_use_customer", condition=Q(customer_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
