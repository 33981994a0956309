"""What readers did with a message: every hit as it came, kept before it is answered."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Hit(models.Model):
    """One request for a tracked link, an open pixel or an unsubscribe address of one message.

    `machine` says whether a program rather than a person made it; null while that cannot be known yet (a person clicks
    one link of a mail, a scanner all of them within a second). Only hits of people become facts in the timeline.
    `link` is the number of a link that stands in the template, `url` where the reader was sent.
    """

    class Kind(models.TextChoices):
        CLICK = "click", _("click")
        OPEN = "open", pgettext_lazy("hit", "open")
        UNSUBSCRIBE = "unsubscribe", _("unsubscribe")

    id = models.BigAutoField(primary_key=True)
    kind = models.TextField(_("kind"), choices=Kind)
    message_id = models.BigIntegerField(_("message"))
    customer_id = models.BigIntegerField(_("customer"))
    link = models.SmallIntegerField(_("link"), null=True)
    url = models.TextField(_("address"), null=True)
    at = models.DateTimeField(_("at"))
    machine = models.BooleanField(_("machine"), null=True)
    user_agent = models.TextField(_("user agent"), null=True)
    method = models.TextField(_("method"))

    class Meta:
        db_table = "hit"
        verbose_name = _("hit")
        verbose_name_plural = _("hits")
        indexes = [
            models.Index(fields=["message_id", "at"], name="hit_message"),
            models.Index(fields=["customer_id"], name="hit_customer"),
            models.Index(fields=["at"], name="hit_open_question", condition=Q(machine__isnull=True)),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["click", "open", "unsubscribe"]), name="hit_kind_known"),
        ]

    def __str__(self) -> str:
        return str(self.pk)
