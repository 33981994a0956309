from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class KitConfig(AppConfig):
    """Loads what every package registers, so that no package is named in a list."""

    name = "loyalty.kit"
    label = "kit"
    verbose_name = _("Kit")

    def ready(self) -> None:
        autodiscover_modules(
            "documents",
            "tasks",
            "invariants",
            "personal_data",
            "panels",
            "quality",
            "uses",
            "segment_sources",
            "timeline",
            "audiences",
            "mailing",
        )
