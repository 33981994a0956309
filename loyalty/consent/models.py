"""May we: what each person agreed to, by channel and purpose, with proof; what they chose besides (topics, pause, how
often); and the addresses nobody may write to."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

CHANNELS = ("email", "sms", "whatsapp", "telegram", "push", "letter", "phone", "webhook")


# The database's own clock: which of an opt-out and a start came first, also when business time was moved.
CLOCK = models.Func(function="clock_timestamp")


class Purpose(models.TextChoices):
    MARKETING = "marketing", _("marketing")
    SERVICE = "service", _("service")
    TRACKING = "tracking", _("tracking")
    PROFILING = "profiling", _("profiling")


class Status(models.TextChoices):
    GRANTED = "granted", _("granted")
    WITHDRAWN = "withdrawn", _("withdrawn")


class ConsentEntry(models.Model):
    """One declaration of one person; a trigger refuses UPDATE and DELETE outside of erasure and merging."""

    customer_id = models.BigIntegerField(_("customer"))
    channel = models.TextField(_("channel"))
    purpose = models.TextField(_("purpose"), choices=Purpose)
    status = models.TextField(_("status"), choices=Status)
    occurred_at = models.DateTimeField(_("occurred at"))
    recorded_at = models.DateTimeField(_("recorded at"))
    clock_at = models.DateTimeField(_("written at"), db_default=CLOCK)
    source = models.TextField(_("source"))
    text_version = models.TextField(_("text version"), null=True)
    evidence = models.JSONField(_("evidence"), null=True)

    class Meta:
        db_table = "consent_entry"
        verbose_name = _("consent entry")
        verbose_name_plural = _("consent entries")
        constraints = [
            # The same declaration told twice is one; it also finds a person's entries.
            models.UniqueConstraint(
                fields=["customer_id", "channel", "purpose", "occurred_at", "status", "source"],
                name="consent_entry_key",
            ),
            models.CheckConstraint(condition=models.Q(channel__in=CHANNELS), name="consent_entry_channel"),
            models.CheckConstraint(condition=models.Q(purpose__in=Purpose.values), name="consent_entry_purpose"),
            models.CheckConstraint(condition=models.Q(status__in=Status.values), name="consent_entry_status"),
            models.CheckConstraint(condition=~models.Q(source=""), name="consent_entry_source"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.purpose} {self.status}"


class ConsentState(models.Model):
    """The status that holds now: that of the person's latest entry; `since` is when that was declared."""

    pk = models.CompositePrimaryKey("customer_id", "channel", "purpose")
    customer_id = models.BigIntegerField(_("customer"))
    channel = models.TextField(_("channel"))
    purpose = models.TextField(_("purpose"), choices=Purpose)
    status = models.TextField(_("status"), choices=Status)
    since = models.DateTimeField(_("since"))

    class Meta:
        db_table = "consent_state"
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        constraints = [
            models.CheckConstraint(condition=models.Q(status__in=Status.values), name="consent_state_status"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.purpose} {self.status}"


class Suppression(models.Model):
    """An address, known only as a keyed hash, that gets nothing over a channel; outlives the person.

    `purpose` '' stands for every purpose but transactional.
    """

    channel = models.TextField(_("channel"))
    digest = models.BinaryField(_("digest"))
    purpose = models.TextField(_("purpose"), default="", db_default="", blank=True)
    reason = models.TextField(_("reason"))
    created_at = models.DateTimeField(_("created at"))
    clock_at = models.DateTimeField(_("written at"), db_default=CLOCK)

    class Meta:
        db_table = "suppression"
        verbose_name = _("suppressed address")
        verbose_name_plural = _("suppressed addresses")
        constraints = [
            models.UniqueConstraint(fields=["channel", "digest", "purpose"], name="suppression_key"),
            models.CheckConstraint(condition=models.Q(channel__in=CHANNELS), name="suppression_channel"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.reason}"


class SuppressionRelease(models.Model):
    """A wish to take an address off the suppression list: one person asks with a reason, another decides.

    What was suppressed is copied, so that the log says it all after the row is gone. Only a keyed hash, never an
    address.
    """

    class State(models.TextChoices):
        ASKED = "asked", _("asked")
        RELEASED = "released", _("released")
        REFUSED = "refused", _("refused")

    suppression_id = models.BigIntegerField(_("suppressed address"))
    channel = models.TextField(_("channel"))
    digest = models.BinaryField(_("digest"))
    purpose = models.TextField(_("purpose"), default="", db_default="", blank=True)
    reason = models.TextField(_("suppressed because"))
    suppressed_at = models.DateTimeField(_("suppressed at"))
    state = models.TextField(_("state"), choices=State, default=State.ASKED, db_default="asked")
    why = models.TextField(_("why it should be released"))
    asked_by = models.TextField(_("asked by"))
    asked_at = models.DateTimeField(_("asked at"))
    decided_by = models.TextField(_("decided by"), null=True)
    decided_at = models.DateTimeField(_("decided at"), null=True)

    class Meta:
        db_table = "suppression_release"
        verbose_name = _("release from suppression")
        verbose_name_plural = _("releases from suppression")
        constraints = [
            models.UniqueConstraint(
                fields=["suppression_id"], condition=models.Q(state="asked"), name="suppression_release_once_open"
            ),
            models.CheckConstraint(
                condition=models.Q(state="asked", decided_by__isnull=True, decided_at__isnull=True)
                | (
                    models.Q(state__in=["released", "refused"], decided_by__isnull=False, decided_at__isnull=False)
                    & ~models.Q(decided_by=models.F("asked_by"))
                ),
                name="suppression_release_four_eyes",
            ),
        ]

    def __str__(self) -> str:
        return f"{bytes(self.digest).hex()[:16]} {self.state}"


class Topic(models.Model):
    """A subject that people may switch off for themselves; who never chose gets it."""

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"), unique=True)
    name = models.JSONField(_("name"), default=dict, db_default={})
    description = models.JSONField(_("description"), default=dict, db_default={}, blank=True)
    channels = models.JSONField(_("channels"), default=list, db_default=[])
    position = models.SmallIntegerField(_("place in the list"), default=0, db_default=0)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        db_table = "topic"
        verbose_name = _("topic")
        verbose_name_plural = _("topics")

    def __str__(self) -> str:
        return self.key


class ChoiceEntry(models.Model):
    """One choice of one person besides consent; like consent entries they are only added, a trigger sees to it.

    `value` is true or false for a topic; `{"until": instant}` or null for a pause; `{"at_most": 2, "per": "week"}` or
    null for a frequency.
    """

    class Kind(models.TextChoices):
        TOPIC = "topic", _("topic")
        PAUSE = "pause", _("pause")
        FREQUENCY = "frequency", _("frequency")

    customer_id = models.BigIntegerField(_("customer"), db_index=True)
    kind = models.TextField(_("kind"), choices=Kind)
    topic = models.TextField(_("topic"), default="", db_default="", blank=True)
    value = models.JSONField(_("value"), null=True)
    occurred_at = models.DateTimeField(_("occurred at"))
    recorded_at = models.DateTimeField(_("recorded at"))
    source = models.TextField(_("source"))
    evidence = models.JSONField(_("evidence"), null=True)

    class Meta:
        db_table = "choice_entry"
        verbose_name = _("choice")
        verbose_name_plural = _("choices")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=["topic", "pause", "frequency"]), name="choice_entry_kind"
            ),
            models.CheckConstraint(
                condition=models.Q(kind="topic") ^ models.Q(topic=""), name="choice_entry_topic_named"
            ),
            models.CheckConstraint(condition=~models.Q(source=""), name="choice_entry_source"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.topic}"


class TopicChoice(models.Model):
    """Whether a person wants a topic, since they said so."""

    pk = models.CompositePrimaryKey("customer_id", "topic")
    customer_id = models.BigIntegerField(_("customer"))
    topic = models.TextField(_("topic"))
    wanted = models.BooleanField(_("wanted"))
    since = models.DateTimeField(_("since"))

    class Meta:
        db_table = "topic_choice"
        verbose_name = _("chosen topic")
        verbose_name_plural = _("chosen topics")

    def __str__(self) -> str:
        return f"{self.topic} {self.wanted}"


class ContactPreference(models.Model):
    """How often a person wants offers and news, and until when none at all; only those who chose have a row."""

    class Per(models.TextChoices):
        WEEK = "week", _("week")
        MONTH = "month", _("month")

    customer_id = models.BigIntegerField(_("customer"), primary_key=True)
    paused_until = models.DateTimeField(_("paused until"), null=True)
    at_most = models.SmallIntegerField(_("at most"), null=True)
    per = models.TextField(_("per"), choices=Per, null=True)
    since = models.DateTimeField(_("since"))

    class Meta:
        db_table = "contact_preference"
        verbose_name = _("contact preference")
        verbose_name_plural = _("contact preferences")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(at_most__isnull=True, per__isnull=True)
                | models.Q(at_most__gte=1, per__in=["week", "month"]),
                name="contact_preference_frequency",
            ),
        ]

    def __str__(self) -> str:
        return str(self.customer_id)


class OptInRequest(models.Model):
    """Somebody asked for messages to an address; it counts once the owner of the address confirms by the mail's link.

    Everything that proves the two steps stands here: who saw which text where, and when and from where it was
    confirmed. Message ids lead to the mail.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    customer_id = models.BigIntegerField(_("customer"), db_index=True)
    channel = models.TextField(_("channel"))
    address = models.TextField(_("address"))
    purposes = models.JSONField(_("purposes"))
    topics = models.JSONField(_("topics"), default=list)
    source = models.TextField(_("source"))
    form = models.TextField(_("form"), null=True)
    text_version = models.TextField(_("text version"))
    text = models.TextField(_("text"))
    locale = models.TextField(_("language"), null=True)
    ip = models.TextField(_("IP address"), null=True)
    user_agent = models.TextField(_("browser"), null=True)
    requested_at = models.DateTimeField(_("requested at"))
    expires_at = models.DateTimeField(_("expires at"))
    message_id = models.BigIntegerField(_("message"), null=True)
    reminded_at = models.DateTimeField(_("reminded at"), null=True)
    reminder_id = models.BigIntegerField(_("reminder"), null=True)
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True)
    confirm_ip = models.TextField(_("IP address of the confirmation"), null=True)
    confirm_user_agent = models.TextField(_("browser of the confirmation"), null=True)

    class Meta:
        db_table = "opt_in_request"
        verbose_name = _("double opt-in")
        verbose_name_plural = _("double opt-ins")
        indexes = [
            models.Index(
                fields=["requested_at"], name="opt_in_request_open", condition=models.Q(confirmed_at__isnull=True)
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(confirmed_at__isnull=True) | models.Q(confirmed_at__lte=models.F("expires_at")),
                name="opt_in_request_in_time",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class ConsentAge(models.Model):
    """A granted consent of a person who has not been heard of for long; the others have no row.

    `sign_at` is the last sign of life. Blocked ones get no marketing until they consent anew.
    """

    pk = models.CompositePrimaryKey("customer_id", "channel")
    customer_id = models.BigIntegerField(_("customer"))
    channel = models.TextField(_("channel"))
    sign_at = models.DateTimeField(_("last sign of life"))
    warned_at = models.DateTimeField(_("warned at"))
    blocked_at = models.DateTimeField(_("blocked at"), null=True)

    class Meta:
        db_table = "consent_age"
        verbose_name = _("silent consent")
        verbose_name_plural = _("silent consents")

    def __str__(self) -> str:
        return f"{self.customer_id} {self.channel}"


class AgeingPass(models.Model):
    """One look at all consents for long silence: `cursor` is the last customer looked at, so that it can go on."""

    day = models.DateField(_("day"), primary_key=True)
    cursor = models.BigIntegerField(default=0, db_default=0)
    warned = models.IntegerField(_("warned"), default=0, db_default=0)
    blocked = models.IntegerField(_("blocked"), default=0, db_default=0)
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        db_table = "ageing_pass"
        verbose_name = _("look for silent consents")
        verbose_name_plural = _("looks for silent consents")

    def __str__(self) -> str:
        return str(self.day)


class ExistingCustomer(models.Model):
    """The other basis of advertising by mail: the address came with a purchase of similar goods, and the person was
    told, then and each time, that they may object. Used only where it is switched on and a template asks for it."""

    customer_id = models.BigIntegerField(_("customer"))
    channel = models.TextField(_("channel"))
    product_group = models.TextField(_("product group"))
    purchased_at = models.DateTimeField(_("purchased at"))
    source = models.TextField(_("source"))
    reference = models.TextField(_("order or receipt"), null=True)
    notice = models.TextField(_("notice given with the purchase"))
    recorded_at = models.DateTimeField(_("recorded at"))

    class Meta:
        db_table = "existing_customer"
        verbose_name = _("existing customer")
        verbose_name_plural = _("existing customers")
        constraints = [
            models.UniqueConstraint(fields=["customer_id", "channel", "product_group"], name="existing_customer_key"),
            models.CheckConstraint(condition=~models.Q(notice=""), name="existing_customer_notice"),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id} {self.product_group}"
