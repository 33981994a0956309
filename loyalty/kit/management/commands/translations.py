"""`manage.py translations`: keep the catalogs of the user interface in step with the sources."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from loyalty.kit.translations import mistakes, path_of, update


class Command(BaseCommand):
    help = "Say what is not translated (exit status 1); --update collects new texts first."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--update", action="store_true", help="bring the .po files in step with the sources")

    def handle(self, *args: Any, **options: Any) -> None:
        root = Path(settings.BASE_DIR)
        found = []
        for language, _ in settings.LANGUAGES:
            if language == settings.LANGUAGE_CODE:
                continue
            if options["update"]:
                catalog = update(root, language)
                self.stdout.write(f"{path_of(root, language).relative_to(root)}: {len(catalog)} texts")
            found += mistakes(root, language)
        if found:
            raise CommandError("\n".join([f"{len(found)} texts to mend", *found]))
