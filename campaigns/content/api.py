"""Templates over HTTP: save, read, try on a real customer."""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest
from ninja import Body, Field, Router, Schema
from pydantic import BaseModel, ConfigDict, model_validator

from campaigns.content import context, operations, preview, queries
from campaigns.content.definition import read
from campaigns.content.models import Template, TemplateVersion
from campaigns.content.render import RenderError
from loyalty.access.auth import ApiAuth
from loyalty.customers import queries as customers
from loyalty.kit import clock
from loyalty.kit.problems import Problem, Problems

router = Router(tags=["templates"])


class ProblemOut(Schema):
    where: str
    problem: str


class SavedOut(Schema):
    key: str
    version: int
    verdict: str = Field(description="created, updated or unchanged")
    warnings: list[ProblemOut] = Field(description="Where customers without a value would get no message.")


class PreviewIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    customer: str | int | dict[str, str] = Field(description="External id, or {'email': ...} and the like.")
    locale: str | None = Field(None, max_length=35, description="Instead of the customer's own.")
    event: dict[str, Any] | None = Field(None, description="What would have triggered the message.")

    @model_validator(mode="before")
    @classmethod
    def _bare_reference(cls, value: Any) -> Any:
        """`{"external_id": "7"}` and `{"email": ...}` say who as well as `customer` does."""
        given = value if isinstance(value, dict) else {}
        named = [name for name in ("external_id", "email", "phone") if name in given]
        if len(named) == 1 and "customer" not in given:
            rest = {name: item for name, item in given.items() if name not in named}
            return {**rest, "customer": given[named[0]] if named[0] == "external_id" else {named[0]: given[named[0]]}}
        return value


class TemplatePreviewOut(Schema):
    subject: str
    html: str
    text: str
    locale: str = Field(description="The template's locale that served.")


@router.put("/templates/{key}", response=SavedOut, auth=ApiAuth("templates:write"), summary="Save a template")
def put_template(request: HttpRequest, key: str, body: Body[dict[str, Any]]) -> dict[str, Any]:
    """Takes the document of kind `template`. Answers 422 with every mistake by part and line."""
    wrong = [
        Problem(name, f"is not {value!r}, as the address says", "make them the same")
        for name, value in (("kind", "template"), ("key", key))
        if body.get(name, value) != value
    ]
    if wrong:
        raise Problems(wrong)
    # GET adds the version: what was read may be put back as it is.
    given = {name: value for name, value in body.items() if name != "version"}
    saved = operations.save_template(read({**given, "key": key}), now=clock.now())
    warnings = [warning.as_dict() for warning in saved.warnings]
    return {"key": key, "version": saved.number, "verdict": saved.change.verdict, "warnings": warnings}


@router.get("/templates/{key}", response=dict[str, Any], auth=ApiAuth("templates:read"), summary="Read a template")
def get_template(request: HttpRequest, key: str) -> dict[str, Any]:
    """The document as `export` writes it, with the number of its version."""
    template, version = _current(key)
    return {**queries.document(template, version.source).as_document(), "version": version.number}


@router.post(
    "/templates/{key}/preview",
    response=TemplatePreviewOut,
    auth=ApiAuth("templates:read"),
    summary="Try a template on a customer",
)
def preview_template(request: HttpRequest, key: str, body: PreviewIn) -> preview.Preview:
    """The message this customer would get now, with plain links and no pixel; nothing is sent or stored."""
    _, version = _current(key)
    reference = str(body.customer) if isinstance(body.customer, int) else body.customer
    customer_id = customers.resolve([reference])[0]
    if customer_id is None:
        raise Http404("There is no such customer.")
    events = {customer_id: body.event} if body.event else None
    values = context.contexts([customer_id], now=clock.now(), events=events, shared=context.placeholders())[customer_id]
    try:
        return preview.render(
            version.compiled,
            values,
            locale=body.locale or values["customer"].get("locale"),
            unsubscribe=f"{settings.PUBLIC_URL}/u/preview",
            preferences=f"{settings.PUBLIC_URL}/p/preview",
        )
    except RenderError as error:
        raise Problems([error.problem]) from None


def _current(key: str) -> tuple[Template, TemplateVersion]:
    found = queries.current(key)
    if found is None:
        raise Http404("There is no such template.")
    return found
