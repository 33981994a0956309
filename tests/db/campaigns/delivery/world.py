"""A small world for the outbox: customers with consent, a sender, a template, dispatches, planned messages."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from campaigns.channels.models import Sender
from campaigns.content.definition import TemplateDocument
from campaigns.content.operations import save_template
from campaigns.delivery import engine
from campaigns.delivery.ids import pack
from campaigns.delivery.models import Dispatch, Message, MessageAttempt, MessageVerdict
from campaigns.delivery.operations import register_dispatch
from campaigns.delivery.plan import plan_ctes
from loyalty.events import facts, partitions
from loyalty.events.types import learn_facts
from loyalty.kit.checks import invariants, verdict
from loyalty.kit.digests import address_digest
from loyalty.kit.sql import Sql, execute, fetch, sql

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
BODY = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>Hello {{ customer.first_name | default('you') }}</mj-text>"
    '<mj-button href="https://shop.example/sale">Sale</mj-button>'
    '<mj-text><a href="{{ unsubscribe_url }}">Unsubscribe</a> {{ imprint }}</mj-text>'
    "</mj-column></mj-section></mj-body></mjml>"
)


@dataclass
class World:
    """Builds rows; every customer is reachable by marketing email unless said otherwise."""

    now: datetime = NOW
    enrollments: int = 0

    def prepare(self) -> "World":
        partitions.ensure(self.now - timedelta(days=60), self.now + timedelta(days=60))
        learn_facts(now=self.now)
        return self

    def sender(self, key: str = "mail", provider: str = "email_recording", **fields: Any) -> Sender:
        fields.setdefault("settings", {})
        made: Sender = Sender.objects.get_or_create(
            key=key,
            defaults={
                "channel": "email", "provider": provider, "created_at": self.now, "updated_at": self.now, **fields,
            },
        )[0]  # fmt: skip
        return made

    def template(
        self,
        key: str = "hello",
        subject: str = "Hello",
        body: str = BODY,
        purpose: str = "marketing",
        attributes: Sequence[str] = (),
    ) -> int:
        document = TemplateDocument.model_validate(
            {
                "key": key, "channel": "email", "purpose": purpose,
                "locales": {"en": {"subject": subject, "body": body}},
            }
        )  # fmt: skip
        return save_template(document, now=self.now, declared_attributes=attributes).version_id

    def dispatch(self, **fields: Any) -> Dispatch:
        defaults: dict[str, Any] = {
            "step": "hello", "step_no": 1, "channel": "email", "purpose": "marketing", "flow_key": "winback",
            "flow_id": 1, "flow_version": 1,
        }  # fmt: skip
        given = defaults | fields
        if "template_version_id" not in given:
            given["template_version_id"] = self.template(purpose=given["purpose"])
        if "sender_id" not in given:
            given["sender_id"] = self.sender().pk
        return register_dispatch(**given, now=self.now)

    def customers(self, count: int, *, consent: str | None = "granted", prefix: str = "c", **columns: Any) -> list[int]:
        sequence = "SELECT nextval(pg_get_serial_sequence('customer', 'id')) FROM generate_series(1, %(n)s)"
        ids = [number for (number,) in fetch(sequence, {"n": count})]
        rows = []
        for number in ids:
            email = columns.get("email", f"{prefix}{number}@example.com")
            digest = address_digest(email, key=settings.ADDRESS_KEY).hex() if email else None
            rows.append({"id": number, "external_id": f"{prefix}{number}", "email": email, "digest": digest})
        execute(
            sql(
                "INSERT INTO customer (id, external_id, email, first_name, email_digest, locale, created_at,"
                " updated_at)"
                " SELECT id, external_id, email, {name}, decode(digest, 'hex'), {locale}, {now}, {now} FROM"
                " jsonb_to_recordset({rows}::jsonb) AS r (id bigint, external_id text, email text, digest text)",
                rows=json.dumps(rows),
                name=columns.get("first_name", "Ann"),
                locale=columns.get("locale", "en"),
                now=self.now,
            )
        )
        if consent:
            self.consent(ids, status=consent)
        return ids

    def consent(
        self, ids: Sequence[int], *, status: str = "granted", purpose: str = "marketing", at: datetime | None = None
    ) -> None:
        at = at or self.now - timedelta(days=1)
        execute(
            sql(
                "INSERT INTO consent_entry (customer_id, channel, purpose, status, occurred_at, recorded_at, source)"
                " SELECT id, 'email', {purpose}, {status}, {at}, {at}, 'test' FROM unnest({ids}::bigint[]) AS id",
                ids=list(ids),
                purpose=purpose,
                status=status,
                at=at,
            )  # fmt: skip
        )
        execute(
            sql(
                "INSERT INTO consent_state (customer_id, channel, purpose, status, since)"
                " SELECT id, 'email', {purpose}, {status}, {at} FROM unnest({ids}::bigint[]) AS id"
                " ON CONFLICT (customer_id, channel, purpose) DO UPDATE"
                " SET status = excluded.status, since = excluded.since",
                ids=list(ids),
                purpose=purpose,
                status=status,
                at=at,
            )  # fmt: skip
        )

    def event(self, customer_id: int, name: str, at: datetime, **properties: Any) -> None:
        rows = sql(
            "SELECT {customer}::bigint, {at}::timestamptz, NULL::bigint, {properties}::jsonb",
            customer=customer_id, at=at, properties=json.dumps(properties),
        )  # fmt: skip
        facts.write(name, rows)

    def plan(
        self, dispatch: Dispatch, customers: Sequence[int], *, holdout: bool = False, entered_at: datetime | None = None
    ) -> list[int]:
        """Plan one message per customer as the flow engine does; the message ids."""
        first = self.enrollments
        self.enrollments += len(customers)
        rows = sql(
            "SELECT {first} + n, customer_id, 1, {entered}::timestamptz, {holdout}::boolean"
            " FROM unnest({customers}::bigint[]) WITH ORDINALITY AS r (customer_id, n)",
            first=first, customers=list(customers), holdout=holdout, entered=entered_at or self.now,
        )  # fmt: skip
        ctes = plan_ctes("planned", dispatch, rows, self.now)
        with transaction.atomic():
            fetch(sql("WITH {ctes} SELECT count(*) FROM planned", ctes=ctes))
        return [pack(first + n + 1, 1, dispatch.step_no, 1) for n in range(len(customers))]

    def send(self, *, now: datetime | None = None, seconds: float = 20) -> int:
        return engine.run(channel="email", now=lambda: now or self.now, seconds=seconds)


def states(ids: Sequence[int]) -> list[int]:
    found = dict(Message.objects.filter(pk__in=list(ids)).values_list("pk", "state"))
    return [found[message_id] for message_id in ids]


def reasons(ids: Sequence[int]) -> list[str]:
    return [message.get_reason_display() for message in Message.objects.filter(pk__in=list(ids)).order_by("pk")]


def attempts(message_id: int) -> list[tuple[int, str | None, str | None]]:
    rows = MessageAttempt.objects.filter(message_id=message_id).order_by("attempt")
    return list(rows.values_list("attempt", "outcome", "detail"))


def verdicts(message_id: int) -> list[tuple[str, str, Any]]:
    rows = MessageVerdict.objects.filter(message_id=message_id).order_by("id")
    return list(rows.values_list("gate", "code", "facts"))


def fact_names(customer_id: int) -> list[str]:
    query = sql(
        "SELECT t.name FROM event e JOIN event_type t ON t.id = e.type_id WHERE e.customer_id = {id} ORDER BY e.id",
        id=customer_id,
    )
    return [name for (name,) in fetch(query)]


def violations() -> dict[str, list[Any]]:
    """Every invariant of the outbox that does not hold."""
    found = {}
    for check in invariants():
        if check.key.startswith("delivery."):
            result = verdict(check)
            if not result.holds:
                found[check.key] = [result.failure, *result.samples]
    return found


def expire_leases() -> None:
    execute(Sql("UPDATE message SET lease_until = clock_timestamp() - interval '1 second' WHERE state IN (1, 2)"))
