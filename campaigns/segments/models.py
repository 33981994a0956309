"""Segments and who is in them."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Segment(models.Model):
    """A rule and, beside it, its members.

    `rebuild_at` is when the next full build is due (NULL: none, changes are followed one by one). `checked_at` is the
    instant up to which moving windows were followed: who had dropped out of "the last 90 days" by then has left.
    `ahead`: there were events dated later than that. `problem` is why the last build failed. `foreseen_until`: up to
    when `segment_foreseen` names everybody whose answer the clock alone may change. `settle_xid`: see `settling`.
    """

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"), unique=True)
    name = models.JSONField(_("name"), default=dict)
    description = models.TextField(_("description"), null=True)
    rule = models.JSONField(_("rule"))
    digest = models.TextField()
    member_count = models.BigIntegerField(_("members"), null=True)
    built_at = models.DateTimeField(_("built at"), null=True)
    rebuild_at = models.DateTimeField(_("full build due"), null=True)
    checked_at = models.DateTimeField(_("windows followed until"), null=True)
    ahead = models.BooleanField(default=False)
    build_ms = models.IntegerField(_("build time in ms"), null=True)
    problem = models.TextField(_("problem"), null=True)
    foreseen_until = models.DateTimeField(null=True)
    settle_xid = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    updated_at = models.DateTimeField(_("updated at"), db_default=Now())

    class Meta:
        db_table = "segment"
        verbose_name = _("segment")
        verbose_name_plural = _("segments")

    def __str__(self) -> str:
        return self.key


class SegmentMember(models.Model):
    """That a customer is in a segment, and since when."""

    pk = models.CompositePrimaryKey("segment_id", "customer_id")
    segment_id = models.IntegerField()
    customer_id = models.BigIntegerField()
    since = models.DateTimeField(_("since"))

    class Meta:
        db_table = "segment_member"
        verbose_name = _("member")
        verbose_name_plural = _("members")
        indexes = [models.Index(fields=["customer_id"], name="segment_member_customer")]

    def __str__(self) -> str:
        return f"{self.segment_id}: {self.customer_id}"


class PastMember(models.Model):
    """That a customer was in a segment from `since` until just before `until`. Who is in now stands in SegmentMember
    only, so joining costs nothing here.
    """

    pk = models.CompositePrimaryKey("segment_id", "customer_id", "since")
    segment_id = models.IntegerField()
    customer_id = models.BigIntegerField()
    since = models.DateTimeField(_("since"))
    until = models.DateTimeField(_("until"))

    class Meta:
        db_table = "segment_past"
        verbose_name = _("past membership")
        verbose_name_plural = _("past memberships")
        indexes = [models.Index(fields=["customer_id"], name="segment_past_customer")]
        constraints = [
            models.CheckConstraint(name="segment_past_lasts", condition=models.Q(until__gt=models.F("since")))
        ]

    def __str__(self) -> str:
        return f"{self.segment_id}: {self.customer_id}"


class SegmentSize(models.Model):
    """How many members a segment had at the end of an hour (UTC) in which somebody moved, and how many moved in it."""

    pk = models.CompositePrimaryKey("segment_id", "hour")
    segment_id = models.IntegerField()
    hour = models.DateTimeField(_("hour"))
    members = models.BigIntegerField(_("members"))
    joined = models.BigIntegerField(_("joined"))
    left = models.BigIntegerField(_("left"))

    class Meta:
        db_table = "segment_size"
        verbose_name = _("segment size")
        verbose_name_plural = _("segment sizes")

    def __str__(self) -> str:
        return f"{self.segment_id}: {self.members}"


class SegmentDefinition(models.Model):
    """The rule a segment had from `at` on: members who moved then moved because of it."""

    id = models.BigAutoField(primary_key=True)
    segment_id = models.IntegerField()
    at = models.DateTimeField(_("at"))
    rule = models.JSONField(_("rule"))

    class Meta:
        db_table = "segment_definition"
        verbose_name = _("definition of a segment")
        verbose_name_plural = _("definitions of segments")
        indexes = [models.Index(fields=["segment_id", "at"], name="segment_definition_segment")]

    def __str__(self) -> str:
        return f"{self.segment_id}: {self.at}"


class Foreseen(models.Model):
    """A customer whose answer the clock alone may change before the segment's `foreseen_until`."""

    pk = models.CompositePrimaryKey("segment_id", "customer_id")
    segment_id = models.IntegerField()
    customer_id = models.BigIntegerField()

    class Meta:
        db_table = "segment_foreseen"
        verbose_name = _("foreseen change")
        verbose_name_plural = _("foreseen changes")

    def __str__(self) -> str:
        return f"{self.segment_id}: {self.customer_id}"


class CustomerList(models.Model):
    """A list of people that somebody keeps by hand or by file; rules ask for it with `{list: key}`."""

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"), unique=True)
    name = models.JSONField(_("name"), default=dict, db_default={})
    description = models.TextField(_("description"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    updated_at = models.DateTimeField(_("updated at"), db_default=Now())

    class Meta:
        db_table = "customer_list"
        verbose_name = _("list")
        verbose_name_plural = _("lists")

    def __str__(self) -> str:
        return self.key


class CustomerListMember(models.Model):
    """That a customer stands on a list, since when, and who put them there (`source`)."""

    pk = models.CompositePrimaryKey("list_id", "customer_id")
    list_id = models.IntegerField()
    customer_id = models.BigIntegerField()
    added_at = models.DateTimeField(_("added at"))
    source = models.TextField(_("source"))

    class Meta:
        db_table = "customer_list_member"
        verbose_name = _("person on a list")
        verbose_name_plural = _("people on lists")
        indexes = [models.Index(fields=["customer_id"], name="customer_list_member_customer")]

    def __str__(self) -> str:
        return f"{self.list_id}: {self.customer_id}"
