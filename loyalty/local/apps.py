from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LocalConfig(AppConfig):
    name = "loyalty.local"
    label = "local"
    verbose_name = _("Runtime")

    def ready(self) -> None:
        from loyalty.kit.chores import send_hints_with
        from loyalty.local import hints

        send_hints_with(hints.send)
