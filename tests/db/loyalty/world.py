"""Something of everything that the admin shows, made through the product's own doors."""

from datetime import UTC, datetime, timedelta

from campaigns.segments.operations import save_segment
from loyalty.access.operations import create_api_key
from loyalty.consent.operations import ConsentEntry, record, suppress
from loyalty.customers.models import Customer, ImportJob
from loyalty.customers.operations import upsert_customers
from loyalty.events import operations as events

NOW = datetime.now(UTC) - timedelta(hours=1)


def populate(n: int) -> Customer:
    """n of everything that the pages list; the first customer, who has n of everything too."""
    done = upsert_customers(
        [
            {
                "external_id": f"c{i}",
                "email": f"c{i}@example.com",
                "first_name": "Ada",
                "country": ("DE", "AT", "CH")[i % 3],
                "attributes": {f"field_{j}": j for j in range(n)} if i == 0 else {"size": i},
                "identities": {"card": f"card-{i}"},
            }
            for i in range(n)
        ],
        now=NOW,
        source="test",
    )
    first = Customer.objects.get(pk=done.ids[0])
    entries = [
        ConsentEntry(customer.pk, "email", "marketing", "granted", "form", NOW - timedelta(days=i))
        for i in range(n)
        for customer in Customer.objects.all()
    ]
    record(entries, now=NOW)
    suppress("sms", addresses=[f"+4930{i:07d}" for i in range(n)], reason="hard_bounce", now=NOW)
    events.intake(
        events=[
            {"customer": "c0", "name": f"thing_{i}", "occurred_at": NOW.isoformat(), "properties": {"amount": i}}
            for i in range(n)
        ],
        now=NOW,
    )
    for i in range(n):
        save_segment(key=f"s{i}", rule={"any": [{"attribute": "country", "eq": "DE"}] * (i % 3 + 1)}, now=NOW)
        create_api_key(name=f"program {i}", scopes=["events:write"], now=NOW)
        ImportJob.objects.create(
            kind="customers",
            file_name="people.csv",
            file_digest=f"{n} {i}",
            options_digest="",
            size_bytes=200,
            cursor_bytes=100,
            cursor_line=10,
            rejected=i,
            state="running",
            started_at=NOW,
            updated_at=NOW,
        )
    return first
