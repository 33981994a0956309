"""Consent over HTTP: double opt-in with its proof, topics and other choices, bases of existing customers."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import ConfigDict, Field, StringConstraints

from campaigns.tracking import optin, proof, proof_pdf
from loyalty.access.auth import ApiAuth
from loyalty.consent import choices, existing, topics
from loyalty.consent.optin import Asked, TooMany
from loyalty.customers import queries as customers
from loyalty.customers.addresses import email as read_email
from loyalty.customers.operations import upsert_customers
from loyalty.customers.queries import Reference
from loyalty.customers.values import Refused
from loyalty.kit import clock
from loyalty.kit.errors import ApiError
from loyalty.kit.problems import Problem, Problems

router = Router(tags=["consent"])

# Without a control character that no database column and no PDF could keep.
Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5000, pattern=r"^[^\x00]+$")]
BATCH_MAX = 5_000


class DoubleOptIn(Schema):
    """Who asked for what, where and by which text. `customer` is an external id or an object such as `{"card": "..."}`;
    with `address` alone the person is found or made by it."""

    model_config = ConfigDict(extra="forbid")

    customer: Any = None
    address: Line | None = None
    channel: Literal["email"] = "email"
    purposes: list[Literal["marketing", "tracking", "profiling", "service"]] = Field(["marketing"], min_length=1)
    topics: list[Line] = Field(default_factory=list, max_length=100)
    source: Line
    form: Line | None = None
    text_version: Line
    text: Text
    ip: Line | None = None
    user_agent: Line | None = None
    locale: Line | None = None


class ChoicesBody(Schema):
    """What to change: topics by key, `paused_until` (an instant, null to end a pause), `frequency`
    (`{"at_most": 2, "per": "week"}`, null for no limit). What is absent stays."""

    model_config = ConfigDict(extra="forbid")

    topics: dict[str, bool] | None = None
    paused_until: datetime | None = None
    frequency: dict[str, Any] | None = None
    source: Line = "api"


class BasisBody(Schema):
    """A purchase that makes a person an existing customer for similar goods."""

    model_config = ConfigDict(extra="forbid")

    customer: Any
    product_group: Line
    purchased_at: datetime
    notice: Text
    source: Line
    channel: Literal["email", "sms"] = "email"
    reference: Line | None = None


class BasesBody(Schema):
    """Up to 5,000 purchases."""

    model_config = ConfigDict(extra="forbid")

    purchases: list[BasisBody] = Field(max_length=BATCH_MAX)


@router.post(
    "consents/double-opt-in",
    auth=ApiAuth("customers:write"),
    response={202: dict[str, Any]},
    summary="Ask the owner of an address to confirm",
)
def ask_double_opt_in(request: HttpRequest, *, body: DoubleOptIn) -> Status[dict[str, Any]]:
    """Sends one mail without advertising. Nothing is granted until the button behind its link is pressed. The same
    request again within ten minutes brings no second mail. Answers 429 after five mails to one person in a day."""
    now = clock.now()
    customer_id, address = _person(body, now)
    asked = Asked(
        customer_id=customer_id,
        address=address,
        purposes=list(dict.fromkeys(body.purposes)),
        topics=list(dict.fromkeys(body.topics)),
        **body.model_dump(exclude={"customer", "address", "purposes", "topics"}),
    )
    try:
        made, fresh = optin.start(asked, now=now)
    except TooMany:
        raise ApiError(429, "This person was sent enough confirmation mails today; ask again tomorrow.") from None
    answer = {
        "id": str(made.id),
        "state": "pending",
        "mailed": fresh,
        "message_id": str(made.message_id),
        "expires_at": made.expires_at.isoformat(),
    }
    return Status(202, answer)


def _person(body: DoubleOptIn, now: datetime) -> tuple[int, str]:
    """The customer and the address that is to be confirmed; a person is made for an address that nobody has."""
    problems = topics.unknown(body.topics, "topics")
    address = None
    if body.address is not None:
        try:
            address = read_email(body.address)
        except Refused as wrong:
            problems.append(Problem("address", wrong.problem, wrong.remedy))
    if body.customer is None and body.address is None:
        problems.append(Problem("address", "is missing", "give the address, or the customer whose address it is"))
    if problems:
        raise Problems(problems)
    if body.customer is None:
        return _by_address(str(address), body, now), str(address)
    customer_id = _resolve([body.customer])[0]
    if customer_id is None:
        raise Problems(
            [Problem("customer", "there is no such customer", "make the customer first, or give the address")]
        )
    known = customers.profile(customer_id)["email"]
    if not known:
        raise Problems([Problem("customer", "has no email address", "add it to the profile first")])
    if address is not None and address.lower() != known.lower():
        raise Problems([Problem("address", "is not the customer's", "change the profile first, or leave it out")])
    return customer_id, str(known)


def _by_address(address: str, body: DoubleOptIn, now: datetime) -> int:
    found = customers.resolve([{"email": address}])[0]
    # The mail speaks the person's language; the form's is learned where none is known.
    if found is not None and (not body.locale or customers.profile(found)["locale"]):
        return found
    row = {"email": address} | ({"locale": body.locale} if body.locale else {})
    done = upsert_customers([row], now=now, source=body.source)
    if done.ids[0] is None:
        raise Problems(done.rejected[0][1])
    return done.ids[0]


def _resolve(given: list[Any]) -> list[int | None]:
    references: list[Reference] = [
        one if isinstance(one, dict) and all(isinstance(value, str) for value in one.values()) else str(one)
        for one in given
    ]
    return customers.resolve(references)


@router.get("consents/{id}/proof", auth=ApiAuth("customers:read"), summary="What proves a double opt-in")
def get_proof(
    request: HttpRequest,
    id: str,
    format: Literal["json", "pdf"] = "json",  # noqa: A002
    locale: Annotated[str, Query(pattern="^(en|de)$")] = "en",
) -> HttpResponse:
    """Request, text, mail with its hash, confirmation and ledger entries: as JSON, or as a PDF to print (English or
    German). `id` is that of the request."""
    try:
        found = proof.of(UUID(id))
    except ValueError:
        found = None
    if found is None:
        raise Http404("There is no such double opt-in.")
    return proof_pdf.answer(found, locale) if format == "pdf" else proof.answer(found)


@router.get("customers/{external_id}/choices", auth=ApiAuth("customers:read"), summary="What a person chose")
def get_choices(request: HttpRequest, *, external_id: str) -> dict[str, Any]:
    """Topics, pause and frequency that hold now, and everything that was chosen before."""
    return _shown(_customer(external_id))


@router.patch("customers/{external_id}/choices", auth=ApiAuth("customers:write"), summary="Change what a person chose")
def patch_choices(request: HttpRequest, *, external_id: str, body: ChoicesBody) -> dict[str, Any]:
    customer_id = _customer(external_id)
    held, given = choices.current(customer_id), body.model_dump(exclude_unset=True)
    wanted = given.get("topics") or {}
    problems = topics.unknown(list(wanted), "topics")
    if body.paused_until is not None and body.paused_until.tzinfo is None:
        problems.append(Problem("paused_until", "has no offset", "write 2026-11-21T09:30:00+01:00"))
    frequency = held.frequency
    if "frequency" in given:
        frequency, wrong = _frequency(body.frequency)
        problems += wrong
    if problems:
        raise Problems(problems)
    chosen = choices.Choices(wanted, given.get("paused_until", held.paused_until), frequency)
    choices.save(customer_id=customer_id, choices=chosen, source=body.source, now=clock.now())
    return _shown(customer_id)


def _frequency(given: dict[str, Any] | None) -> tuple[choices.Frequency | None, list[Problem]]:
    if given is None:
        return None, []
    at_most, per = given.get("at_most"), given.get("per")
    if set(given) != {"at_most", "per"} or type(at_most) is not int or not isinstance(per, str):
        return None, [Problem("frequency", "is no frequency", 'write {"at_most": 2, "per": "week"}')]
    return choices.Frequency(at_most, per), []


def _shown(customer_id: int) -> dict[str, Any]:
    held = choices.current(customer_id)
    wish = held.frequency
    return {
        "topics": dict(held.topics),
        "paused_until": held.paused_until,
        "frequency": {"at_most": wish.at_most, "per": wish.per} if wish else None,
        "history": choices.history(customer_id),
    }


@router.post(
    "consents/existing-customers", auth=ApiAuth("customers:write"), summary="Record purchases of existing customers"
)
def post_bases(request: HttpRequest, *, body: BasesBody) -> dict[str, Any]:
    """Each is the basis for advertising similar goods by mail without consent, if that is switched on. Who objected is
    left out; the latest purchase of a product group counts."""
    ids = _resolve([purchase.customer for purchase in body.purchases])
    now, bases, rejected = clock.now(), [], []
    for index, (purchase, customer_id) in enumerate(zip(body.purchases, ids, strict=True)):
        problems = []
        if customer_id is None:
            problems.append(Problem("customer", "there is no such customer"))
        if purchase.purchased_at.tzinfo is None or purchase.purchased_at > now:
            problems.append(Problem("purchased_at", "has no offset or lies in the future"))
        if problems or customer_id is None:
            told = [problem.within(f"purchases[{index}]").as_dict() for problem in problems]
            rejected.append({"index": index, "problems": told})
            continue
        bases.append(existing.Basis(customer_id=customer_id, **purchase.model_dump(exclude={"customer"})))
    written = existing.record_bases(bases, now=now)
    return {"accepted": len(bases), "recorded": written, "rejected": rejected}


def _customer(external_id: str) -> int:
    customer_id = customers.resolve([{"external_id": external_id}])[0]
    if customer_id is None:
        raise Http404("There is no customer with this external id.")
    return customer_id
