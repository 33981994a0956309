"""The rules in the documentation can be applied as they stand there."""

import re
from pathlib import Path

import pytest

from loyalty.kit.applying import apply_documents
from loyalty.kit.document_text import read
from tests.db.loyalty.program.club import NOW

PAGE = Path(__file__).parents[4] / "docs" / "loyalty.md"


@pytest.mark.django_db
def test_the_documents_of_the_page_are_good() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.S)
    documents = [one.value for block in blocks for one in read(block.encode(), "loyalty.md")[0]]
    changes = apply_documents(documents, now=NOW)
    assert {change.verdict for change in changes} == {"created"}
    assert {"reviews", "regulars", "coffee"} <= {change.key for change in changes}
