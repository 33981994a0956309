"""The kind `topic`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from loyalty.consent import topics
from loyalty.kit.documents import Change, kinds


class TopicKind:
    """Subjects of offers and news that people choose from; templates refer to them."""

    rank = 10

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        return topics.save(topics.read(document), now=now)

    def export(self) -> Iterable[dict[str, Any]]:
        for topic in topics.offered():
            yield topics.as_document(topic).as_document()


kinds.add("topic", TopicKind())
