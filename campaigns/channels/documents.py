"""The kind `sender`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from campaigns.channels import operations
from campaigns.channels.definition import read
from campaigns.channels.models import Sender
from loyalty.kit.documents import Change, kinds


class SenderKind:
    """Who messages come from and which provider carries them."""

    rank = 10

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        return operations.save_sender(read(document), now=now)

    def export(self) -> Iterable[dict[str, Any]]:
        for sender in Sender.objects.order_by("key"):
            yield operations.document(sender)


kinds.add("sender", SenderKind())
