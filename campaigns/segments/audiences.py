"""Segments as the audiences that the loyalty side shows its rewards and offers to."""

from collections.abc import Collection

from campaigns.segments.models import Segment
from loyalty.kit.audiences import keep_audiences
from loyalty.kit.sql import Sql, sql


class Segments:
    """Who is in a segment now."""

    def members(self, keys: Collection[str]) -> Sql:
        """A SELECT of (key, customer_id) for everybody in these segments."""
        return sql(
            "SELECT s.key, m.customer_id FROM segment s JOIN segment_member m ON m.segment_id = s.id"
            " WHERE s.key = ANY({keys})",
            keys=sorted(keys),
        )

    def known(self, keys: Collection[str]) -> set[str]:
        """Those of the keys that are segments."""
        return set(Segment.objects.filter(key__in=keys).values_list("key", flat=True))


keep_audiences(Segments())
