"""Topics: what offers and news are about, as people write them and as readers see them."""

import re
from datetime import datetime
from typing import Annotated, Any

from django.db import transaction
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from loyalty.consent.entries import CHANNELS
from loyalty.consent.models import Topic
from loyalty.kit.documents import Change
from loyalty.kit.problems import Problem, Problems, from_pydantic

_KEY = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


def _key(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is no key: use up to 64 of a-z 0-9 _ . - and begin with a letter or digit")
    return text


def _texts(texts: dict[str, str]) -> dict[str, str]:
    for text in (*texts, *texts.values()):
        if not text.isprintable() or len(text) > 500:
            raise ValueError(f"{text[:40]!r} is no line of up to 500 characters")
    return texts


def _channels(channels: list[str]) -> list[str]:
    unknown = [channel for channel in channels if channel not in CHANNELS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is none of {', '.join(CHANNELS)}")
    return list(dict.fromkeys(channels))


Texts = Annotated[
    dict[str, str],
    BeforeValidator(lambda value: {"en": value} if isinstance(value, str) else value),
    AfterValidator(_texts),
]


class TopicDocument(BaseModel):
    """The document of kind `topic`. Without `channels` it is offered on every one."""

    model_config = ConfigDict(extra="forbid")

    key: Annotated[str, AfterValidator(_key)]
    name: Texts = Field(default_factory=dict)
    description: Texts = Field(default_factory=dict)
    channels: Annotated[list[str], AfterValidator(_channels)] = Field(default_factory=list)
    position: int = Field(default=0, ge=0, le=1000)

    def as_document(self) -> dict[str, Any]:
        """The document that `apply` would take unchanged."""
        given = self.model_dump(exclude_defaults=True, exclude={"key"})
        return {"kind": "topic", "key": self.key} | given


def read(document: dict[str, Any]) -> TopicDocument:
    """The document checked for its shape; raises Problems."""
    try:
        return TopicDocument.model_validate({name: value for name, value in document.items() if name != "kind"})
    except ValidationError as error:
        raise Problems(from_pydantic(error)) from None


def as_document(topic: Topic) -> TopicDocument:
    """A stored topic as people write it."""
    return TopicDocument(
        key=topic.key,
        name=topic.name,
        description=topic.description,
        channels=topic.channels,
        position=topic.position,
    )


@transaction.atomic
def save(document: TopicDocument, *, now: datetime) -> Change:
    """Create the topic or change it to `document`; what people chose stays."""
    found = Topic.objects.select_for_update().filter(key=document.key).first()
    before = as_document(found).as_document() if found else None
    after = document.as_document()
    if before == after:
        return Change("topic", document.key, "unchanged", before, after)
    fields = document.model_dump(exclude={"key"}) | {"updated_at": now}
    Topic.objects.update_or_create(key=document.key, defaults=fields, create_defaults=fields | {"created_at": now})
    return Change("topic", document.key, "created" if before is None else "updated", before, after)


def offered() -> list[Topic]:
    """Every topic, in the order in which readers see them."""
    return list(Topic.objects.order_by("position", "key"))


def known() -> set[str]:
    """The keys there are."""
    return set(Topic.objects.values_list("key", flat=True))


def unknown(keys: list[str], where: str) -> list[Problem]:
    """A problem for each key that no topic has."""
    there = known()
    remedy = f"known: {', '.join(sorted(there)) or 'none'}"
    return [
        Problem(f"{where}[{place}]", f"there is no topic {key!r}", remedy)
        for place, key in enumerate(keys)
        if key not in there
    ]


def delete(*, key: str) -> int:
    """Take a topic off the list; what people chose about it stays, and templates that name it keep to that."""
    return Topic.objects.filter(key=key).delete()[0]
