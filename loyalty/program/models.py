"""The loyalty program: its rules, its members, and a ledger that only grows.

The ledger knows members, never customers: forgetting a person empties `member.customer_id` and leaves bookings that
belong to nobody. Its tables take tens of thousands of rows a second and have no foreign keys in the database.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

# Tables that Django finds through this module.
from loyalty.program import companions, earning_tables, life  # noqa: F401
from loyalty.program.names import KINDS


class Program(models.Model):
    """One loyalty program; `definition` is its document."""

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"))
    name = models.JSONField(_("name"), default=dict)
    definition = models.JSONField(default=dict)
    noticed_until = models.DateTimeField(null=True)
    earns_until = models.DateField(_("last day to earn"), null=True)
    spends_until = models.DateField(_("last day to spend"), null=True)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        db_table = "program"
        verbose_name = _("program")
        verbose_name_plural = _("programs")
        constraints = [models.UniqueConstraint(fields=["key"], name="program_key")]

    def __str__(self) -> str:
        return self.key


class Wallet(models.Model):
    """One kind of points of a program; how they are released and expire stands in the program's document."""

    id = models.AutoField(primary_key=True)
    program = models.ForeignKey(Program, on_delete=models.DO_NOTHING, verbose_name=_("program"))
    key = models.TextField(_("key"))
    position = models.SmallIntegerField()

    class Meta:
        db_table = "wallet"
        verbose_name = _("wallet")
        verbose_name_plural = _("wallets")
        constraints = [models.UniqueConstraint(fields=["program", "key"], name="wallet_key")]

    def __str__(self) -> str:
        return self.key


class Tier(models.Model):
    """A level of a program; a higher rank is a better one."""

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"))
    program = models.ForeignKey(Program, on_delete=models.DO_NOTHING, verbose_name=_("program"))
    rank = models.SmallIntegerField(_("rank"))
    threshold = models.DecimalField(_("threshold"), max_digits=14, decimal_places=2)
    name = models.JSONField(_("name"), default=dict)
    definition = models.JSONField(default=dict)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        db_table = "tier"
        verbose_name = _("tier")
        verbose_name_plural = _("tiers")
        constraints = [
            models.UniqueConstraint(fields=["key"], name="tier_key"),
            models.UniqueConstraint(
                fields=["program", "rank"], name="tier_rank", deferrable=models.Deferrable.DEFERRED
            ),
        ]

    def __str__(self) -> str:
        return self.key


class EarningRule(models.Model):
    """How points are earned; `used_points` is what a budget has paid out, kept for rules that have one, and
    `budget_empty_at` when it was found used up."""

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"))
    program = models.ForeignKey(Program, on_delete=models.DO_NOTHING, verbose_name=_("program"))
    wallet = models.ForeignKey(Wallet, on_delete=models.DO_NOTHING, verbose_name=_("wallet"))
    type = models.TextField(_("type"))
    priority = models.SmallIntegerField(_("priority"))
    state = models.TextField(_("state"))
    name = models.JSONField(_("name"), default=dict)
    definition = models.JSONField(default=dict)
    used_points = models.BigIntegerField(_("points used"), default=0)
    budget_empty_at = models.DateTimeField(_("budget used up at"), null=True)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        db_table = "earning_rule"
        verbose_name = _("earning rule")
        verbose_name_plural = _("earning rules")
        constraints = [
            models.UniqueConstraint(fields=["key"], name="earning_rule_key"),
            models.CheckConstraint(condition=Q(state__in=["active", "paused"]), name="earning_rule_state"),
            models.CheckConstraint(condition=Q(used_points__gte=0), name="earning_rule_used"),
        ]

    def __str__(self) -> str:
        return self.key


class Member(models.Model):
    """A customer in a program; without a customer, somebody who was forgotten.

    `tier_falls_at`: the value is too low since some time, and the tier is lost then. `tier_fixed_until`: given by hand,
    not lost before.
    """

    class State(models.TextChoices):
        ACTIVE = "active", _("active")
        LEFT = "left", _("left")
        FROZEN = "frozen", _("frozen")

    program = models.ForeignKey(
        Program, on_delete=models.DO_NOTHING, verbose_name=_("program"), db_constraint=False, db_index=False
    )
    customer_id = models.BigIntegerField(_("customer"), null=True)
    state = models.TextField(_("state"), choices=State, default=State.ACTIVE)
    joined_at = models.DateTimeField(_("joined at"))
    left_at = models.DateTimeField(_("left at"), null=True)
    tier = models.ForeignKey(
        Tier,
        on_delete=models.DO_NOTHING,
        null=True,
        verbose_name=_("tier"),
        db_constraint=False,
        db_index=False,
    )
    tier_since = models.DateTimeField(_("tier since"), null=True)
    tier_falls_at = models.DateTimeField(_("tier falls at"), null=True)
    tier_fixed_until = models.DateTimeField(_("tier fixed until"), null=True)

    class Meta:
        db_table = "member"
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [
            # The customer first: it also serves "what is this customer a member of".
            models.UniqueConstraint(fields=["customer_id", "program"], name="member_customer"),
            models.CheckConstraint(condition=Q(state__in=["active", "left", "frozen"]), name="member_state"),
        ]
        indexes = [models.Index(fields=["tier"], name="member_tier", condition=Q(tier__isnull=False))]

    def __str__(self) -> str:
        return f"#{self.pk}"


class MemberBalance(models.Model):
    """What a member has in a wallet now: the sums of its entries, kept in the entries' own statement.

    The checks let the database itself refuse to overdraw. What can be spent is `active - owed`.
    """

    pk = models.CompositePrimaryKey("member_id", "wallet_id")
    member_id = models.BigIntegerField(_("member"))
    wallet_id = models.IntegerField(_("wallet"))
    pending = models.BigIntegerField(_("pending"), default=0, db_default=0)
    active = models.BigIntegerField(_("active"), default=0, db_default=0)
    locked = models.BigIntegerField(_("locked"), default=0, db_default=0)
    owed = models.BigIntegerField(_("owed"), default=0, db_default=0)

    class Meta:
        db_table = "member_balance"
        verbose_name = _("balance")
        verbose_name_plural = _("balances")
        constraints = [
            models.CheckConstraint(
                condition=Q(pending__gte=0, active__gte=0, locked__gte=0, owed__gte=0), name="member_balance_allowed"
            )
        ]

    def __str__(self) -> str:
        return f"{self.member_id}/{self.wallet_id}: {self.active}"


class Booking(models.Model):
    """Something that moved points, with what it was about; a purchase keeps its lines, a return names what it returns.

    `key_digest` is the hash of the caller's own id: the same id twice is one booking; `content_digest` tells whether
    the second one said the same.
    """

    program = models.ForeignKey(
        Program, on_delete=models.DO_NOTHING, verbose_name=_("program"), db_constraint=False, db_index=False
    )
    member_id = models.BigIntegerField(_("member"), null=True)
    kind = models.TextField(_("kind"))
    occurred_at = models.DateTimeField(_("occurred at"))
    recorded_at = models.DateTimeField(_("recorded at"))
    key_digest = models.UUIDField(null=True)
    content_digest = models.UUIDField(null=True)
    reference = models.TextField(_("reference"), null=True)
    original_id = models.BigIntegerField(_("original"), null=True)
    currency = models.TextField(_("currency"), null=True)
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=2, null=True)
    net = models.DecimalField(_("net"), max_digits=14, decimal_places=2, null=True)
    margin = models.DecimalField(_("margin"), max_digits=14, decimal_places=2, null=True)
    store = models.TextField(_("store"), null=True)
    channel = models.TextField(_("channel"), null=True)
    lines = models.JSONField(_("lines"), null=True)
    details = models.JSONField(_("details"), null=True)
    actor = models.TextField(_("by"), null=True)

    class Meta:
        db_table = "booking"
        verbose_name = _("booking")
        verbose_name_plural = _("bookings")
        constraints = [
            models.UniqueConstraint(fields=["key_digest"], name="booking_key"),
            models.UniqueConstraint(fields=["original_id"], name="booking_void", condition=Q(kind="void")),
            models.CheckConstraint(condition=Q(kind__in=KINDS), name="booking_kind"),
        ]
        indexes = [
            models.Index(fields=["member_id", "occurred_at"], name="booking_member"),
            models.Index(fields=["original_id"], name="booking_original", condition=Q(original_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class Lot(models.Model):
    """Points that were given together: where they came from, when they are released, when they expire, and where they
    are now.

    `parts` are the points of each line of the purchase (`line_numbers`), which a return takes back. `awaits`: an event
    that releases them before; `lapses`: without it they are taken back at `releases_at`.
    """

    member_id = models.BigIntegerField(_("member"))
    wallet_id = models.IntegerField(_("wallet"))
    booking_id = models.BigIntegerField(_("booking"))
    rule_id = models.IntegerField(_("earning rule"), null=True)
    amount = models.IntegerField(_("points"))
    pending = models.IntegerField(_("pending"), default=0, db_default=0)
    active = models.IntegerField(_("active"), default=0, db_default=0)
    locked = models.IntegerField(_("locked"), default=0, db_default=0)
    spent = models.IntegerField(_("spent"), default=0, db_default=0)
    expired = models.IntegerField(_("expired"), default=0, db_default=0)
    reversed = models.IntegerField(_("reversed"), default=0, db_default=0)
    moved = models.IntegerField(_("moved"), default=0, db_default=0)
    earned_at = models.DateTimeField(_("earned at"))
    releases_at = models.DateTimeField(_("released at"), null=True)
    expires_at = models.DateTimeField(_("expires at"), null=True)
    open = models.BooleanField(default=True, db_default=True)
    awaits = models.TextField(_("waits for"), null=True)
    lapses = models.BooleanField(default=False, db_default=False)
    line_numbers = ArrayField(models.SmallIntegerField(), null=True)
    parts = ArrayField(models.IntegerField(), null=True)

    class Meta:
        db_table = "lot"
        verbose_name = _("lot")
        verbose_name_plural = _("lots")
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, pending__gte=0, active__gte=0, locked__gte=0, spent__gte=0)
                & Q(expired__gte=0, reversed__gte=0),
                name="lot_parts",
            ),
            models.CheckConstraint(
                condition=Q(
                    amount=F("pending")
                    + F("active")
                    + F("locked")
                    + F("spent")
                    + F("expired")
                    + F("reversed")
                    + F("moved")
                ),
                name="lot_conserved",
            ),
        ]
        # None of these columns changes while a lot is only partly used, so such updates touch no index.
        indexes = [
            models.Index(fields=["member_id", "wallet_id"], name="lot_member"),
            models.Index(fields=["booking_id"], name="lot_booking"),
            models.Index(fields=["releases_at"], name="lot_releases", condition=Q(pending__gt=0)),
            models.Index(fields=["expires_at"], name="lot_expires", condition=Q(open=True, expires_at__isnull=False)),
            models.Index(fields=["member_id"], name="lot_awaits", condition=Q(awaits__isnull=False, pending__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.amount} #{self.pk}"


class Entry(models.Model):
    """One line of the ledger: `amount` points leave one account and reach another (`names.ACCOUNTS`)."""

    booking_id = models.BigIntegerField(_("booking"))
    member_id = models.BigIntegerField(_("member"))
    wallet_id = models.IntegerField(_("wallet"))
    lot_id = models.BigIntegerField(_("lot"), null=True)
    from_account = models.SmallIntegerField(_("from"))
    to_account = models.SmallIntegerField(_("to"))
    amount = models.IntegerField(_("points"))
    at = models.DateTimeField(_("at"))

    class Meta:
        db_table = "entry"
        verbose_name = _("entry")
        verbose_name_plural = _("entries")
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0) & ~Q(from_account=F("to_account")), name="entry_moves_something"
            )
        ]
        indexes = [
            models.Index(fields=["member_id", "id"], name="entry_member"),
            models.Index(fields=["booking_id"], name="entry_booking"),
        ]

    def __str__(self) -> str:
        return f"{self.from_account} -> {self.to_account}: {self.amount}"


class Hold(models.Model):
    """Points locked for a while, until they are captured or let go."""

    booking_id = models.BigIntegerField(primary_key=True)
    member_id = models.BigIntegerField(_("member"))
    wallet_id = models.IntegerField(_("wallet"))
    amount = models.IntegerField(_("points"))
    ends_at = models.DateTimeField(_("ends at"))
    settled_by = models.BigIntegerField(null=True)

    class Meta:
        db_table = "hold"
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        indexes = [
            models.Index(fields=["ends_at"], name="hold_open", condition=Q(settled_by__isnull=True)),
            models.Index(fields=["member_id"], name="hold_member"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} #{self.pk}"


class Adjustment(models.Model):
    """Points that somebody wants to give or take by hand: asked by one, decided by another."""

    class State(models.TextChoices):
        REQUESTED = "requested", _("requested")
        APPROVED = "approved", _("approved")
        REJECTED = "rejected", _("rejected")

    member_id = models.BigIntegerField(_("member"))
    wallet = models.ForeignKey(
        Wallet, on_delete=models.DO_NOTHING, verbose_name=_("wallet"), db_constraint=False, db_index=False
    )
    points = models.IntegerField(_("points"))
    reason = models.TextField(_("reason"), null=True)
    state = models.TextField(_("state"), choices=State, default=State.REQUESTED)
    requested_by = models.TextField(_("requested by"), null=True)
    requested_at = models.DateTimeField(_("requested at"))
    decided_by = models.TextField(_("decided by"), null=True)
    decided_at = models.DateTimeField(_("decided at"), null=True)
    booking_id = models.BigIntegerField(_("booking"), null=True)

    class Meta:
        db_table = "points_adjustment"
        verbose_name = _("adjustment")
        verbose_name_plural = _("adjustments")
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["requested", "approved", "rejected"]), name="points_adjustment_state"
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("requested_by")),
                name="points_adjustment_four_eyes",
            ),
        ]
        indexes = [models.Index(fields=["member_id"], name="points_adjustment_member")]

    def __str__(self) -> str:
        return f"{self.points:+d}"
