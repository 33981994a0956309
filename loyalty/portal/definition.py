"""Pure: what the document of kind `portal` says: how the member portal presents itself, and who runs it."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from loyalty.kit.problems import Problems, from_pydantic

_KEY = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,49}")
_WEB = re.compile(r"https?://[^\s\\\"'<>]{1,500}")
_MAIL = re.compile(r"[^\s@<>\"']{1,64}@[^\s@<>\"']{3,190}")


def _key(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is no key: use up to 50 of a-z 0-9 _ . -")
    return text


def _web(text: str) -> str:
    if text and not _WEB.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is no web address: write https://...")
    return text


def _mail(text: str) -> str:
    if text and not _MAIL.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is no email address")
    return text


def _short(texts: dict[str, str]) -> dict[str, str]:
    for text in (*texts, *texts.values()):
        if len(text) > 2_000 or "\0" in text:
            raise ValueError(f"{text[:40]!r}... is longer than 2,000 characters")
    return texts


Texts = Annotated[
    dict[str, str],
    BeforeValidator(lambda value: {"en": value} if isinstance(value, str) else value),
    AfterValidator(_short),
]
Web = Annotated[str, AfterValidator(_web)]


class PortalDocument(BaseModel):
    """How the portal presents itself. `offers_text` is what people agree to who want offers by email.

    `terms_version` is kept with every joining; change it with the terms. `accent` is made lighter or darker where it
    could not be read. `receipt_photos`: members may send photos of receipts. `pay`: how the part in money of a reward
    is paid; without any, at the till only. `forget_after`: days after which people are forgotten who asked to join and
    never confirmed, counted from the end of their link.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Annotated[str, AfterValidator(_key)]
    program: str | None = None
    name: Texts = Field(default_factory=dict)
    claim: Texts = Field(default_factory=dict)
    benefits: Annotated[list[Texts], Field(max_length=6)] = Field(default_factory=list)
    offers_text: Texts = Field(default_factory=dict)
    terms_version: Annotated[str, Field(min_length=1, max_length=50)] = "1"
    terms_url: Web = ""
    privacy_url: Web = ""
    imprint_url: Web = ""
    operator: Annotated[str, Field(max_length=1_000)] = ""
    email: Annotated[str, AfterValidator(_mail)] = ""
    phone: Annotated[str, Field(max_length=50, pattern=r"^[0-9 +()/.-]*$")] = ""
    accent: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] = "#1d4ed8"
    receipt_photos: bool = False
    pay: Annotated[tuple[Literal["counter", "invoice"], ...], Field(max_length=2)] = ("counter",)
    forget_after: Annotated[int, Field(ge=1, le=365)] = 30

    def as_document(self) -> dict[str, Any]:
        """The document that `apply` would take unchanged."""
        return {"kind": "portal", "key": self.key} | self.model_dump(
            mode="json", exclude_defaults=True, exclude={"key"}
        )


def read(document: dict[str, Any]) -> PortalDocument:
    """The document checked for its shape; raises Problems."""
    try:
        return PortalDocument.model_validate({name: value for name, value in document.items() if name != "kind"})
    except ValidationError as error:
        raise Problems(from_pydantic(error)) from None
