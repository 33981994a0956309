"""Fills an outbox for the long runs: customers with consent and one planned message each."""

from datetime import timedelta

from django.db import transaction

from campaigns.channels.models import Sender
from campaigns.content.definition import TemplateDocument
from campaigns.content.operations import save_template
from campaigns.delivery.operations import register_dispatch
from campaigns.delivery.plan import plan_ctes
from loyalty.events import partitions
from loyalty.kit import clock
from loyalty.kit.sql import execute, fetch, sql

BODY = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>Hello {{ customer.first_name | default('you') }}</mj-text>"
    '<mj-button href="https://shop.example/sale">Sale</mj-button>'
    '<mj-text><a href="{{ unsubscribe_url }}">Unsubscribe</a> {{ imprint }}</mj-text>'
    "</mj-column></mj-section></mj-body></mjml>"
)


def plan_messages(count: int) -> None:
    """`count` messages to as many people, due now, for the sink."""
    now = clock.now()
    partitions.ensure(now - timedelta(days=1), now + timedelta(days=40))
    settings = {"host": "sink", "from_email": "shop@example.com", "from_name": "Shop", "imprint": "Shop Ltd"}
    sender = Sender.objects.create(key="mail", channel="email", provider="email_smtp", settings=settings)
    document = TemplateDocument.model_validate(
        {"key": "hello", "channel": "email", "locales": {"en": {"subject": "Hello", "body": BODY}}}
    )
    dispatch = register_dispatch(
        step="hello", step_no=1, channel="email", purpose="marketing", sender_id=sender.pk,
        template_version_id=save_template(document, now=now).version_id, now=now,
    )  # fmt: skip
    execute(
        sql(
            "INSERT INTO customer (id, external_id, first_name, attributes, created_at, updated_at)"
            " SELECT i, 'c' || i, 'Ann ' || i, '{{}}', {now}, {now} FROM generate_series(1, {count}) AS i",
            now=now,
            count=count,
        )
    )
    _addresses()
    for table, columns, values in (
        ("consent_entry", "occurred_at, recorded_at, source", "{now}, {now}, 'form'"),
        ("consent_state", "since", "{now}"),
    ):
        execute(
            sql(
                f"INSERT INTO {table} (customer_id, channel, purpose, status, {columns})"
                f" SELECT id, 'email', 'marketing', 'granted', {values} FROM customer",
                now=now,
            )
        )
    rows = sql("SELECT id, id, 1, {now}::timestamptz, false FROM customer ORDER BY id", now=now)
    with transaction.atomic():
        fetch(sql("WITH {ctes} SELECT count(*) FROM planned", ctes=plan_ctes("planned", dispatch, rows, now)))


def _addresses() -> None:
    """Each person's address with its hash, as every write of the profile keeps them."""
    from django.conf import settings

    from loyalty.kit.digests import address_digest

    ids = [number for (number,) in fetch("SELECT id FROM customer ORDER BY id")]
    addresses = [f"a{number}@example.com" for number in ids]
    execute(
        sql(
            "UPDATE customer c SET email = a.email, email_digest = a.digest"
            " FROM unnest({ids}::bigint[], {emails}::text[], {digests}::bytea[]) AS a (id, email, digest)"
            " WHERE c.id = a.id",
            ids=ids,
            emails=addresses,
            digests=[address_digest(address, key=settings.ADDRESS_KEY) for address in addresses],
        )
    )
