"""Every operation of the API, called as its own OpenAPI document says and nearly so, answers as the document says.

`OPENAPI_CASES=500 pytest tests/contracts/test_openapi.py` asks more of each; `OPENAPI_SEED` asks other things.
"""

import json
import os
from collections.abc import Iterator
from random import Random
from typing import Any
from urllib.parse import urlencode, urlsplit

import jsonschema_rs
import pytest
import schemathesis
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from loyalty.access.operations import create_api_key
from loyalty.kit.api import ERROR_SCHEMA
from loyalty.kit.clock import now
from loyalty.urls import api
from tests.contracts.openapi_store import DOCUMENTS, fill

pytestmark = pytest.mark.django_db

CASES = int(os.environ.get("OPENAPI_CASES", "6"))
SEED = int(os.environ.get("OPENAPI_SEED", "20261122"))
SCHEMA = schemathesis.openapi.from_dict(json.loads(json.dumps(api.get_openapi_schema(), default=str)))
OPERATIONS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations()}
PHASES = (Phase.generate,)
# What trips code up that trusts its input.
ODD: list[Any] = [
    "", " ", "\0", "a\0b", "\ud800", "%", "'", "x" * 5_000, "2026-02-30", "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z", "2026-01-01T00:00:00+16:30", "infinity", "NaN", "1e400", "-1", 0, -1,
    2**31, 2**63, -(2**63) - 1, 10**40, 1e308, 0.1, True, None, [], {}, [[]], {"": ""}, {"\0": "\0"}, {"en": "\0"},
]  # fmt: skip


@pytest.fixture(scope="module")
def known(django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[Client, dict[str, list[Any]]]]:
    """A client with a key of all scopes and what is in the store; made once, and gone after the module."""
    with django_db_blocker.unblock(), transaction.atomic():
        secret = create_api_key(name="contract", scopes=["*"], now=now()).secret
        client = Client(headers={"Authorization": f"Bearer {secret}"}, raise_request_exception=False)
        yield client, fill(client)
        transaction.set_rollback(True)


def told(value: Any, known: dict[str, list[Any]], random: Random, name: str = "") -> Any:
    """The value with some of its parts replaced by what is in the store, and a few by what nobody should send."""
    dice = random.random()
    if dice < 0.5 and name in known and not isinstance(value, list):
        return random.choice(known[name])
    if dice > 0.98:
        return random.choice(ODD)
    if isinstance(value, dict):
        return {key: told(part, known, random, key) for key, part in value.items()}
    if isinstance(value, list):
        return [told(part, known, random, name) for part in value]
    return value


def written(operation: Any) -> list[dict[str, Any]]:
    """Documents for those operations that take one and say little about it."""
    kind = operation.path.removeprefix("/api/v1/").split("/{key}")[0]
    return [body for body in DOCUMENTS if f"{body['kind']}s" in (kind.replace("-", "_"), kind.rpartition("/")[2])]


def sent(client: Client, case: Any, known: dict[str, list[Any]], random: Random) -> Any:
    """The answer to nearly that call; whatever it wrote is gone again."""
    case.path_parameters = {
        name: random.choice(known[name]) if name in known and random.random() < 0.7 else value
        for name, value in (case.path_parameters or {}).items()
    }
    call = case.as_transport_kwargs(base_url="http://testserver")
    query = told(call.get("params") or {}, known, random)
    body = call.get("data") or b""
    if "json" in call:
        documents = written(case.operation) if case.method == "PUT" else []
        given = random.choice(documents) if documents and random.random() < 0.7 else call["json"]
        body = json.dumps(told(given, known, random))
    address = urlsplit(call["url"]).path
    if isinstance(query, dict):
        address += "?" + urlencode(query, doseq=True, errors="surrogatepass")
    kind = call["headers"].get("Content-Type", "application/json")
    with transaction.atomic():
        answer = client.generic(case.method, address, body if isinstance(body, bytes) else str(body), content_type=kind)
        if getattr(answer, "streaming", False):
            b"".join(answer)
        transaction.set_rollback(True)
    return answer, f"{case.method} {address} {body!r}"


@pytest.mark.parametrize("label", sorted(OPERATIONS))
def test_it_answers_as_the_document_says(label: str, known: tuple[Client, dict[str, list[Any]]]) -> None:
    client, names = known
    right = OPERATIONS[label].as_strategy(generation_mode=GenerationMode.POSITIVE)
    wrong = OPERATIONS[label].as_strategy(generation_mode=GenerationMode.NEGATIVE)

    # One call in four is against the document.
    @seed(SEED)
    @settings(max_examples=CASES, deadline=None, database=None, phases=PHASES, suppress_health_check=list(HealthCheck))
    @given(st.one_of(right, right, right, wrong), st.integers(0, 2**32))
    def ask(case: Any, dice: int) -> None:
        answer, shown = sent(client, case, names, Random(dice))
        assert answer.status_code < 500, shown
        if answer.status_code >= 400:
            body = json.loads(answer.content)
            jsonschema_rs.validate(ERROR_SCHEMA, body)
            assert body["error"]["message"], shown

    ask()
