from importlib import import_module

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class SegmentsConfig(AppConfig):
    name = "campaigns.segments"
    label = "segments"
    verbose_name = _("Segments")

    def ready(self) -> None:
        import_module("campaigns.segments.checks")
        # Packages above say what they have built on segments.
        autodiscover_modules("segment_uses")
