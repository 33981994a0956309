"""`manage.py apply FILE...`: objects from YAML or JSON files, all of them or none."""

import difflib
import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from loyalty.kit import clock
from loyalty.kit.applying import Refused, apply_documents
from loyalty.kit.document_text import SIZE_MAX_BYTES, Mistake, Written, read
from loyalty.kit.document_yaml import write
from loyalty.kit.documents import Change
from loyalty.kit.problems import Problem

SUFFIXES = (".yaml", ".yml", ".json")


class Command(BaseCommand):
    help = "Write segments, templates, flows, ... from YAML or JSON files: all of them or, with a mistake in any, none."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "files", nargs="+", metavar="FILE", help="a file, a folder of them, or - for standard input"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would change, change nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        files = [file for name in options["files"] for file in _files(name)]
        written, mistakes = _read_all(files)
        changes: list[Change] = []
        try:
            # With unreadable text the others are still checked, so that all mistakes come at once.
            dry_run = options["dry_run"] or bool(mistakes)
            changes = apply_documents([item.value for item in written], now=clock.now(), dry_run=dry_run)
        except Refused as refused:
            mistakes += [written[number].mistake(problem) for number, problem in refused.mistakes]
        if options["json"]:
            self.stdout.write(
                json.dumps(_as_json([] if mistakes else changes, written, mistakes, options["dry_run"]), default=str)
            )
        if mistakes:
            mistakes.sort(key=lambda mistake: (files.index(mistake.file), mistake.line))
            counted = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
            raise CommandError("\n".join([f"{counted}, nothing was changed", *map(str, mistakes)]))
        if not options["json"]:
            self._tell(changes, _warnings(written, changes), dry_run=options["dry_run"])

    def _tell(self, changes: list[Change], warnings: list[Mistake], *, dry_run: bool) -> None:
        for change in changes:
            self.stdout.write(f"{change.verdict:9} {change.kind} {change.key}")
            if dry_run and change.verdict != "unchanged":
                for line in difference(change):
                    self.stdout.write("    " + line)
        for warning in warnings:
            self.stdout.write(f"warning: {warning}")
        verdicts = [change.verdict for change in changes]
        total = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in ("created", "updated", "unchanged"))
        self.stdout.write(f"{total}; dry run, nothing was changed" if dry_run else total)


def difference(change: Change) -> list[str]:
    """The lines of the object's text that go and come."""
    before, after = (write([text]).splitlines()[1:] if text else [] for text in (change.before, change.after))
    lines = list(difflib.unified_diff(before, after, n=2, lineterm=""))
    return [line for line in lines[2:] if not line.startswith("@@")]


def _read_all(files: list[str]) -> tuple[list[Written], list[Mistake]]:
    written: list[Written] = []
    mistakes: list[Mistake] = []
    for file in files:
        try:
            raw = sys.stdin.buffer.read(SIZE_MAX_BYTES + 1) if file == "-" else _content(Path(file))
        except OSError as error:
            mistakes.append(Mistake(file, 1, Problem("", f"cannot be read: {error.strerror}", "check the path")))
            continue
        found, wrong = read(raw, file)
        # Files that are good alone name the same sender: said twice in the same words, it counts once.
        earlier = [item.value for item in written]
        written += [item for item in found if item.value not in earlier]
        mistakes += wrong
    return written, mistakes


def _content(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(SIZE_MAX_BYTES + 1)


def _files(name: str) -> list[str]:
    """The file itself, or the documents in a folder by name."""
    path = Path(name)
    if name == "-" or not path.is_dir():
        return [name]
    return sorted(str(file) for file in path.iterdir() if file.suffix in SUFFIXES) or [name]


def _warnings(written: list[Written], changes: list[Change]) -> list[Mistake]:
    """What the documents' kinds warn of, with the line. There is a change for each document, in their order."""
    pairs = zip(written, changes, strict=True) if changes else ()
    return [item.mistake(problem) for item, change in pairs for problem in change.warnings]


def _as_json(changes: list[Change], written: list[Written], mistakes: list[Mistake], dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "changes": [
            {"kind": item.kind, "key": item.key, "verdict": item.verdict, "before": item.before, "after": item.after}
            for item in changes
        ],
        "warnings": [_placed(item) for item in _warnings(written, changes)],
        "mistakes": [_placed(item) for item in mistakes],
    }


def _placed(item: Mistake) -> dict[str, Any]:
    return {"file": item.file, "line": item.line, "kind": item.kind, "key": item.key, **item.problem.as_dict()}
