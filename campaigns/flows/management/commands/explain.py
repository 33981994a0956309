"""`manage.py explain CUSTOMER FLOW`: why this person did or did not get each message."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaigns.flows import queries
from campaigns.flows.models import Flow
from loyalty.customers.queries import resolve
from loyalty.kit.clock import now


class Command(BaseCommand):
    help = "Say why a customer (external id) did or did not get each message of a flow."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("customer", help="external id")
        parser.add_argument("flow", help="key of the flow")

    def handle(self, *args: Any, **options: Any) -> None:
        flow = Flow.objects.select_related("current_version").filter(key=options["flow"]).first()
        if flow is None:
            known = ", ".join(Flow.objects.order_by("key").values_list("key", flat=True)) or "none"
            raise CommandError(f"unknown flow {options['flow']!r}; known: {known}")
        customer_id = resolve([options["customer"]])[0]
        if customer_id is None:
            raise CommandError(f"unknown customer {options['customer']!r}: give the external id")
        ways = queries.enrollments(flow, customer_id)
        self.stdout.write(f"{options['customer']} in {flow.key} ({flow.state}):")
        if not ways:
            self.stdout.write("  never came in:")
            for reason in queries.why_not_entered(flow, customer_id, now=now()):
                self.stdout.write(f"    {reason}")
        for way in ways:
            self._way(way)

    def _way(self, way: dict[str, Any]) -> None:
        held = ", held out: gets nothing, is measured" if way["holdout"] else ""
        self.stdout.write(f"  entered {way['entered_at']:%Y-%m-%d %H:%M}, {way['status']}{held}")
        for move in way["moves"]:
            ran = f", ran {', '.join(move['ran'])}" if move["ran"] else ""
            origin = f"left {move['from']} by {move['exit']}" if move["from"] else "came in"
            self.stdout.write(f"    {move['at']:%Y-%m-%d %H:%M} {origin}{ran}")
        if way["step"]:
            self.stdout.write(f"    stands at {way['step']} until {way['due_at']:%Y-%m-%d %H:%M}")
        for message in way["messages"]:
            reason = f" ({message['reason']})" if message.get("reason") else ""
            self.stdout.write(f"    message {message['id']} of {message['step']}: {message['state']}{reason}")
            for gate in message.get("gates", []):
                self.stdout.write(
                    f"      {gate.get('at') or ''} {gate['gate']}: {gate['verdict']} {gate.get('code') or ''}".rstrip()
                )
