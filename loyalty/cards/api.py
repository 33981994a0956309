"""Cards over HTTP: whose they are, new ones, lost ones, and their pictures."""

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Field, Router, Schema
from pydantic import ConfigDict

from loyalty.access.auth import ApiAuth
from loyalty.cards import codes, drawing, operations, passes, printing, queries
from loyalty.cards.models import CardBatch
from loyalty.cards.queries import CardShown
from loyalty.customers import queries as customers
from loyalty.kit import clock
from loyalty.kit.problems import Problem, Problems

router = Router(tags=["cards"])
READ, WRITE = ApiAuth("loyalty:read"), ApiAuth("loyalty:write")


class CardOut(Schema):
    number: str
    printed: str = Field(description="In groups of four, as on the card.")
    holder: str = Field(description="member or staff")
    state: str = Field(description="ready, blocked or ended")
    usable: bool = Field(description="It opens somebody's account at a till.")
    reason: str | None
    label: str | None
    since: datetime | None
    replaced_by: str | None
    customer: str | None = Field(description="External id of whose it is, or was.")


class CardsOut(Schema):
    cards: list[CardOut]


class CardIssueIn(Schema):
    model_config = ConfigDict(extra="forbid")

    series: str | None = Field(None, description="The oldest series for members where none is named.")
    amount: int = Field(0, ge=0, le=operations.LARGEST_BATCH)
    customers: list[str | dict[str, str]] = Field([], description="For personal cards: one each.", max_length=10_000)
    note: str = Field("", max_length=500)


class IssueOut(Schema):
    batch: int
    amount: int


class AssignIn(Schema):
    model_config = ConfigDict(extra="forbid")

    customer: str | dict[str, str]
    reason: str | None = Field(None, max_length=500)


class ReasonIn(Schema):
    model_config = ConfigDict(extra="forbid")

    reason: str = Field(description="lost, stolen, damaged, returned or misuse")


class ReplaceIn(ReasonIn):
    new_number: str | None = Field(None, description="A card from stock; without it, a new digital one.", max_length=64)


class CardMergeIn(Schema):
    model_config = ConfigDict(extra="forbid")

    gone: str = Field(description="The card that ends.", max_length=64)
    join: bool = Field(False, description="Join two known customers, too: both were asked.")


class CardCodeOut(Schema):
    text: str = Field(description="What the QR code says; a till recognizes the customer by it.")
    ends_at: datetime
    svg: str


class PassesOut(Schema):
    apple: str | None
    google: str | None


def _by(request: HttpRequest) -> str:
    key: Any = request.auth  # type: ignore[attr-defined]
    return f"API key {key.name}"


def _shown(card: CardShown, external_id: str | None = None) -> dict[str, Any]:
    if external_id is None and card.customer_id is not None:
        external_id = customers.profile(card.customer_id)["external_id"]
    names = ("number", "printed", "holder", "state", "usable", "reason", "label", "since", "replaced_by")
    return {name: getattr(card, name) for name in names} | {"customer": external_id}


def _customer(reference: str | dict[str, str], where: str = "customer") -> int:
    found = customers.resolve([reference])[0]
    if found is None:
        raise Problems([Problem(where, "nobody is known by this", "create the customer first")])
    return found


def _there(number: str) -> CardShown:
    found = queries.find(number)
    if found is None:
        raise Http404(str(operations.unknown(number)))
    return found


@router.get("/loyalty/cards/{number}", auth=READ, response=CardOut, summary="A card")
def read_card(request: HttpRequest, number: str) -> dict[str, Any]:
    return _shown(_there(number))


@router.get("/loyalty/members/{external_id}/cards", auth=READ, response=CardsOut, summary="A customer's cards")
def read_cards(request: HttpRequest, external_id: str) -> dict[str, Any]:
    """Usable ones first; then those that were blocked or replaced."""
    found = customers.resolve([external_id])[0]
    if found is None:
        raise Http404(f"There is no customer {external_id!r}.")
    return {"cards": [_shown(card, external_id) for card in queries.cards_of(found)]}


@router.post("/loyalty/members/{external_id}/cards", auth=WRITE, response=CardOut, summary="Give a digital card")
def open_card(request: HttpRequest, external_id: str) -> dict[str, Any]:
    """The usable card that the customer has, else a new one."""
    found = customers.resolve([external_id])[0]
    if found is None:
        raise Http404(f"There is no customer {external_id!r}.")
    number = operations.ensure_card(customer_id=found, now=clock.now(), by=_by(request))
    return _shown(_there(number), external_id)


@router.get("/loyalty/members/{external_id}/code", auth=READ, response=CardCodeOut, summary="A code for the till")
def read_code(request: HttpRequest, external_id: str) -> dict[str, Any]:
    """Good for five minutes: what an app shows, so that a picture of it is worth nothing."""
    found = customers.resolve([external_id])[0]
    if found is None:
        raise Http404(f"There is no customer {external_id!r}.")
    now = clock.now()
    text = codes.code_for(found, now=now)
    return {"text": text, "ends_at": now + codes.LASTS, "svg": drawing.qr_svg(text)}


@router.get("/loyalty/members/{external_id}/passes", auth=READ, response=PassesOut, summary="The card for the phone")
def read_passes(request: HttpRequest, external_id: str) -> dict[str, Any]:
    """Links for Apple Wallet (good for half an hour) and Google Wallet; null where that is not set up, or for who has
    no usable card."""
    found = customers.resolve([external_id])[0]
    if found is None:
        raise Http404(f"There is no customer {external_id!r}.")
    links = passes.links_for(found, now=clock.now())
    return {"apple": links.apple or None, "google": links.google or None}


@router.get("/loyalty/cards/{number}/qr.svg", auth=READ, summary="A card's number as QR code")
def read_qr(request: HttpRequest, number: str) -> HttpResponse:
    return _picture(drawing.qr_svg(_there(number).number))


@router.get("/loyalty/cards/{number}/barcode.svg", auth=READ, summary="A card's number as bar code")
def read_barcode(request: HttpRequest, number: str) -> HttpResponse:
    try:
        return _picture(drawing.barcode_svg(_there(number).number))
    except ValueError as error:
        raise Problems([Problem("number", str(error), "use the QR code")]) from None


def _picture(svg: str) -> HttpResponse:
    return HttpResponse(svg, content_type="image/svg+xml", headers={"Cache-Control": "private, no-store"})


@router.post("/loyalty/cards/batches", auth=WRITE, response=IssueOut, summary="Issue cards to print")
def issue(request: HttpRequest, body: CardIssueIn) -> dict[str, Any]:
    """So many from a series, or one for each of the customers, with the name on it."""
    ids = customers.resolve(body.customers)
    problems = [
        Problem(f"customers[{place}]", "nobody is known by this", "create the customer first")
        for place, found in enumerate(ids)
        if found is None
    ]
    if problems:
        raise Problems(problems)
    done = operations.issue(
        series=body.series, amount=body.amount, customer_ids=[one for one in ids if one is not None], note=body.note,
        by=_by(request), now=clock.now(),
    )  # fmt: skip
    return {"batch": done.batch_id, "amount": done.amount}


@router.get("/loyalty/cards/batches/{batch}/file", auth=WRITE, summary="The file for the printer")
def read_batch(request: HttpRequest, batch: int) -> StreamingHttpResponse:
    """CSV: the number, the number as it is printed, and the name where the batch is personal."""
    return batch_file(batch)


def batch_file(batch: int) -> StreamingHttpResponse:
    """The printer's file of a batch; 404 for an unknown one."""
    if not 0 < batch < 2**31 or not CardBatch.objects.filter(pk=batch).exists():
        raise Http404(f"There is no batch {batch}.")
    printing.note_printed(batch, now=clock.now())
    return StreamingHttpResponse(
        printing.lines(batch),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="cards-{batch}.csv"', "Cache-Control": "no-store"},
    )


@router.post("/loyalty/cards/{number}/assign", auth=WRITE, response=CardOut, summary="Give a card to a customer")
def assign(request: HttpRequest, number: str, body: AssignIn) -> dict[str, Any]:
    """What was collected with it before anybody was known comes along."""
    card = _there(number)
    return _shown(
        operations.assign(
            number=card.number, customer_id=_customer(body.customer), by=_by(request), now=clock.now(),
            reason=body.reason,
        )
    )  # fmt: skip


@router.post("/loyalty/cards/{number}/block", auth=WRITE, response=CardOut, summary="Block a card")
def block(request: HttpRequest, number: str, body: ReasonIn) -> dict[str, Any]:
    """Tills refuse it with the reason until it is unblocked."""
    card = _there(number)
    return _shown(operations.block(number=card.number, reason=body.reason, by=_by(request), now=clock.now()))


@router.post("/loyalty/cards/{number}/unblock", auth=WRITE, response=CardOut, summary="Unblock a card")
def unblock(request: HttpRequest, number: str) -> dict[str, Any]:
    return _shown(operations.unblock(number=_there(number).number, by=_by(request), now=clock.now()))


@router.post("/loyalty/cards/{number}/replace", auth=WRITE, response=CardOut, summary="Replace a lost card")
def replace(request: HttpRequest, number: str, body: ReplaceIn) -> dict[str, Any]:
    """The old number is refused from now on; the points stay where they are. Answers the new card."""
    card = _there(number)
    return _shown(
        operations.replace(
            number=card.number, reason=body.reason, by=_by(request), now=clock.now(), new_number=body.new_number
        )
    )


@router.post("/loyalty/cards/{number}/merge", auth=WRITE, response=CardOut, summary="Let a card stand for two")
def merge(request: HttpRequest, number: str, body: CardMergeIn) -> dict[str, Any]:
    """What happened with `gone` comes to whom this card belongs, and `gone` ends."""
    card = _there(number)
    return _shown(operations.merge(keep=card.number, gone=body.gone, join=body.join, by=_by(request), now=clock.now()))
