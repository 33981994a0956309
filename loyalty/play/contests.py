"""Games that take more than one step, and leaderboards: rounds under way, boards and who stands on them."""

from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from loyalty.play.models import Definition


class GameRound(models.Model):
    """A round that somebody is at: one at most for each person and game, paid for when it began.

    `nonce` and the game's secret lay the cards; `progress` is what was turned so far. The play is written when the
    round is over, and this row goes.
    """

    pk = models.CompositePrimaryKey("customer_id", "game_id")
    customer_id = models.BigIntegerField(_("customer"))
    game_id = models.IntegerField(_("game"))
    nonce = models.TextField()
    free = models.BooleanField(_("free"))
    progress = models.JSONField(default=dict)
    started_at = models.DateTimeField(_("started at"))
    moved_at = models.DateTimeField(_("moved at"))

    class Meta:
        db_table = "game_round"
        verbose_name = _("round under way")
        verbose_name_plural = _("rounds under way")
        indexes = [models.Index(fields=["game_id"], name="game_round_game")]

    def __str__(self) -> str:
        return f"{self.game_id}/{self.customer_id}"


class Leaderboard(Definition):
    """Who has the most of something in a day, week, month or year; only those stand on it who asked for it."""

    class Meta:
        db_table = "leaderboard"
        verbose_name = _("leaderboard")
        verbose_name_plural = _("leaderboards")
        constraints = [
            models.UniqueConstraint(fields=["key"], name="leaderboard_key"),
            models.CheckConstraint(condition=models.Q(state__in=["active", "paused"]), name="leaderboard_state"),
        ]


class LeaderboardEntry(models.Model):
    """Somebody on a board, under a nickname. `score` counts for the period that begins at `period_at`; older ones are
    nothing any more. `hidden_by` is who took the nickname off the board."""

    id = models.BigAutoField(primary_key=True)
    board_id = models.IntegerField(_("leaderboard"))
    customer_id = models.BigIntegerField(_("customer"))
    nickname = models.TextField(_("nickname"))
    hidden = models.BooleanField(_("hidden"), default=False, db_default=False)
    hidden_by = models.TextField(_("hidden by"), null=True)
    period_at = models.DateTimeField(_("period"))
    score = models.DecimalField(_("score"), max_digits=14, decimal_places=2, default=0, db_default=0)
    reached_at = models.DateTimeField(_("reached at"), null=True)
    joined_at = models.DateTimeField(_("joined at"))

    class Meta:
        db_table = "leaderboard_entry"
        verbose_name = _("entry of a leaderboard")
        verbose_name_plural = _("entries of leaderboards")
        constraints = [
            models.UniqueConstraint(fields=["customer_id", "board_id"], name="leaderboard_entry_once"),
            models.UniqueConstraint("board_id", Lower("nickname"), name="leaderboard_entry_nickname"),
            models.CheckConstraint(condition=models.Q(score__gte=0), name="leaderboard_entry_score"),
        ]
        indexes = [
            models.Index(fields=["board_id", "period_at", "-score"], name="leaderboard_entry_rank"),
        ]

    def __str__(self) -> str:
        return self.nickname
