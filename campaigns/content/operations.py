"""Writes templates: a new immutable version whenever what goes out would change, and only then."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from campaigns.content import queries
from campaigns.content.compile import compile_template
from campaigns.content.definition import TemplateDocument
from campaigns.content.models import Template, TemplateVersion
from loyalty.consent import topics
from loyalty.customers.catalog import attribute_fields
from loyalty.kit.documents import Change
from loyalty.kit.problems import Problem, Problems


@dataclass(frozen=True, slots=True)
class SavedTemplate:
    """`version_id` is the current version afterwards; `warnings` tell who may get no message."""

    change: Change
    template_id: int
    version_id: int
    number: int
    warnings: list[Problem] = field(default_factory=list)


@transaction.atomic
def save_template(
    document: TemplateDocument, *, now: datetime, declared_attributes: Collection[str] = ()
) -> SavedTemplate:
    """Create the template or change it to `document`; raises Problems with every mistake, with part and line.

    `declared_attributes` are customer fields that the same `apply` brings.
    """
    if document.topic and (mistakes := topics.unknown([document.topic], "topic")):
        raise Problems([Problem("topic", one.problem, one.remedy) for one in mistakes])
    attributes = {*attribute_fields(), *declared_attributes}
    made = compile_template(document.texts(), channel=document.channel, purpose=document.purpose, attributes=attributes)
    template = Template.objects.select_for_update().filter(key=document.key).first()
    before = None
    version = None
    if template is None:
        template = Template(key=document.key, created_at=now)
    else:
        if template.channel != document.channel:
            problem = f"the template is for {template.channel}, and messages of its versions may be under way"
            raise Problems([Problem("channel", problem, "give the other channel a template of its own")])
        version = TemplateVersion.objects.filter(pk=template.current_version_id or 0).first()
        before = queries.document(template, version.source).as_document() if version else None
    after = document.as_document()
    if before == after and _order(before) == _order(after) and version:
        change = Change("template", document.key, "unchanged", before, after)
        return SavedTemplate(change, template.id, version.id, version.number, made.warnings)
    template.channel, template.purpose = document.channel, document.purpose
    template.name, template.sender_key, template.updated_at = document.name, document.sender, now
    template.topic, template.product_group = document.topic, document.product_group
    template.save()
    digest = document.digest()
    if version is None or version.digest != digest:
        version = TemplateVersion.objects.create(
            template=template,
            number=(version.number if version else 0) + 1,
            digest=digest,
            source={"order": list(document.locales), "locales": document.texts()},
            compiled=made.content,
            created_at=now,
        )
        Template.objects.filter(pk=template.pk).update(current_version_id=version.id)
    change = Change("template", document.key, "created" if before is None else "updated", before, after)
    return SavedTemplate(change, template.id, version.id, version.number, made.warnings)


def _order(document: dict[str, object] | None) -> list[str]:
    locales = document["locales"] if document else {}
    return list(locales) if isinstance(locales, dict) else []
