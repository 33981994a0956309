"""Who: people, the keys they are known by, the fields that describe them."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _


class Source(models.Model):
    """Where values come from: a shop, an import, a form. Its class says how we got to know them."""

    class Class(models.TextChoices):
        ZERO = "zero", _("told by the person")
        FIRST = "first", _("observed by us")
        SECOND = "second", _("from a partner")
        THIRD = "third", _("bought")

    key = models.TextField(_("key"))
    source_class = models.TextField(_("class"), choices=Class, null=True)
    name = models.JSONField(_("name"), default=dict)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        db_table = "customer_source"
        verbose_name = _("source")
        verbose_name_plural = _("sources")
        constraints = [
            models.UniqueConstraint(fields=["key"], name="customer_source_key"),
            models.CheckConstraint(
                condition=models.Q(source_class__isnull=True)
                | models.Q(source_class__in=["zero", "first", "second", "third"]),
                name="customer_source_class",
            ),
        ]

    def __str__(self) -> str:
        return self.key


class Customer(models.Model):
    """A person as far as we know them. What is not known is NULL.

    The digests are keyed hashes of the address of the same name (`kit.digests.address_digest`); suppressions are
    compared with them, and every write keeps them in step.
    """

    external_id = models.TextField(_("external id"), null=True)
    email = models.TextField(_("email"), null=True)
    phone = models.TextField(_("phone"), null=True)
    first_name = models.TextField(_("first name"), null=True)
    last_name = models.TextField(_("last name"), null=True)
    locale = models.TextField(_("language"), null=True)
    timezone = models.TextField(_("time zone"), null=True)
    country = models.TextField(_("country"), null=True)
    city = models.TextField(_("city"), null=True)
    postcode = models.TextField(_("postcode"), null=True)
    birth_date = models.DateField(_("birth date"), null=True)
    attributes = models.JSONField(_("attributes"), default=dict, db_default={})
    email_digest = models.BinaryField(null=True)
    phone_digest = models.BinaryField(null=True)
    # Where the person came from first. No constraint: every import would pay for a check per row.
    source = models.ForeignKey(
        Source,
        on_delete=models.DO_NOTHING,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=_("source"),
    )
    # The row of a file that wrote the profile last, as a keyed hash, and when (see `seen`).
    row_digest = models.BinaryField(null=True)
    row_read_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))
    # Processing is restricted (Art. 18 GDPR): kept, but neither written to nor handed out in lists.
    restricted_at = models.DateTimeField(_("restricted since"), null=True)
    restricted_by = models.TextField(_("restricted by"), null=True)
    restricted_reason = models.TextField(_("reason of the restriction"), null=True)

    class Meta:
        db_table = "customer"
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        indexes = [
            models.Index(Lower("email"), name="customer_email"),
            models.Index(fields=["phone"], name="customer_phone", condition=models.Q(phone__isnull=False)),
            models.Index(fields=["country"], name="customer_country", condition=models.Q(country__isnull=False)),
            GinIndex(fields=["attributes"], opclasses=["jsonb_path_ops"], name="customer_attributes"),
        ]
        # A unique column would bring a second index for LIKE, which every import would pay for.
        constraints = [models.UniqueConstraint(fields=["external_id"], name="customer_external_id")]

    def __str__(self) -> str:
        name = " ".join(part for part in (self.first_name, self.last_name) if part)
        return name or self.external_id or self.email or f"#{self.pk}"


# The last one is not given by anybody: it is the external id of a customer who was joined to this one.
IDENTITY_KINDS_STORED = (
    *("card", "anonymous_id", "device", "telegram", "whatsapp", "partner", "receipt"),
    "external_id",
)


class CustomerIdentity(models.Model):
    """A further key that one customer is known by, unique within its kind."""

    class Kind(models.TextChoices):
        CARD = "card", _("card")
        ANONYMOUS_ID = "anonymous_id", _("anonymous visitor")
        DEVICE = "device", _("device")
        TELEGRAM = "telegram", _("Telegram")
        WHATSAPP = "whatsapp", _("WhatsApp")
        PARTNER = "partner", _("partner")
        RECEIPT = "receipt", _("receipt")
        FORMER_ID = "external_id", _("former external id")

    customer = models.ForeignKey(
        Customer, on_delete=models.DO_NOTHING, related_name="identities", verbose_name=_("customer")
    )
    kind = models.TextField(_("kind"), choices=Kind)
    value = models.TextField(_("value"))
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        db_table = "customer_identity"
        verbose_name = _("identity")
        verbose_name_plural = _("identities")
        constraints = [
            models.UniqueConstraint(fields=["kind", "value"], name="customer_identity_key"),
            models.CheckConstraint(
                condition=models.Q(kind__in=IDENTITY_KINDS_STORED),
                name="customer_identity_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


class Attribute(models.Model):
    """A field of customers beyond the built-in ones; `learned` when an intake brought it and its type is a guess."""

    class Type(models.TextChoices):
        TEXT = "text", _("text")
        NUMBER = "number", _("number")
        MONEY = "money", _("money")
        DATE = "date", _("date")
        BOOLEAN = "boolean", _("yes or no")
        CHOICE = "choice", _("choice")
        LIST = "list", _("list")
        GEO = "geo", _("place")

    key = models.TextField(_("key"))
    type = models.TextField(_("type"), choices=Type)
    name = models.JSONField(_("name"), default=dict)
    choices = models.JSONField(_("choices"), null=True)
    learned = models.BooleanField(_("learned"), default=False)
    source_class = models.TextField(_("source class"), choices=Source.Class, null=True)
    source = models.ForeignKey(
        Source,
        on_delete=models.DO_NOTHING,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=_("first seen in"),
    )
    purpose = models.TextField(_("purpose"), null=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        db_table = "attribute"
        verbose_name = _("attribute")
        verbose_name_plural = _("attributes")
        constraints = [
            models.UniqueConstraint(fields=["key"], name="attribute_key"),
            models.CheckConstraint(
                condition=models.Q(type__in=["text", "number", "money", "date", "boolean", "choice", "list", "geo"]),
                name="attribute_type",
            ),
            models.CheckConstraint(
                condition=~models.Q(type="choice") | models.Q(choices__isnull=False), name="attribute_choices"
            ),
            models.CheckConstraint(
                condition=models.Q(source_class__isnull=True)
                | models.Q(source_class__in=["zero", "first", "second", "third"]),
                name="attribute_source_class",
            ),
        ]

    def __str__(self) -> str:
        return self.key


class CustomerRevision(models.Model):
    """One write that changed a customer: what the changed fields held before it (null: nothing).

    A value's origin is the newest revision that names its field; a field that none names stands as the person came.
    """

    customer_id = models.BigIntegerField()
    at = models.DateTimeField(_("at"))
    source = models.ForeignKey(
        Source,
        on_delete=models.DO_NOTHING,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=_("source"),
    )
    actor = models.TextField(_("changed by"), null=True)
    reason = models.TextField(_("reason"), null=True)
    before = models.JSONField(_("before"))

    class Meta:
        db_table = "customer_revision"
        indexes = [models.Index(fields=["customer_id", "id"], name="customer_revision_customer")]

    def __str__(self) -> str:
        return f"{self.customer_id} {self.at}"


class CustomerChange(models.Model):
    """That something about a customer changed: the queue that segments work off. One row per customer and statement."""

    customer_id = models.BigIntegerField()

    class Meta:
        db_table = "customer_change"

    def __str__(self) -> str:
        return str(self.customer_id)


class CustomerMerge(models.Model):
    """Two customers became one: what both were and every row that changed hands, so that it can be undone.

    `loser` and `winner_before` are the profiles as they were; `moved` holds by table the keys of the rows that the
    winner took over, or the rows themselves where they could not stay.
    """

    winner_id = models.BigIntegerField(_("customer"))
    loser_id = models.BigIntegerField(_("joined customer"))
    merged_at = models.DateTimeField(_("joined at"))
    reason = models.TextField(_("reason"))
    actor = models.TextField(_("by"), null=True)
    loser = models.JSONField()
    winner_before = models.JSONField()
    moved = models.JSONField(default=dict)
    undone_at = models.DateTimeField(_("undone at"), null=True)
    undone_by = models.TextField(_("undone by"), null=True)

    class Meta:
        db_table = "customer_merge"
        verbose_name = _("joined customer")
        verbose_name_plural = _("joined customers")
        indexes = [
            models.Index(fields=["winner_id"], name="customer_merge_winner"),
            models.Index(fields=["loser_id"], name="customer_merge_loser"),
        ]

    def __str__(self) -> str:
        return f"#{self.loser_id} → #{self.winner_id}"


class CustomerGone(models.Model):
    """A customer who was erased or joined to another just now: rows that others were writing meanwhile are swept.

    `heir_id` is whom they belong to now, null for nobody; `seen_at` when the sweeper first saw it committed. The row
    goes when every transaction that had begun before that has ended.
    """

    customer_id = models.BigIntegerField(primary_key=True)
    heir_id = models.BigIntegerField(null=True)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "customer_gone"

    def __str__(self) -> str:
        return str(self.customer_id)


class ImportJob(models.Model):
    """One file imported with one set of options; a killed import goes on at the cursor, committed with each chunk.

    A file that was uploaded waits as DRAFT for its mapping (in `options`), then until a worker takes it.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _("being prepared")
        WAITING = "waiting", _("waiting")
        FAILED = "failed", _("failed")
        RUNNING = "running", _("running")
        FINISHED = "finished", _("finished")

    kind = models.TextField(_("kind"))
    file_name = models.TextField(_("file"))
    file_digest = models.TextField()
    options_digest = models.TextField()
    size_bytes = models.BigIntegerField(_("size in bytes"))
    cursor_bytes = models.BigIntegerField(_("bytes done"))
    cursor_line = models.BigIntegerField(_("lines done"))
    accepted = models.BigIntegerField(_("accepted"), default=0)
    created = models.BigIntegerField(_("created"), default=0)
    changed = models.BigIntegerField(_("changed"), default=0)
    rejected = models.BigIntegerField(_("rejected"), default=0)
    rejected_bytes = models.BigIntegerField(default=0)
    state = models.TextField(_("state"), choices=State)
    options = models.JSONField(_("options"), null=True)
    report = models.JSONField(_("report"), null=True)
    actor = models.TextField(_("by"), null=True)
    problem = models.TextField(_("problem"), null=True)
    started_at = models.DateTimeField(_("started at"))
    updated_at = models.DateTimeField(_("updated at"))
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        db_table = "import_job"
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        constraints = [
            models.UniqueConstraint(fields=["kind", "file_digest", "options_digest"], name="import_job_key"),
            models.CheckConstraint(
                condition=models.Q(state__in=["draft", "waiting", "failed", "running", "finished"]),
                name="import_job_state",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.file_name}"


class ImportUpload(models.Model):
    """A piece of an uploaded file; all are deleted when the import has finished or was given up."""

    pk = models.CompositePrimaryKey("job_id", "part")
    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, db_index=False, related_name="uploads")
    part = models.IntegerField()
    data = models.BinaryField()

    class Meta:
        db_table = "import_upload"

    def __str__(self) -> str:
        return f"{self.job_id}: {self.part}"


class ImportRejection(models.Model):
    """A refused row of an uploaded file, for download; deleted after a month."""

    pk = models.CompositePrimaryKey("job_id", "line")
    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, db_index=False, related_name="rejections")
    line = models.BigIntegerField()
    problems = models.TextField()
    cells = models.JSONField()

    class Meta:
        db_table = "import_rejection"

    def __str__(self) -> str:
        return f"{self.job_id}: {self.line}"


class QualityFigure(models.Model):
    """How many of all customers a check of the data's quality found on a day; for the fields: who has none."""

    day = models.DateField(_("day"))
    key = models.TextField(_("check"))
    found = models.BigIntegerField(_("found"))
    total = models.BigIntegerField(_("total"))
    computed_at = models.DateTimeField(_("computed at"))

    class Meta:
        db_table = "quality_figure"
        constraints = [models.UniqueConstraint(fields=["day", "key"], name="quality_figure_key")]

    def __str__(self) -> str:
        return f"{self.day} {self.key}"
