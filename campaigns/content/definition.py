"""Pure: a template as people write it: shape, checks, and back to text."""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from campaigns.channels.names import CHANNELS, PURPOSES
from campaigns.content.compile import LOCALES_MAX, digest
from loyalty.kit.problems import Problems, from_pydantic

_KEY = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


def _key(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is no key: use up to 64 of a-z 0-9 _ . - and begin with a letter or digit")
    return text


def _one_of(*known: str) -> AfterValidator:
    def check(text: str) -> str:
        if text not in known:
            raise ValueError(f"{text[:80]!r} is none of {', '.join(known)}")
        return text

    return AfterValidator(check)


def _plain(names: dict[str, str]) -> dict[str, str]:
    for text in (*names, *names.values()):
        if not text.isprintable():
            raise ValueError(f"{text[:40]!r} holds control characters: remove them")
    return names


def _plain_line(text: str | None) -> str | None:
    if text and (not text.isprintable() or len(text) > 100):
        raise ValueError(f"{text[:40]!r} is no line of up to 100 characters")
    return text.strip() or None if text else None


def _some(locales: dict[str, "LocaleText"]) -> dict[str, "LocaleText"]:
    if not 1 <= len(locales) <= LOCALES_MAX:
        raise ValueError(f"has {len(locales)} locales: write at least one, such as de, and at most {LOCALES_MAX}")
    return locales


class LocaleText(BaseModel):
    """The parts in one language; which ones a channel takes is checked when the template is compiled."""

    model_config = ConfigDict(extra="forbid")

    subject: str | None = None
    body: str
    text: str | None = None

    def parts(self) -> dict[str, str]:
        """What is given, by name."""
        return self.model_dump(exclude_none=True)


class TemplateDocument(BaseModel):
    """The document of kind `template`. The first locale serves whoever speaks none of the others."""

    model_config = ConfigDict(extra="forbid")

    key: Annotated[str, AfterValidator(_key)]
    name: Annotated[
        dict[str, str],
        BeforeValidator(lambda value: {"en": value} if isinstance(value, str) else value),
        AfterValidator(_plain),
    ] = Field(default_factory=dict)
    channel: Annotated[str, _one_of(*CHANNELS)] = "email"
    purpose: Annotated[
        str, BeforeValidator(lambda value: "marketing" if value is None else value), _one_of(*PURPOSES)
    ] = "marketing"
    sender: str | None = None
    topic: Annotated[str | None, AfterValidator(lambda value: _key(value) if value else None)] = None
    basis: Literal["consent", "existing_customer"] = "consent"
    product_group: Annotated[str | None, AfterValidator(_plain_line)] = None
    locales: Annotated[dict[str, LocaleText], AfterValidator(_some)]

    @model_validator(mode="after")
    def _check_basis(self) -> "TemplateDocument":
        if (self.basis == "existing_customer") != bool(self.product_group):
            raise ValueError("basis: existing_customer and product_group belong together: write both or neither")
        if self.purpose != "marketing" and (self.product_group or self.topic):
            raise ValueError("only marketing has a topic or a basis: remove them or set purpose: marketing")
        if self.product_group and self.channel not in ("email", "sms"):
            raise ValueError("basis: existing_customer is for email and sms")
        return self

    def texts(self) -> dict[str, dict[str, str]]:
        """The locales as plain dicts, in order."""
        return {name: locale.parts() for name, locale in self.locales.items()}

    def digest(self) -> str:
        """What a version stands for."""
        return digest(self.channel, self.purpose, self.texts())

    def as_document(self) -> dict[str, Any]:
        """The document that `apply` would take unchanged."""
        document: dict[str, Any] = {"kind": "template", "key": self.key}
        if self.name:
            document["name"] = self.name
        document |= {"channel": self.channel, "purpose": self.purpose}
        if self.sender:
            document["sender"] = self.sender
        if self.topic:
            document["topic"] = self.topic
        if self.product_group:
            document |= {"basis": self.basis, "product_group": self.product_group}
        return document | {"locales": self.texts()}


def read(document: dict[str, Any]) -> TemplateDocument:
    """The document checked for its shape; raises Problems."""
    try:
        return TemplateDocument.model_validate({name: value for name, value in document.items() if name != "kind"})
    except ValidationError as error:
        raise Problems(from_pydantic(error)) from None
