"""What is exported is what was written, and applying it again changes nothing."""

from typing import Any

import pytest

from loyalty.kit.applying import apply_documents
from loyalty.kit.documents import kinds
from loyalty.play.operations import save_game
from tests.db.loyalty.play.fair import GAME, NOW, POINTS, applied

pytestmark = pytest.mark.django_db
WRITTEN: list[dict[str, Any]] = [
    {"kind": "badge", "key": "b", "program": "club", "name": {"de": "Orden"}},
    {"kind": "stamp_card", "key": "s", "program": "club", "size": 10, "prizes": [POINTS],
     "earn": [{"event": "coffee", "each": {"property": "amount", "of": 2.5}}], "expires": {"after": "6 months"}},
    {"kind": "challenge", "key": "c", "program": "club", "event": "visit", "from": "2026-01-01", "target": 12.5,
     "measure": {"sum": "amount"}, "prizes": [{"type": "badge", "badge": "b"}]},
    {**GAME, "program": "club"},
]  # fmt: skip


def test_round_trip() -> None:
    applied(*WRITTEN)
    for document in WRITTEN:
        exported = list(kinds.get(document["kind"]).export())
        expected = document
        if document["kind"] == "game":
            expected = document | {"prizes": [{**document["prizes"][0], "name": {"en": "Fifty"}}]}
        assert exported == [expected]
        done = apply_documents(exported, now=NOW)
        assert [change.verdict for change in done] == ["unchanged"]
    assert save_game(WRITTEN[-1], now=NOW, declared={}).verdict == "unchanged"
