"""Which templates name an attribute of customers."""

from django.urls import reverse
from django.utils.translation import gettext

from loyalty.kit.sql import fetch, sql
from loyalty.kit.uses import Use, names


@names("attribute")
def templates_with(key: str) -> list[Use]:
    """The templates whose current text says `attributes.<key>`; rather one too many than one too few."""
    query = sql(
        "SELECT t.id, t.key FROM template t JOIN template_version v ON v.id = t.current_version_id"
        " WHERE strpos(v.source::text, {name}) > 0 ORDER BY t.key",
        name=f"attributes.{key}",
    )
    return [
        Use(gettext("template"), found, reverse("admin:content_template_change", args=[template_id]))
        for template_id, found in fetch(query)
    ]
