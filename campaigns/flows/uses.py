"""Which flows name an attribute of customers."""

from django.urls import reverse
from django.utils.translation import gettext

from loyalty.kit.sql import fetch, sql
from loyalty.kit.uses import Use, names


@names("attribute")
def flows_with(key: str) -> list[Use]:
    """The flows with a condition on the attribute, at any depth."""
    query = sql(
        "SELECT id, key FROM flow WHERE jsonb_path_exists(definition, '$.** ? (@.attribute == $key)',"
        " jsonb_build_object('key', {key}::text)) ORDER BY key",
        key=key,
    )
    return [
        Use(gettext("flow"), found, reverse("admin:flows_flow_change", args=[flow_id]))
        for flow_id, found in fetch(query)
    ]
