from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class EventsConfig(AppConfig):
    name = "loyalty.events"
    label = "events"
    verbose_name = _("Timeline")

    def ready(self) -> None:
        post_migrate.connect(_prepare, sender=self)


def _prepare(*, using: str, **rest: Any) -> None:
    """After each migrate (and each emptying of the database by a test): fact types and the months around now exist."""
    from django.db import connections

    if using == "default" and "event_subscription" in connections[using].introspection.table_names():
        from loyalty.events import partitions, types
        from loyalty.kit import clock

        types.learn_facts(now=clock.now())
        partitions.ensure_around(now=clock.now())
