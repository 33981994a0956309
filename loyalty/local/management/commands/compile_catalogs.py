"""`manage.py compile_catalogs`: for images and packages; `up` and the tests do it by themselves."""

from typing import Any

from django.core.management.base import BaseCommand

from loyalty.local.catalogs import compile_stale


class Command(BaseCommand):
    help = "Compile the translation catalogs that have changed (needs no gettext programs)."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        compiled = compile_stale()
        for path in compiled:
            self.stdout.write(str(path))
        self.stdout.write(f"{len(compiled)} compiled")
