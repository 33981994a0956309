"""Compiles translation catalogs (.po -> .mo) with Babel, because the gettext programs are not on every machine."""

import os
from pathlib import Path

from loyalty.local.state import REPOSITORY


def compile_stale(root: Path = REPOSITORY / "locale") -> list[Path]:
    """Compile every catalog under `root` that is newer than its compiled form; the compiled files."""
    compiled = []
    for source in sorted(root.glob("*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        if not os.access(source.parent, os.W_OK):
            continue  # an installation without write access ships its compiled catalogs
        _compile(source, target)
        compiled.append(target)
    return compiled


def _compile(source: Path, target: Path) -> None:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with source.open("rb") as file:
        catalog = read_po(file, locale=source.parts[-3], domain=source.stem)
    draft = target.with_suffix(f".{os.getpid()}.new")
    with draft.open("wb") as file:
        write_mo(file, catalog)
    draft.replace(target)
