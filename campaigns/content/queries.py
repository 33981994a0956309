"""Reads templates and their versions."""

from functools import lru_cache
from typing import Any

from campaigns.content.definition import TemplateDocument
from campaigns.content.models import Template, TemplateVersion


def compiled(version_id: int) -> dict[str, Any]:
    """The compiled content of a version; raises LookupError."""
    content = TemplateVersion.objects.filter(pk=version_id).values_list("compiled", flat=True).first()
    if content is None:
        raise LookupError(f"there is no template version {version_id}")
    return dict(content)


@lru_cache(maxsize=1024)
def links(version_id: int) -> tuple[str, ...]:
    """The fixed addresses of a version by link number, kept for the process; raises LookupError."""
    return tuple(compiled(version_id)["links"])


def document(template: Template, source: dict[str, Any]) -> TemplateDocument:
    """The template as people write it, with this version's source."""
    return TemplateDocument.model_validate(
        {
            "key": template.key,
            "name": template.name,
            "channel": template.channel,
            "purpose": template.purpose,
            "sender": template.sender_key,
            "topic": template.topic,
            "basis": "existing_customer" if template.product_group else "consent",
            "product_group": template.product_group,
            "locales": {name: source["locales"][name] for name in source["order"]},
        }
    )


def documents() -> list[TemplateDocument]:
    """All templates by key, in two queries."""
    templates = list(Template.objects.order_by("key"))
    wanted = [template.current_version_id for template in templates if template.current_version_id]
    sources = dict(TemplateVersion.objects.filter(pk__in=wanted).values_list("id", "source"))
    return [
        document(template, sources[template.current_version_id])
        for template in templates
        if template.current_version_id in sources
    ]


def current(key: str) -> tuple[Template, TemplateVersion] | None:
    """A template with its current version; None for an unknown key."""
    template = Template.objects.filter(key=key).first()
    if template is None:
        return None
    version = TemplateVersion.objects.filter(pk=template.current_version_id or 0).first()
    return (template, version) if version else None
