"""Which segments name an attribute of customers."""

from django.urls import reverse
from django.utils.translation import gettext

from loyalty.kit.sql import fetch, sql
from loyalty.kit.uses import Use, names


@names("attribute")
def segments_with(key: str) -> list[Use]:
    """The segments whose rule asks for the attribute, at any depth."""
    query = sql(
        "SELECT id, key FROM segment WHERE jsonb_path_exists(rule, '$.** ? (@.attribute == $key)',"
        " jsonb_build_object('key', {key}::text)) ORDER BY key",
        key=key,
    )
    return [
        Use(gettext("segment"), found, reverse("admin:segments_segment_change", args=[segment_id]))
        for segment_id, found in fetch(query)
    ]
