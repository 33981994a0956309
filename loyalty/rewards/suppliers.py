"""Suppliers as the staff write them: their documents, their secrets, a trial of their address."""

import json
import os
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from loyalty.kit import outbound, signatures
from loyalty.kit.documents import Change
from loyalty.kit.problems import Problem, Problems
from loyalty.rewards.models import Supplier
from loyalty.rewards.supplier_definition import SupplierDocument, Webhook


@transaction.atomic
def save_supplier(document: SupplierDocument, *, now: datetime) -> Change:
    """Create the supplier or change it; raises Problems. Orders are pushed from the moment there is a webhook."""
    hook = document.webhook
    if hook and (why := outbound.objection(hook.url)):
        raise Problems([Problem("webhook.url", why)])
    found = Supplier.objects.select_for_update(no_key=True).filter(key=document.key).first()
    after = {"kind": "supplier", "key": document.key, **document.plain()}
    before = found.definition if found else None
    verdict = "created" if before is None else "unchanged" if before == after else "updated"
    if verdict != "unchanged":
        row = found or Supplier(key=document.key, created_at=now)
        row.name, row.state, row.definition, row.updated_at = document.name, document.state, after, now
        row.pushed_since = (row.pushed_since or now) if hook else None
        # Whatever was wrong, it may be mended.
        row.failures, row.resting_until = 0, None
        row.save()
    return Change("supplier", document.key, verdict, before, after)


@transaction.atomic
def set_state(*, supplier_id: int, state: str, now: datetime) -> None:
    """Stop sending orders to the supplier, or go on; its document says so too."""
    row = Supplier.objects.select_for_update(no_key=True).get(id=supplier_id)
    rest = {name: value for name, value in row.definition.items() if name != "state"}
    row.state, row.updated_at = state, now
    row.definition = rest if state == Supplier.State.ACTIVE else {**rest, "state": state}
    row.failures, row.resting_until = 0, None
    row.save()


def webhook_of(supplier: Supplier) -> Webhook | None:
    """Where its orders are pushed."""
    return SupplierDocument.model_validate(supplier.definition).webhook


def secrets_of(hook: Webhook) -> list[str]:
    """The secrets that verify, the one that signs first; empty when it is not in the environment."""
    found = [os.environ.get(name, "") for name in (hook.secret_env, hook.old_secret_env) if name]
    return [one for one in found if len(one) >= signatures.SHORTEST_SECRET]


def secret_problem(hook: Webhook) -> str:
    """What is wrong with the secret that signs; empty when nothing is."""
    given = os.environ.get(hook.secret_env, "")
    if not given:
        return f"{hook.secret_env} is not in the environment"
    if len(given) < signatures.SHORTEST_SECRET:
        return f"{hook.secret_env} is shorter than {signatures.SHORTEST_SECRET} characters"
    return ""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one request: `fault` is empty when it was taken; `kind` as in OutboundError or `status`."""

    fault: str = ""
    kind: str = ""
    status: int | None = None
    pause: int = 0


def deliver(hook: Webhook, content: dict[str, Any], *, key: str, now: datetime) -> Tried:
    """Send one signed message and say what came of it. `pause`: seconds that the supplier asks for."""
    if wrong := secret_problem(hook):
        return Tried(wrong, "refused")
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": key,
        signatures.HEADER: signatures.sign(body, secret=os.environ[hook.secret_env], at=now),
    }
    try:
        answer = outbound.send("POST", hook.url, headers=headers, body=body, most=100_000)
    except outbound.OutboundError as error:
        return Tried(str(error), error.kind)
    if answer.fine:
        return Tried(status=answer.status)
    asked = answer.headers.get("retry-after", "")
    pause = min(int(asked), 3600) if asked.isdecimal() and len(asked) < 9 else 60
    told = " ".join(answer.body[:300].decode(errors="replace").split())[:150]
    fault = f"answered {answer.status}" + (f": {told}" if told.isprintable() and told else "")
    return Tried(fault, "status", answer.status, pause if answer.status in (429, 503) else 0)


def try_out(supplier: Supplier, *, now: datetime) -> Tried:
    """Send a message of the event `test`, which orders nothing; raises Problems without a webhook."""
    hook = webhook_of(supplier)
    if hook is None:
        raise Problems([Problem("webhook", "there is none", "add it to the document of the supplier")])
    content = {"event": "test", "supplier": supplier.key}
    return deliver(hook, content, key=f"test-{int(now.timestamp())}", now=now)
