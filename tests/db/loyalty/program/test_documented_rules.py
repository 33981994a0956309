"""The rules in the documentation can be applied as they stand there."""

import re
from pathlib import Path

import pytest

from loyalty.kit.applying import apply_documents
from loyalty.kit.document_text import read
from tests.db.loyalty.program.club import NOW

DOCS = Path(__file__).parents[4] / "docs"
PAGES = ("loyalty.md", "earning.md", "members.md")


@pytest.mark.django_db
def test_the_documents_of_the_pages_are_good() -> None:
    text = "\n".join((DOCS / page).read_text() for page in PAGES)
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.S)
    documents = [one.value for block in blocks for one in read(block.encode(), "docs")[0]]
    changes = apply_documents(documents, now=NOW)
    assert {change.verdict for change in changes} == {"created"}
    assert {"reviews", "regulars", "coffee"} <= {change.key for change in changes}
