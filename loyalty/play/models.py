"""Stamp cards, challenges, badges and games: what marketers wrote, and how far everybody is.

Each definition is one row with its document; the rows about people name them by `customer_id` without a foreign key in
the database, for they come in batches. What is won stands in `prize_award` first and is handed over from there.
"""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.play.names import AWARD_STATES, OUTCOMES, RUN_STATES, SHEET_STATES, STATES


class Definition(models.Model):
    """What a document of ours says; `program_id` is the program whose members take part."""

    id = models.AutoField(primary_key=True)
    key = models.TextField(_("key"))
    program_id = models.IntegerField(_("program"), null=True)
    state = models.TextField(_("state"), default="active")
    name = models.JSONField(_("name"), default=dict)
    definition = models.JSONField(default=dict)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.key


class StampCard(Definition):
    """So many stamps for a prize."""

    class Meta:
        db_table = "stamp_card"
        verbose_name = _("stamp card")
        verbose_name_plural = _("stamp cards")
        constraints = [
            models.UniqueConstraint(fields=["key"], name="stamp_card_key"),
            models.CheckConstraint(condition=Q(state__in=STATES), name="stamp_card_state"),
        ]


class StampSheet(models.Model):
    """One sheet of a person's card; a person has at most one open sheet of a card."""

    id = models.BigAutoField(primary_key=True)
    card_id = models.IntegerField(_("stamp card"))
    customer_id = models.BigIntegerField(_("customer"))
    number = models.IntegerField(_("number"))
    state = models.TextField(_("state"), default="open")
    stamps = models.IntegerField(_("stamps"), default=0)
    size = models.IntegerField(_("size"))
    started_at = models.DateTimeField(_("started at"))
    expires_at = models.DateTimeField(_("expires at"), null=True)
    closed_at = models.DateTimeField(_("closed at"), null=True)

    class Meta:
        db_table = "stamp_sheet"
        verbose_name = _("sheet of stamps")
        verbose_name_plural = _("sheets of stamps")
        constraints = [
            models.UniqueConstraint(fields=["customer_id", "card_id", "number"], name="stamp_sheet_number"),
            models.UniqueConstraint(
                fields=["customer_id", "card_id"], name="stamp_sheet_open", condition=Q(state="open")
            ),
            models.CheckConstraint(condition=Q(state__in=SHEET_STATES), name="stamp_sheet_state"),
            models.CheckConstraint(condition=Q(stamps__gte=0, stamps__lte=F("size")), name="stamp_sheet_stamps"),
        ]
        indexes = [
            models.Index(fields=["expires_at"], name="stamp_sheet_expires", condition=Q(state="open")),
            models.Index(fields=["card_id", "closed_at"], name="stamp_sheet_card"),
        ]

    def __str__(self) -> str:
        return f"{self.stamps}/{self.size}"


class Stamp(models.Model):
    """Stamps that were given together. `key_digest` makes them happen once."""

    id = models.BigAutoField(primary_key=True)
    card_id = models.IntegerField(_("stamp card"))
    customer_id = models.BigIntegerField(_("customer"))
    at = models.DateTimeField(_("at"))
    count = models.IntegerField(_("stamps"))
    source = models.TextField(_("source"))
    actor = models.TextField(_("by"), null=True)
    key_digest = models.UUIDField()

    class Meta:
        db_table = "stamp"
        verbose_name = _("stamp")
        verbose_name_plural = _("stamps")
        constraints = [
            models.UniqueConstraint(fields=["key_digest"], name="stamp_key"),
            models.CheckConstraint(condition=Q(count__gt=0), name="stamp_count"),
        ]
        indexes = [models.Index(fields=["customer_id", "card_id", "at"], name="stamp_customer")]

    def __str__(self) -> str:
        return f"+{self.count}"


class Challenge(Definition):
    """Something to reach within a time; its prize comes by itself."""

    class Meta:
        db_table = "challenge"
        verbose_name = _("challenge")
        verbose_name_plural = _("challenges")
        constraints = [
            models.UniqueConstraint(fields=["key"], name="challenge_key"),
            models.CheckConstraint(condition=Q(state__in=STATES), name="challenge_state"),
        ]


class ChallengeRun(models.Model):
    """One person's attempt at a challenge: events after (`started_at`, `after_event`) and before `ends_at` count.

    `progress` counts toward `target`; for a streak it is the number of periods in a row, the last of which begins at
    `period_at`. `best` is the most there ever was, `usual` what a
    personal target was made from.
    """

    id = models.BigAutoField(primary_key=True)
    challenge_id = models.IntegerField(_("challenge"))
    customer_id = models.BigIntegerField(_("customer"))
    number = models.IntegerField(_("number"))
    state = models.TextField(_("state"), default="open")
    started_at = models.DateTimeField(_("started at"))
    after_event = models.BigIntegerField(default=0)
    ends_at = models.DateTimeField(_("ends at"), null=True)
    target = models.DecimalField(_("target"), max_digits=14, decimal_places=2)
    progress = models.DecimalField(_("progress"), max_digits=14, decimal_places=2, default=0)
    best = models.DecimalField(_("best"), max_digits=14, decimal_places=2, default=0)
    usual = models.DecimalField(_("usual"), max_digits=14, decimal_places=2, null=True)
    period_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(_("closed at"), null=True)
    last_event = models.BigIntegerField(null=True)

    class Meta:
        db_table = "challenge_run"
        verbose_name = _("attempt at a challenge")
        verbose_name_plural = _("attempts at challenges")
        constraints = [
            models.UniqueConstraint(fields=["customer_id", "challenge_id", "number"], name="challenge_run_number"),
            models.UniqueConstraint(
                fields=["customer_id", "challenge_id"], name="challenge_run_open", condition=Q(state="open")
            ),
            models.CheckConstraint(condition=Q(state__in=RUN_STATES), name="challenge_run_state"),
            models.CheckConstraint(condition=Q(target__gt=0, progress__gte=0), name="challenge_run_amounts"),
        ]
        indexes = [
            models.Index(fields=["ends_at"], name="challenge_run_ends", condition=Q(state="open")),
            models.Index(fields=["challenge_id", "closed_at"], name="challenge_run_challenge"),
        ]

    def __str__(self) -> str:
        return f"{self.progress}/{self.target}"


class Badge(Definition):
    """A mark of honor that people collect."""

    class Meta:
        db_table = "badge"
        verbose_name = _("badge")
        verbose_name_plural = _("badges")
        constraints = [
            models.UniqueConstraint(fields=["key"], name="badge_key"),
            models.CheckConstraint(condition=Q(state__in=STATES), name="badge_state"),
        ]


class CustomerBadge(models.Model):
    """Who has a badge; `times` is how often it was won."""

    id = models.BigAutoField(primary_key=True)
    badge_id = models.IntegerField(_("badge"))
    customer_id = models.BigIntegerField(_("customer"))
    times = models.IntegerField(_("times"), default=1)
    since = models.DateTimeField(_("since"))

    class Meta:
        db_table = "customer_badge"
        verbose_name = _("badge of a customer")
        verbose_name_plural = _("badges of customers")
        constraints = [models.UniqueConstraint(fields=["customer_id", "badge_id"], name="customer_badge_once")]
        indexes = [models.Index(fields=["badge_id"], name="customer_badge_badge")]

    def __str__(self) -> str:
        return f"{self.badge_id}/{self.customer_id}"


class Game(Definition):
    """A game of chance. `secret` decides every draw and is published when the game is over; its hash is before."""

    type = models.TextField(_("type"))
    secret = models.BinaryField()
    drawn_at = models.DateTimeField(_("drawn at"), null=True)

    class Meta:
        db_table = "game"
        verbose_name = _("game")
        verbose_name_plural = _("games")
        constraints = [
            models.UniqueConstraint(fields=["key"], name="game_key"),
            models.CheckConstraint(condition=Q(state__in=STATES), name="game_state"),
        ]


class GamePrize(models.Model):
    """What can be won, and how much of it is left."""

    id = models.AutoField(primary_key=True)
    game_id = models.IntegerField(_("game"))
    key = models.TextField(_("key"))
    position = models.SmallIntegerField()
    stock = models.IntegerField(_("stock"), null=True)
    won = models.IntegerField(_("won"), default=0)
    definition = models.JSONField(default=dict)

    class Meta:
        db_table = "game_prize"
        verbose_name = _("prize of a game")
        verbose_name_plural = _("prizes of games")
        constraints = [
            models.UniqueConstraint(fields=["game_id", "key"], name="game_prize_key"),
            models.CheckConstraint(
                condition=Q(won__gte=0) & (Q(stock__isnull=True) | Q(won__lte=F("stock"))), name="game_prize_stock"
            ),
        ]

    def __str__(self) -> str:
        return self.key


class GamePlayer(models.Model):
    """How often a person played and may still play; the row that is locked while the person plays.

    `earned` and `used` are plays that were given for something; free ones are counted per period (`free_period` is its
    first day).
    """

    pk = models.CompositePrimaryKey("customer_id", "game_id")
    customer_id = models.BigIntegerField(_("customer"))
    game_id = models.IntegerField(_("game"))
    plays = models.IntegerField(_("plays"), default=0, db_default=0)
    earned = models.IntegerField(_("earned"), default=0, db_default=0)
    used = models.IntegerField(_("used"), default=0, db_default=0)
    free_period = models.DateField(null=True)
    free_used = models.IntegerField(default=0, db_default=0)
    of_age_at = models.DateTimeField(_("declared to be of age at"), null=True)

    class Meta:
        db_table = "game_player"
        verbose_name = _("player")
        verbose_name_plural = _("players")
        constraints = [models.CheckConstraint(condition=Q(used__gte=0, used__lte=F("earned")), name="game_player_used")]
        indexes = [models.Index(fields=["game_id"], name="game_player_game")]

    def __str__(self) -> str:
        return f"{self.game_id}/{self.customer_id}"


class GameTicket(models.Model):
    """Plays that somebody was given for something; once for each `key_digest`."""

    id = models.BigAutoField(primary_key=True)
    game_id = models.IntegerField(_("game"))
    customer_id = models.BigIntegerField(_("customer"))
    at = models.DateTimeField(_("at"))
    plays = models.IntegerField(_("plays"))
    source = models.TextField(_("source"))
    actor = models.TextField(_("by"), null=True)
    key_digest = models.UUIDField()

    class Meta:
        db_table = "game_ticket"
        verbose_name = _("plays given")
        verbose_name_plural = _("plays given")
        constraints = [
            models.UniqueConstraint(fields=["key_digest"], name="game_ticket_key"),
            models.CheckConstraint(condition=Q(plays__gt=0), name="game_ticket_plays"),
        ]
        indexes = [models.Index(fields=["customer_id", "game_id", "at"], name="game_ticket_customer")]

    def __str__(self) -> str:
        return f"+{self.plays}"


class GamePlay(models.Model):
    """One play. `nonce` and the game's secret give `draw`, so anybody can recompute it once the secret is out.

    `prize_id` is what was drawn; `outcome` says won, consolation or nothing (or entered, before a prize draw).
    `score` is right answers or moves, `detail` what was answered. A forgotten person's `customer_id` is NULL.
    """

    id = models.BigAutoField(primary_key=True)
    game_id = models.IntegerField(_("game"))
    customer_id = models.BigIntegerField(_("customer"), null=True)
    number = models.IntegerField(_("number"))
    door = models.SmallIntegerField(_("door"), null=True)
    played_at = models.DateTimeField(_("played at"))
    free = models.BooleanField(_("free"))
    nonce = models.TextField()
    draw = models.FloatField(_("draw"))
    prize_id = models.IntegerField(_("prize"), null=True)
    outcome = models.TextField(_("outcome"))
    score = models.SmallIntegerField(_("score"), null=True)
    detail = models.JSONField(null=True)
    key_digest = models.UUIDField(null=True)

    class Meta:
        db_table = "game_play"
        verbose_name = _("play")
        verbose_name_plural = _("plays")
        constraints = [
            models.UniqueConstraint(fields=["customer_id", "game_id", "number"], name="game_play_number"),
            models.UniqueConstraint(
                fields=["customer_id", "game_id", "door"], name="game_play_door", condition=Q(door__isnull=False)
            ),
            models.UniqueConstraint(fields=["key_digest"], name="game_play_key"),
            models.CheckConstraint(condition=Q(outcome__in=OUTCOMES), name="game_play_outcome"),
        ]
        indexes = [
            models.Index(fields=["game_id", "id"], name="game_play_game"),
            models.Index(fields=["prize_id", "id"], name="game_play_prize", condition=Q(prize_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} #{self.pk}"


class Award(models.Model):
    """A prize on its way to a person: due, given, or refused for good with the reason.

    `origin` names what it was won with (challenge, stamp_card, game), `origin_id` that definition, `ref` the attempt,
    sheet or play. `reference` is what the prize became: a code, a booking.
    """

    id = models.BigAutoField(primary_key=True)
    customer_id = models.BigIntegerField(_("customer"), null=True)
    origin = models.TextField(_("won with"))
    origin_id = models.IntegerField()
    ref = models.BigIntegerField()
    place = models.SmallIntegerField(default=0)
    program_id = models.IntegerField(null=True)
    kind = models.TextField(_("prize"))
    prize = models.JSONField(default=dict)
    state = models.TextField(_("state"), default="due")
    reason = models.TextField(_("reason"), null=True)
    reference = models.TextField(_("reference"), null=True)
    tries = models.SmallIntegerField(_("tries"), default=0, db_default=0)
    created_at = models.DateTimeField(_("won at"))
    due_at = models.DateTimeField(_("due at"))
    given_at = models.DateTimeField(_("given at"), null=True)

    class Meta:
        db_table = "prize_award"
        verbose_name = _("prize won")
        verbose_name_plural = _("prizes won")
        constraints = [
            models.UniqueConstraint(fields=["origin", "ref", "place"], name="prize_award_once"),
            models.CheckConstraint(condition=Q(state__in=AWARD_STATES), name="prize_award_state"),
        ]
        indexes = [
            models.Index(fields=["due_at", "id"], name="prize_award_due", condition=Q(state="due")),
            models.Index(fields=["customer_id", "id"], name="prize_award_customer"),
            models.Index(fields=["origin", "origin_id", "id"], name="prize_award_origin"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"
