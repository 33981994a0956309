"""The kind `portal`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from loyalty.kit.documents import Change, kinds
from loyalty.portal import operations, queries
from loyalty.portal.definition import read


class PortalKind:
    """How the member portal presents itself; after programs, which it names."""

    rank = 60

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        return operations.save_portal(read(document), now=now)

    def export(self) -> Iterable[dict[str, Any]]:
        for portal in queries.portals():
            yield portal.definition


kinds.add("portal", PortalKind())
