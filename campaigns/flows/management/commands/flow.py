"""`manage.py flow publish|pause|resume|stop|stats KEY`: the acts of the admin's buttons, for scripts."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaigns.flows import operations, queries
from campaigns.flows.models import Flow
from loyalty.kit.clock import now
from loyalty.kit.problems import Problems


class Command(BaseCommand):
    help = "Publish, pause, resume or stop a flow, or print its numbers as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["publish", "pause", "resume", "stop", "stats"])
        parser.add_argument("key")
        parser.add_argument("--policy", default="send_now", help="for resume: send_now, shift or skip_older_than:2d")

    def handle(self, *args: Any, **options: Any) -> None:
        key, action = options["key"], options["action"]
        try:
            if action == "stats":
                flow = Flow.objects.select_related("current_version").filter(key=key).first()
                if flow is None:
                    raise CommandError(f"unknown flow {key!r}")
                self.stdout.write(json.dumps(queries.answer(flow), indent=2, default=str))
                return
            if action == "publish":
                published = operations.publish(key=key, now=now())
                self.stdout.write(f"{key}: version {published.version.number} is running")
                return
            if action == "resume":
                flow = operations.resume(key=key, now=now(), policy=_policy(options["policy"]))
            else:
                flow = {"pause": operations.pause, "stop": operations.stop}[action](key=key, now=now())
            self.stdout.write(f"{key}: {flow.state}")
        except Problems as error:
            raise CommandError("\n".join(str(problem) for problem in error.problems)) from None


def _policy(text: str) -> str | dict[str, str]:
    name, colon, period = text.partition(":")
    return {name: period} if colon else name
