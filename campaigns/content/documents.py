"""The kind `template`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from campaigns.content import operations, queries
from campaigns.content.definition import read
from loyalty.kit.documents import Change, kinds


class TemplateKind:
    """Messages that flows send."""

    rank = 30

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        attributes = declared.get("attribute", set())
        return operations.save_template(read(document), now=now, declared_attributes=attributes).change

    def export(self) -> Iterable[dict[str, Any]]:
        for template in queries.documents():
            yield template.as_document()


kinds.add("template", TemplateKind())
