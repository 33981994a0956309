"""Paid memberships: plans, who ordered which, what is due for it, what people declare (cancel, withdraw).

Money is collected elsewhere: a charge says what is due, others say what became of it. Subscriptions name customers; of
somebody who was forgotten the amounts stay.
"""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from loyalty.program.models import Program
from loyalty.subscriptions import names


class Plan(models.Model):
    """A membership that is sold; `definition` is its document. Contracts keep the terms they were ordered with."""

    class State(models.TextChoices):
        ACTIVE = "active", _("on sale")
        PAUSED = "paused", _("not on sale")

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"))
    program = models.ForeignKey(Program, on_delete=models.DO_NOTHING, verbose_name=_("program"))
    state = models.TextField(_("state"), choices=State, default=State.ACTIVE)
    name = models.JSONField(_("name"), default=dict)
    definition = models.JSONField(default=dict)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        db_table = "plan"
        verbose_name = _("membership plan")
        verbose_name_plural = _("membership plans")
        constraints = [
            models.UniqueConstraint(fields=["key"], name="plan_key"),
            models.CheckConstraint(condition=Q(state__in=["active", "paused"]), name="plan_state"),
        ]

    def __str__(self) -> str:
        return self.key


class Subscription(models.Model):
    """One contract. `terms` is the plan's document as it was ordered, `evidence` what the page said and who pressed.

    Paid periods are counted in months from `anchor_at`; `term_ends_at` ends the period that runs (or the trial).
    `ends_at` is the last instant once it is cancelled. `tier_given`: the member has the plan's tier by this contract.
    """

    class State(models.TextChoices):
        ORDERED = "ordered", _("waits for the first payment")
        TRIAL = "trial", _("on trial")
        ACTIVE = "active", _("active")
        PAST_DUE = "past_due", _("payment overdue")
        CANCELLED = "cancelled", _("cancelled, runs to its end")
        ENDED = "ended", _("ended")
        WITHDRAWN = "withdrawn", _("withdrawn")

    number = models.TextField(_("contract"))
    plan = models.ForeignKey(
        Plan, on_delete=models.DO_NOTHING, verbose_name=_("plan"), db_constraint=False, db_index=False
    )
    program_id = models.IntegerField()
    customer_id = models.BigIntegerField(_("customer"), null=True)
    state = models.TextField(_("state"), choices=State)
    state_since = models.DateTimeField(_("since"))
    terms = models.JSONField(default=dict)
    evidence = models.JSONField(default=dict)
    fee = models.DecimalField(pgettext_lazy("membership", "fee"), max_digits=12, decimal_places=2)
    currency = models.TextField(_("currency"))
    months = models.SmallIntegerField(_("months of a period"))
    zone = models.TextField()
    ordered_at = models.DateTimeField(_("ordered at"))
    early_start = models.BooleanField(default=False)
    withdraw_until = models.DateTimeField(_("can be withdrawn until"))
    trial_ends_at = models.DateTimeField(_("trial ends at"), null=True)
    anchor_at = models.DateTimeField()
    anchor_months = models.SmallIntegerField(default=0, db_default=0)
    first_term_ends_at = models.DateTimeField(_("first term ends at"))
    term_ends_at = models.DateTimeField(_("period ends at"))
    past_due_since = models.DateTimeField(_("overdue since"), null=True)
    reminded_for = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(_("cancelled at"), null=True)
    ends_at = models.DateTimeField(_("ends at"), null=True)
    ended_at = models.DateTimeField(_("ended at"), null=True)
    end_reason = models.TextField(_("why it ended"), null=True)
    tier_given = models.BooleanField(default=False, db_default=False)
    offered_fee = models.DecimalField(_("new fee offered"), max_digits=12, decimal_places=2, null=True)
    offered_at = models.DateTimeField(_("offered at"), null=True)
    source = models.TextField(_("source"))
    key_digest = models.UUIDField(null=True)

    class Meta:
        db_table = "subscription"
        verbose_name = _("paid membership")
        verbose_name_plural = _("paid memberships")
        constraints = [
            models.UniqueConstraint(fields=["number"], name="subscription_number"),
            models.UniqueConstraint(fields=["key_digest"], name="subscription_key"),
            models.CheckConstraint(condition=Q(state__in=names.STATES), name="subscription_state"),
            models.CheckConstraint(condition=Q(fee__gt=0, months__in=[1, 12]), name="subscription_fee"),
            models.CheckConstraint(
                condition=~Q(state=names.CANCELLED) | Q(ends_at__isnull=False, cancelled_at__isnull=False),
                name="subscription_cancelled",
            ),
        ]
        indexes = [
            models.Index(fields=["customer_id"], name="subscription_customer", condition=Q(customer_id__isnull=False)),
            models.Index(fields=["plan", "id"], name="subscription_plan"),
            models.Index(fields=["term_ends_at"], name="subscription_term", condition=Q(state__in=names.RUNNING)),
        ]

    def __str__(self) -> str:
        return self.number


class Charge(models.Model):
    """Money that is due: a fee for a period, or what goes back. `attempts` counts the payments that failed.

    Each month of a paid period brings benefits: `benefit_month` of them have, the next does at `benefit_at`.
    """

    class Kind(models.TextChoices):
        FEE = "fee", pgettext_lazy("membership", "fee")
        REFUND = "refund", _("refund")

    class State(models.TextChoices):
        DUE = "due", _("due")
        PAID = "paid", _("paid")
        FAILED = "failed", _("failed")
        VOID = "void", _("dropped")

    subscription = models.ForeignKey(
        Subscription, on_delete=models.DO_NOTHING, verbose_name=_("contract"), db_constraint=False, db_index=False
    )
    kind = models.TextField(_("kind"), choices=Kind)
    number = models.SmallIntegerField(_("number"))
    period_start = models.DateTimeField(_("from"))
    period_end = models.DateTimeField(_("to"))
    amount = models.DecimalField(_("amount"), max_digits=12, decimal_places=2)
    currency = models.TextField(_("currency"))
    due_at = models.DateTimeField(_("due at"))
    state = models.TextField(_("state"), choices=State, default=State.DUE)
    attempts = models.SmallIntegerField(_("failed attempts"), default=0, db_default=0)
    failed_at = models.DateTimeField(_("failed at"), null=True)
    paid_at = models.DateTimeField(_("paid at"), null=True)
    reference = models.TextField(_("reference"), null=True)
    reason = models.TextField(_("reason"), null=True)
    benefit_month = models.SmallIntegerField(default=0, db_default=0)
    benefit_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "subscription_charge"
        verbose_name = _("charge")
        verbose_name_plural = _("charges")
        constraints = [
            models.UniqueConstraint(fields=["subscription", "kind", "number"], name="subscription_charge_once"),
            models.CheckConstraint(condition=Q(kind__in=["fee", "refund"]), name="subscription_charge_kind"),
            models.CheckConstraint(condition=Q(state__in=names.CHARGE_STATES), name="subscription_charge_state"),
            models.CheckConstraint(
                condition=Q(amount__gt=0, period_end__gt=F("period_start")), name="subscription_charge_amount"
            ),
            models.CheckConstraint(
                condition=~Q(state="paid") | Q(paid_at__isnull=False), name="subscription_charge_paid"
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], name="subscription_charge_open", condition=Q(state__in=names.OPEN)),
            models.Index(fields=["paid_at"], name="subscription_charge_paid_at", condition=Q(paid_at__isnull=False)),
            models.Index(
                fields=["benefit_at"],
                name="subscription_charge_benefit",
                condition=Q(state="paid", benefit_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class ChargeReport(models.Model):
    """What was told about a charge, once for each reference: a payment that failed, or came."""

    charge_id = models.BigIntegerField(_("charge"))
    outcome = models.TextField(_("outcome"))
    reference = models.TextField(_("reference"))
    reason = models.TextField(_("reason"), null=True)
    at = models.DateTimeField(_("at"))
    actor = models.TextField(_("by"), null=True)

    class Meta:
        db_table = "subscription_report"
        verbose_name = _("report of a payment")
        verbose_name_plural = _("reports of payments")
        constraints = [
            models.UniqueConstraint(fields=["charge_id", "outcome", "reference"], name="subscription_report_once")
        ]

    def __str__(self) -> str:
        return f"{self.outcome} {self.reference}"


class Benefit(models.Model):
    """What a contract brought in a month of a paid period: points, or a voucher (`reference` is its id)."""

    subscription_id = models.BigIntegerField(_("contract"))
    charge_id = models.BigIntegerField(_("charge"))
    month = models.SmallIntegerField(_("month"))
    kind = models.TextField(_("kind"))
    place = models.SmallIntegerField(default=0)
    quantity = models.IntegerField(_("quantity"))
    worth = models.DecimalField(_("worth"), max_digits=12, decimal_places=2, null=True)
    reference = models.BigIntegerField(null=True)
    at = models.DateTimeField(_("at"))

    class Meta:
        db_table = "subscription_benefit"
        verbose_name = _("benefit")
        verbose_name_plural = _("benefits")
        constraints = [
            models.UniqueConstraint(fields=["charge_id", "month", "kind", "place"], name="subscription_benefit_once")
        ]
        indexes = [models.Index(fields=["subscription_id"], name="subscription_benefit_of")]

    def __str__(self) -> str:
        return f"{self.kind} {self.quantity}"


class Declaration(models.Model):
    """A cancellation or a withdrawal as it was declared on the public page, kept as it came in.

    `customer_id` is who gets the receipt; `subscription_id` the contract it belongs to, once that is known.
    """

    class Kind(models.TextChoices):
        CANCEL = "cancel", _("cancellation")
        WITHDRAW = "withdraw", _("withdrawal")

    class State(models.TextChoices):
        WAITING = "waiting", _("just came in")
        DONE = "done", _("carried out")
        UNMATCHED = "unmatched", _("somebody must look")
        SETTLED = "settled", _("settled by hand")

    kind = models.TextField(_("kind"), choices=Kind)
    state = models.TextField(_("state"), choices=State, default=State.WAITING)
    received_at = models.DateTimeField(_("received at"))
    name = models.TextField(_("name"), null=True)
    email = models.TextField(_("email"), null=True)
    contract = models.TextField(_("contract as written"), null=True)
    extraordinary = models.BooleanField(_("for good cause"), default=False)
    reason = models.TextField(_("reason"), null=True)
    wished_end = models.DateField(_("wished end"), null=True)
    locale = models.TextField(null=True)
    source = models.TextField(_("source"))
    customer_id = models.BigIntegerField(_("customer"), null=True)
    subscription = models.ForeignKey(
        Subscription, on_delete=models.DO_NOTHING, null=True, verbose_name=_("contract"), db_constraint=False,
        db_index=False,
    )  # fmt: skip
    settled_at = models.DateTimeField(_("settled at"), null=True)
    settled_by = models.TextField(_("settled by"), null=True)
    note = models.TextField(_("note"), null=True)

    class Meta:
        db_table = "subscription_declaration"
        verbose_name = _("cancellation or withdrawal")
        verbose_name_plural = _("cancellations and withdrawals")
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["cancel", "withdraw"]), name="subscription_declaration_kind"),
            models.CheckConstraint(
                condition=Q(state__in=names.DECLARATION_STATES), name="subscription_declaration_state"
            ),
        ]
        indexes = [
            models.Index(
                fields=["received_at"], name="subscription_declared", condition=Q(state__in=["waiting", "unmatched"])
            ),
            models.Index(fields=["customer_id"], name="subscription_declared_by"),
            models.Index(fields=["email", "received_at"], name="subscription_declared_from"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Notice(models.Model):
    """A letter to a customer that is to be sent, or was; `facts` is what it tells besides the contract."""

    kind = models.TextField(_("kind"))
    customer_id = models.BigIntegerField(_("customer"))
    subscription_id = models.BigIntegerField(_("contract"), null=True)
    declaration_id = models.BigIntegerField(null=True)
    facts = models.JSONField(default=dict)
    created_at = models.DateTimeField(_("created at"))
    sent_at = models.DateTimeField(_("sent at"), null=True)
    message_id = models.BigIntegerField(null=True)

    class Meta:
        db_table = "subscription_notice"
        verbose_name = pgettext_lazy("mail", "letter")
        verbose_name_plural = _("letters")
        constraints = [models.CheckConstraint(condition=Q(kind__in=names.LETTERS), name="subscription_notice_kind")]
        indexes = [
            models.Index(fields=["id"], name="subscription_notice_open", condition=Q(sent_at__isnull=True)),
            models.Index(fields=["customer_id"], name="subscription_notice_customer"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"
