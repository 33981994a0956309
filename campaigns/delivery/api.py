"""Messages over HTTP: a person's messages and the passport of one."""

from typing import Annotated, Any

from django.http import Http404, HttpRequest
from ninja import Query, Router

from campaigns.delivery import queries
from loyalty.access.auth import ApiAuth
from loyalty.customers import queries as customers

router = Router(tags=["messages"])
LARGEST_ID = 2**63 - 1


@router.get("messages/{message_id}", auth=ApiAuth("messages:read"), summary="The passport of a message")
def passport(request: HttpRequest, message_id: str) -> dict[str, Any]:
    """Every gate in order with verdict, reason code and facts; the attempts; what happened afterwards."""
    number = int(message_id) if message_id.isascii() and message_id.isdecimal() and len(message_id) < 20 else 0
    found = queries.passport(number) if 0 < number <= LARGEST_ID else None
    if found is None:
        raise Http404("There is no such message.")
    return found


@router.get("customers/{external_id}/messages", auth=ApiAuth("messages:read"), summary="A customer's messages")
def messages(
    request: HttpRequest,
    external_id: str,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[str | None, Query(pattern=r"^[0-9]{1,19}$")] = None,
) -> dict[str, Any]:
    """Newest first; ask for the next page with `before` = the last id of this one."""
    customer_id = customers.resolve([external_id])[0]
    if customer_id is None:
        raise Http404("There is no such customer.")
    number = min(int(before), LARGEST_ID) if before else None
    return {"messages": queries.messages_of(customer_id, limit=limit, before=number)}
