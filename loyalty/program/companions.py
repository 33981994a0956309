"""Tables beside the ledger: what others ordered, households, referrals, members to look into."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class PointsOrder(models.Model):
    """Something a flow (or a list of people) wants done with points; written in the flow's own transaction and carried
    out by the next chore, which locks the members in the ledger's order.

    `key` makes it happen once; of one instant, the lower `position` comes first. `refusal` says why it was not done.
    """

    class Kind(models.TextChoices):
        AWARD = "award", _("award")
        SPEND = "spend", _("spend")
        LOCK = "lock", _("lock")
        TIER = "tier", _("tier")

    program = models.ForeignKey(
        "program.Program", on_delete=models.DO_NOTHING, verbose_name=_("program"), db_constraint=False, db_index=False
    )
    wallet_id = models.IntegerField(_("wallet"), null=True)
    customer_id = models.BigIntegerField(_("customer"))
    kind = models.TextField(_("kind"), choices=Kind)
    points = models.IntegerField(_("points"), null=True)
    lasts = models.BigIntegerField(_("seconds"), null=True)
    tier_id = models.IntegerField(_("tier"), null=True)
    reason = models.TextField(_("reason"), null=True)
    source = models.TextField(_("source"))
    key = models.UUIDField()
    wanted_at = models.DateTimeField(_("wanted at"))
    position = models.SmallIntegerField(default=0, db_default=0)
    settled_at = models.DateTimeField(_("settled at"), null=True)
    refusal = models.TextField(_("refused because"), null=True)

    class Meta:
        db_table = "points_order"
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        constraints = [
            models.UniqueConstraint(fields=["key"], name="points_order_key"),
            models.CheckConstraint(
                condition=Q(kind="tier") | Q(points__gt=0, wallet_id__isnull=False), name="points_order_points"
            ),
        ]
        indexes = [
            models.Index(fields=["program", "id"], name="points_order_open", condition=Q(settled_at__isnull=True)),
            models.Index(fields=["customer_id"], name="points_order_customer"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"


class Household(models.Model):
    """Members who spend from one purse; each keeps the own ledger. `monthly_limit`: the most that somebody who is not
    its owner takes from the others in a month."""

    program = models.ForeignKey(
        "program.Program", on_delete=models.DO_NOTHING, verbose_name=_("program"), db_constraint=False, db_index=False
    )
    name = models.TextField(_("name"), null=True)
    monthly_limit = models.IntegerField(_("limit a month"), null=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        db_table = "household"
        verbose_name = _("household")
        verbose_name_plural = _("households")

    def __str__(self) -> str:
        return self.name or f"#{self.pk}"


class HouseholdMember(models.Model):
    """Who is in a household, and what they may do there: a `child` collects and does not spend."""

    class Role(models.TextChoices):
        OWNER = "owner", _("owner")
        ADULT = "adult", _("adult")
        CHILD = "child", _("child")

    member_id = models.BigIntegerField(_("member"), primary_key=True)
    household = models.ForeignKey(Household, on_delete=models.DO_NOTHING, verbose_name=_("household"))
    role = models.TextField(_("role"), choices=Role, default=Role.ADULT)
    joined_at = models.DateTimeField(_("joined at"))

    class Meta:
        db_table = "household_member"
        verbose_name = _("member of a household")
        verbose_name_plural = _("members of households")
        constraints = [
            models.CheckConstraint(condition=Q(role__in=["owner", "adult", "child"]), name="household_member_role"),
            models.UniqueConstraint(fields=["household"], name="household_one_owner", condition=Q(role="owner")),
        ]

    def __str__(self) -> str:
        return f"{self.role} #{self.pk}"


class ReferralCode(models.Model):
    """What a member passes on to friends."""

    member_id = models.BigIntegerField(_("member"), primary_key=True)
    code = models.TextField(_("code"))
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        db_table = "referral_code"
        verbose_name = _("referral code")
        verbose_name_plural = _("referral codes")
        constraints = [models.UniqueConstraint(fields=["code"], name="referral_code_code")]

    def __str__(self) -> str:
        return self.code


class Referral(models.Model):
    """A friend who came with a member's code. `doubt`: why somebody should look before points are given."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting for a purchase")
        DOUBTFUL = "doubtful", _("to be looked at")
        REWARDED = "rewarded", _("rewarded")
        REFUSED = "refused", _("refused")

    program = models.ForeignKey(
        "program.Program", on_delete=models.DO_NOTHING, verbose_name=_("program"), db_constraint=False, db_index=False
    )
    referrer_id = models.BigIntegerField(_("member who referred"))
    friend_id = models.BigIntegerField(_("friend's member"))
    state = models.TextField(_("state"), choices=State, default=State.WAITING)
    doubt = models.TextField(_("doubt"), null=True)
    came_at = models.DateTimeField(_("came at"))
    decided_at = models.DateTimeField(_("decided at"), null=True)
    decided_by = models.TextField(_("decided by"), null=True)

    class Meta:
        db_table = "referral"
        verbose_name = _("referral")
        verbose_name_plural = _("referrals")
        constraints = [
            models.UniqueConstraint(fields=["friend_id"], name="referral_friend"),
            models.CheckConstraint(condition=~Q(referrer_id=F("friend_id")), name="referral_of_another"),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "doubtful", "rewarded", "refused"]), name="referral_state"
            ),
        ]
        indexes = [
            models.Index(fields=["referrer_id", "came_at"], name="referral_referrer"),
            models.Index(fields=["program", "came_at"], name="referral_waiting", condition=Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Review(models.Model):
    """A member whose bookings came faster than the program allows; somebody decides."""

    class State(models.TextChoices):
        OPEN = "open", _("open")
        CLEARED = "cleared", _("cleared")
        FROZEN = "frozen", _("frozen")

    program = models.ForeignKey(
        "program.Program", on_delete=models.DO_NOTHING, verbose_name=_("program"), db_constraint=False, db_index=False
    )
    member_id = models.BigIntegerField(_("member"))
    cap = models.TextField(_("limit"))
    counted = models.IntegerField(_("counted"))
    opened_at = models.DateTimeField(_("opened at"))
    state = models.TextField(_("state"), choices=State, default=State.OPEN)
    decided_by = models.TextField(_("decided by"), null=True)
    decided_at = models.DateTimeField(_("decided at"), null=True)

    class Meta:
        db_table = "member_review"
        verbose_name = _("member to look into")
        verbose_name_plural = _("members to look into")
        constraints = [
            models.UniqueConstraint(fields=["member_id", "cap"], name="member_review_open", condition=Q(state="open")),
            models.CheckConstraint(condition=Q(state__in=["open", "cleared", "frozen"]), name="member_review_state"),
        ]
        indexes = [models.Index(fields=["member_id", "cap", "opened_at"], name="member_review_member")]

    def __str__(self) -> str:
        return f"#{self.member_id}: {self.cap}"


class BookingMark(models.Model):
    """How far the bookings of a program were looked at for a purpose."""

    pk = models.CompositePrimaryKey("program_id", "purpose")
    program_id = models.IntegerField(_("program"))
    purpose = models.TextField(_("purpose"))
    booking_id = models.BigIntegerField(_("booking"))

    class Meta:
        db_table = "booking_mark"
        verbose_name = _("mark")
        verbose_name_plural = _("marks")

    def __str__(self) -> str:
        return f"{self.purpose}: {self.booking_id}"
