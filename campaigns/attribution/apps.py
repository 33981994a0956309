from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AttributionConfig(AppConfig):
    name = "campaigns.attribution"
    label = "attribution"
    verbose_name = _("Attribution")

    def ready(self) -> None:
        """The result of the program asks us what flows brought."""
        from campaigns.attribution import uplift  # noqa: F401
