"""Partners of the program: their shops and prices, who is known to them, what was passed on, and the money between us.

`settlement_entry` follows the points ledger at its pace and has no foreign keys in the database, as `partner_transfer`.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.program.models import Program


class Partner(models.Model):
    """A company that takes part in the program; `definition` is its document. Points of `wallet_id` are settled."""

    class State(models.TextChoices):
        ACTIVE = "active", _("active")
        ENDED = "ended", _("ended")

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"))
    program = models.ForeignKey(Program, on_delete=models.DO_NOTHING, verbose_name=_("program"))
    wallet_id = models.IntegerField(_("wallet"))
    name = models.JSONField(_("name"), default=dict)
    state = models.TextField(_("state"), choices=State, default=State.ACTIVE)
    timezone = models.TextField()
    definition = models.JSONField(default=dict)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        db_table = "partner"
        verbose_name = _("partner")
        verbose_name_plural = _("partners")
        constraints = [
            models.UniqueConstraint(fields=["key"], name="partner_key"),
            models.CheckConstraint(condition=Q(state__in=["active", "ended"]), name="partner_state"),
        ]

    def __str__(self) -> str:
        return self.key


class PartnerStore(models.Model):
    """A shop, as receipts name it, is one partner's."""

    program = models.ForeignKey(Program, on_delete=models.DO_NOTHING, db_index=False)
    partner = models.ForeignKey(Partner, on_delete=models.CASCADE)
    store = models.TextField(_("store"))

    class Meta:
        db_table = "partner_store"
        verbose_name = _("store of a partner")
        verbose_name_plural = _("stores of partners")
        constraints = [models.UniqueConstraint(fields=["program", "store"], name="partner_store_one")]

    def __str__(self) -> str:
        return self.store


class PartnerRate(models.Model):
    """Prices of a point from a day on: `earn` the partner pays, `burn` it gets; `fee` is percent of what it pays."""

    partner = models.ForeignKey(Partner, on_delete=models.CASCADE, db_index=False)
    starts_on = models.DateField(_("from"))
    earn = models.DecimalField(_("earn"), max_digits=10, decimal_places=6)
    burn = models.DecimalField(_("burn"), max_digits=10, decimal_places=6)
    fee = models.DecimalField(_("fee"), max_digits=5, decimal_places=2)

    class Meta:
        db_table = "partner_rate"
        verbose_name = _("rate")
        verbose_name_plural = _("rates")
        constraints = [models.UniqueConstraint(fields=["partner", "starts_on"], name="partner_rate_day")]

    def __str__(self) -> str:
        return f"{self.starts_on}: {self.earn} / {self.burn}"


class PartnerKey(models.Model):
    """An API key that speaks for a partner and for nobody else."""

    api_key_id = models.BigIntegerField(primary_key=True)
    partner = models.ForeignKey(Partner, on_delete=models.CASCADE)

    class Meta:
        db_table = "partner_api_key"
        verbose_name = _("key of a partner")
        verbose_name_plural = _("keys of partners")

    def __str__(self) -> str:
        return f"{self.partner_id}: {self.api_key_id}"


class PartnerLink(models.Model):
    """A customer is known to a partner; `enrolled`: the partner itself brought this person into the program."""

    partner = models.ForeignKey(Partner, on_delete=models.CASCADE, db_index=False)
    customer_id = models.BigIntegerField(_("customer"))
    enrolled = models.BooleanField(_("enrolled there"))
    since = models.DateTimeField(_("since"))

    class Meta:
        db_table = "partner_link"
        verbose_name = _("person known to a partner")
        verbose_name_plural = _("people known to partners")
        constraints = [models.UniqueConstraint(fields=["customer_id", "partner"], name="partner_link_one")]
        indexes = [models.Index(fields=["partner", "id"], name="partner_link_of")]

    def __str__(self) -> str:
        return f"{self.partner_id}: {self.customer_id}"


class PartnerConsent(models.Model):
    """Somebody agreed, or no longer agrees, that a partner gets their data; rows are only added."""

    partner = models.ForeignKey(Partner, on_delete=models.CASCADE, db_index=False)
    customer_id = models.BigIntegerField(_("customer"))
    granted = models.BooleanField(_("granted"))
    at = models.DateTimeField(_("at"))
    recorded_at = models.DateTimeField(_("recorded at"))
    source = models.TextField(_("source"))
    text_version = models.TextField(_("text version"), null=True)

    class Meta:
        db_table = "partner_consent"
        verbose_name = _("consent to pass on")
        verbose_name_plural = _("consents to pass on")
        indexes = [models.Index(fields=["customer_id", "partner", "-at"], name="partner_consent_of")]

    def __str__(self) -> str:
        return f"{self.partner_id}: {self.customer_id}"


class PartnerTransfer(models.Model):
    """What was passed on to a partner about somebody: the names of the fields, never their values."""

    partner = models.ForeignKey(Partner, on_delete=models.DO_NOTHING, db_constraint=False, verbose_name=_("partner"))
    customer_id = models.BigIntegerField(_("customer"))
    at = models.DateTimeField(_("at"))
    fields = ArrayField(models.TextField(), verbose_name=_("fields"))
    occasion = models.TextField(_("occasion"))
    api_key_id = models.BigIntegerField(_("API key"), null=True)

    class Meta:
        db_table = "partner_transfer"
        verbose_name = _("transfer")
        verbose_name_plural = _("transfers")
        indexes = [models.Index(fields=["customer_id"], name="partner_transfer_customer")]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Statement(models.Model):
    """A month's bill: what the partner owes us (`gross` over 0) or we owe it. Never changed once it is made."""

    partner = models.ForeignKey(Partner, on_delete=models.DO_NOTHING, verbose_name=_("partner"))
    number = models.TextField(_("number"))
    month = models.DateField(_("month"))
    lines = models.JSONField(default=list)
    net = models.DecimalField(_("net"), max_digits=14, decimal_places=2)
    tax = models.DecimalField(_("tax"), max_digits=14, decimal_places=2)
    gross = models.DecimalField(_("amount"), max_digits=14, decimal_places=2)
    currency = models.TextField(_("currency"))
    made_at = models.DateTimeField(_("made at"))

    class Meta:
        db_table = "partner_statement"
        verbose_name = _("statement")
        verbose_name_plural = _("statements")
        constraints = [
            models.UniqueConstraint(fields=["number"], name="partner_statement_number"),
            models.UniqueConstraint(fields=["partner", "month"], name="partner_statement_month"),
            models.CheckConstraint(condition=Q(gross=F("net") + F("tax")), name="partner_statement_sum"),
        ]

    def __str__(self) -> str:
        return self.number


class SettlementEntry(models.Model):
    """One line of the settlement ledger: `amount` leaves one account and reaches another (`names.ACCOUNTS`).

    A booking of points brings about at most one entry of each kind.
    """

    partner_id = models.IntegerField(_("partner"))
    booking_id = models.BigIntegerField(_("booking"), null=True)
    kind = models.SmallIntegerField(_("kind"))
    at = models.DateTimeField(_("at"))
    points = models.BigIntegerField(_("points"), null=True)
    rate = models.DecimalField(_("rate"), max_digits=12, decimal_places=6, null=True)
    from_account = models.SmallIntegerField(_("from"))
    to_account = models.SmallIntegerField(_("to"))
    amount = models.DecimalField(_("amount"), max_digits=24, decimal_places=10)
    statement_id = models.BigIntegerField(_("statement"), null=True)
    reference = models.TextField(_("reference"), null=True)
    actor = models.TextField(_("by"), null=True)

    class Meta:
        db_table = "settlement_entry"
        verbose_name = _("settlement entry")
        verbose_name_plural = _("settlement entries")
        constraints = [
            models.UniqueConstraint(
                fields=["booking_id", "kind"], name="settlement_entry_once", condition=Q(booking_id__isnull=False)
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0) & ~Q(from_account=F("to_account")), name="settlement_entry_moves_something"
            ),
        ]
        indexes = [
            models.Index(
                fields=["partner_id", "at"], name="settlement_entry_unbilled", condition=Q(statement_id__isnull=True)
            ),
            models.Index(
                fields=["statement_id"], name="settlement_entry_billed", condition=Q(statement_id__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_account} -> {self.to_account}: {self.amount}"


class ForeignProgram(models.Model):
    """A program of somebody else whose balances are mirrored; `definition` is its document."""

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"))
    program = models.ForeignKey(Program, on_delete=models.DO_NOTHING, verbose_name=_("program"))
    wallet_id = models.IntegerField(_("wallet"))
    name = models.JSONField(_("name"), default=dict)
    definition = models.JSONField(default=dict)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        db_table = "foreign_program"
        verbose_name = _("foreign program")
        verbose_name_plural = _("foreign programs")
        constraints = [models.UniqueConstraint(fields=["key"], name="foreign_program_key")]

    def __str__(self) -> str:
        return self.key


class ForeignAccount(models.Model):
    """An account in a foreign program: whose it is, as far as we know, and what is on it. `moved` of its points have
    become ours."""

    foreign = models.ForeignKey(
        ForeignProgram, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, verbose_name=_("program")
    )
    customer_id = models.BigIntegerField(_("customer"), null=True)
    number = models.TextField(_("number"))
    balance = models.BigIntegerField(_("balance"))
    moved = models.BigIntegerField(_("moved over"), default=0, db_default=0)
    as_of = models.DateTimeField(_("as of"))
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        db_table = "foreign_account"
        verbose_name = _("foreign account")
        verbose_name_plural = _("foreign accounts")
        constraints = [
            models.UniqueConstraint(fields=["foreign", "number"], name="foreign_account_number"),
            models.CheckConstraint(condition=Q(balance__gte=0, moved__gte=0), name="foreign_account_sane"),
        ]
        indexes = [
            models.Index(
                fields=["customer_id"], name="foreign_account_customer", condition=Q(customer_id__isnull=False)
            )
        ]

    def __str__(self) -> str:
        return self.number
