"""Partners over HTTP: what a partner's own key may do, and what the program's keys see of partners."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Router

from loyalty.access.auth import ApiAuth
from loyalty.customers import queries as customers
from loyalty.events import queue
from loyalty.kit import clock
from loyalty.kit.errors import ApiError
from loyalty.kit.problems import Problem, Problems
from loyalty.partners import foreign, names, operations, paper, passing, queries, statements, trading
from loyalty.partners.models import ForeignProgram, Partner, Statement
from loyalty.partners.shapes import (
    AccountsIn,
    Asked,
    EnrollIn,
    PartnerOut,
    PassOnIn,
    PersonOut,
    StatementOut,
    StatementsOut,
    TradeOut,
)
from loyalty.program.receipts import Receipt, Return, Void
from loyalty.program.setup import Setup, load

router = Router(tags=["partners"])
PARTNER = ApiAuth(names.SCOPE)
READ, WRITE = ApiAuth("loyalty:read"), ApiAuth("loyalty:write")
STATEMENTS_SHOWN = 120


def _asking(request: HttpRequest) -> tuple[Partner, Setup, int]:
    """The partner whose key asks, its program, and the key."""
    key: Any = request.auth  # type: ignore[attr-defined]
    partner = queries.of_key(key.pk)
    if partner is None:
        raise ApiError(403, "This key belongs to no partner: keys of partners are made on the partner's page.")
    return partner, load(partner.program.key), key.pk


@router.get("/loyalty/partner", auth=PARTNER, response=PartnerOut, summary="The partner that the key belongs to")
def read_own(request: HttpRequest) -> dict[str, Any]:
    """Its shops, rates and data contract, and what is open between it and us."""
    partner, setup, _ = _asking(request)
    return {
        "key": partner.key,
        "name": partner.name,
        "state": partner.state,
        "stores": queries.stores_of(partner.pk),
        "rates": [{"fee": 0, **rate} for rate in partner.definition["rates"]],
        "contract": queries.contract_of(partner).model_dump(mode="json"),
        "currency": setup.document.currency,
        **statements.balances(partner.pk),
    }


def _person(found: passing.Found | None) -> dict[str, Any]:
    if found is None:
        raise Http404("No member of the program is known by this.")
    return {
        "enrolled": found.standing.enrolled,
        "consented": found.standing.consented,
        "fields": found.fields,
    }


@router.post("/loyalty/partner/members/find", auth=PARTNER, response=PersonOut, summary="What may be seen of a member")
def find_member(request: HttpRequest, body: Asked) -> dict[str, Any]:
    """Only the fields that the contract opens for this person; what is passed on is noted, and shown to the person."""
    partner, setup, key = _asking(request)
    found = passing.find(
        partner=partner, given=body.customer, setup=setup, occasion="lookup", api_key_id=key, now=clock.now()
    )
    return _person(found)


@router.post("/loyalty/partner/members", auth=PARTNER, response=PersonOut, summary="Bring somebody into the program")
def enroll_member(request: HttpRequest, body: EnrollIn) -> dict[str, Any]:
    """Somebody who is known already becomes known to the partner, without opening or changing what we know of them."""
    partner, setup, key = _asking(request)
    now = clock.now()
    customer_id, _ = passing.enroll(
        partner=partner, number=body.number, fields=body.fields, card=body.card, setup=setup, now=now
    )
    queue.wake()
    return _person(
        passing.show(
            partner=partner, customer_id=customer_id, setup=setup, occasion="enrollment", api_key_id=key, now=now
        )
    )


def _purchase(request: HttpRequest, body: Receipt, *, simulate: bool) -> dict[str, Any]:
    partner, setup, key = _asking(request)
    row = body.model_dump(exclude_unset=True, exclude={"program"})
    done = trading.purchase(partner=partner, row=row, setup=setup, simulate=simulate, api_key_id=key, now=clock.now())
    if not simulate:
        queue.wake()
    return done


@router.post("/loyalty/partner/transactions/simulate", auth=PARTNER, response=TradeOut, summary="What a purchase does")
def simulate_purchase(request: HttpRequest, body: Receipt) -> dict[str, Any]:
    """The very same as commit, taken back at the end."""
    return _purchase(request, body, simulate=True)


@router.post("/loyalty/partner/transactions/commit", auth=PARTNER, response=TradeOut, summary="Book a purchase")
def commit_purchase(request: HttpRequest, body: Receipt) -> dict[str, Any]:
    """At a shop of the partner. Ids are the partner's own: no other partner can meet them."""
    return _purchase(request, body, simulate=False)


@router.post("/loyalty/partner/transactions/return", auth=PARTNER, response=TradeOut, summary="Take lines back")
def return_purchase(request: HttpRequest, body: Return) -> dict[str, Any]:
    return _undo(request, body.model_dump(exclude_unset=True), void=False)


@router.post("/loyalty/partner/transactions/void", auth=PARTNER, response=TradeOut, summary="Undo a purchase")
def void_purchase(request: HttpRequest, body: Void) -> dict[str, Any]:
    return _undo(request, body.model_dump(exclude_unset=True), void=True)


def _undo(request: HttpRequest, row: dict[str, Any], *, void: bool) -> dict[str, Any]:
    partner, setup, key = _asking(request)
    done = trading.undo(partner=partner, row=row, void=void, setup=setup, api_key_id=key, now=clock.now())
    queue.wake()
    return done


def _stated(statement: Statement, paid: Any) -> dict[str, Any]:
    shown = ("number", "month", "lines", "net", "tax", "gross", "currency", "made_at")
    return {name: getattr(statement, name) for name in shown} | {"paid": paid}


@router.get("/loyalty/partner/statements", auth=PARTNER, response=StatementsOut, summary="The partner's statements")
def read_statements(request: HttpRequest) -> dict[str, Any]:
    """Newest first, those of ten years."""
    partner, _, _ = _asking(request)
    found = list(Statement.objects.filter(partner=partner).order_by("-month")[:STATEMENTS_SHOWN])
    sums = statements.payments([one.pk for one in found])
    return {"statements": [_stated(one, sums.get(one.pk, 0)) for one in found]}


@router.get("/loyalty/partner/statements/{number}", auth=PARTNER, response=StatementOut, summary="One statement")
def read_statement(request: HttpRequest, number: str, format: str = "json") -> Any:
    """`format`: json, csv (every booking behind it) or pdf."""
    partner, _, _ = _asking(request)
    statement = Statement.objects.select_related("partner").filter(partner=partner, number=number).first()
    if statement is None:
        raise Http404(f"There is no statement {number!r}.")
    if format not in ("json", "csv", "pdf"):
        raise Problems([Problem("format", f"{format!r} is not known", "known: json, csv, pdf")])
    return _stated(statement, statements.paid(statement.pk)) if format == "json" else file_of(statement, format)


def file_of(statement: Statement, format: str) -> HttpResponse | StreamingHttpResponse:
    """The statement as a file to keep."""
    name = f"{statement.number}.{format}"
    response: HttpResponse | StreamingHttpResponse
    if format == "pdf":
        response = HttpResponse(paper.pdf(statement), content_type="application/pdf")
    else:
        response = StreamingHttpResponse(paper.csv_lines(statement), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@router.get("/loyalty/partners", auth=READ, summary="The partners: who gets which data, and why")
def read_partners(request: HttpRequest) -> dict[str, Any]:
    """The essence of the arrangement with each (Art. 26 (2) GDPR), for pages of your own."""
    return {"partners": queries.essence(list(Partner.objects.filter(state="active").order_by("key")))}


def _customer(external_id: str) -> int:
    found = customers.resolve([external_id])[0]
    if found is None:
        raise Http404(f"There is no customer {external_id!r}.")
    return found


@router.get("/loyalty/members/{external_id}/partners", auth=READ, summary="What partners know of a member")
def read_partners_of(request: HttpRequest, external_id: str) -> dict[str, Any]:
    customer_id = _customer(external_id)
    return {"partners": queries.partners_of(customer_id), "transfers": queries.transfers_of(customer_id)}


@router.put("/loyalty/members/{external_id}/partners/{key}/consent", auth=WRITE, summary="May a partner get the data?")
def put_consent(request: HttpRequest, external_id: str, key: str, body: PassOnIn) -> dict[str, Any]:
    """What the member declared to the program. No partner can declare it for them."""
    partner = Partner.objects.filter(key=key).first()
    if partner is None:
        raise Http404(f"There is no partner {key!r}.")
    customer_id, now = _customer(external_id), clock.now()
    operations.record_consent(
        partner=partner,
        customer_id=customer_id,
        granted=body.granted,
        source=body.source,
        text_version=body.text_version,
        at=body.at or now,
        now=now,
    )
    return {"consented": queries.standing(partner.pk, customer_id).consented}


@router.post("/loyalty/foreign/{key}/accounts", auth=WRITE, summary="Balances in a foreign program")
def mirror_accounts(request: HttpRequest, key: str, body: AccountsIn) -> dict[str, Any]:
    """Up to 5,000 a call: the good ones are noted, the bad ones come back with every mistake."""
    program = ForeignProgram.objects.select_related("program").filter(key=key).first()
    if program is None:
        raise Http404(f"There is no foreign program {key!r}.")
    done = foreign.mirror(foreign=program, rows=body.accounts, now=clock.now())
    rejected = [
        {"index": index, "problems": [problem.within(f"accounts[{index}]").as_dict() for problem in problems]}
        for index, problems in done.rejected
    ]
    return {
        "created": done.created,
        "updated": done.updated,
        "unchanged": done.unchanged,
        "unknown": done.unknown,
        "rejected": rejected,
    }
