"""`manage.py export`: objects as YAML that `apply` leaves unchanged."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from loyalty.kit.applying import guess
from loyalty.kit.document_yaml import write
from loyalty.kit.documents import kinds
from loyalty.kit.registry import UnknownPart


class Command(BaseCommand):
    help = (
        "Print objects as YAML, in the order in which `apply` takes them; all of them unless a kind or keys are given."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("keys", nargs="*", metavar="KEY", help="only these; the first may be a kind")
        parser.add_argument("--kind", help="only this kind")

    def handle(self, *args: Any, **options: Any) -> None:
        kind, keys = options["kind"], list(options["keys"])
        if kind is None and keys and keys[0] in kinds:
            kind = keys.pop(0)
        try:
            chosen = [kinds.get(kind)] if kind else [kind for _, kind in kinds.items()]
        except UnknownPart as unknown:
            raise CommandError(str(unknown)) from None
        documents = [document for kind in sorted(chosen, key=lambda kind: kind.rank) for document in kind.export()]
        if keys:
            known = {document["key"] for document in documents}
            missing = [key for key in keys if key not in known]
            if missing:
                raise CommandError("; ".join(f"no object {key!r} {guess(key, known)}".strip() for key in missing))
            documents = [document for document in documents if document["key"] in keys]
        if documents:
            self.stdout.write(write(documents), ending="")
