"""Every template compiles."""

from pathlib import Path

import pytest
from django.template import engines

from loyalty.local.state import REPOSITORY

PAGES = REPOSITORY / "templates" / "pages"
ALL = [file for file in sorted((REPOSITORY / "templates").rglob("*")) if file.suffix in (".html", ".txt")]
INSIDE = [
    file for root in ("loyalty", "campaigns") for file in sorted((REPOSITORY / root).rglob("templates/**/*.html"))
]


def _label(file: Path) -> str:
    return file.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("file", ALL + INSIDE, ids=_label)
def test_it_compiles(file: Path) -> None:
    engine = engines["jinja2" if PAGES in file.parents else "django"]
    engine.from_string(file.read_text())
