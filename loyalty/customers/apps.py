from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class CustomersConfig(AppConfig):
    name = "loyalty.customers"
    label = "customers"
    verbose_name = _("Customers")

    def ready(self) -> None:
        post_migrate.connect(_prepare, sender=self)


def _prepare(*, using: str, **rest: Any) -> None:
    """After each migrate (and each emptying of the database by a test): the product's own sources exist."""
    from django.db import connections

    if using == "default" and "customer_source" in connections[using].introspection.table_names():
        from loyalty.customers import sources
        from loyalty.kit import clock

        sources.learn_known(now=clock.now())
