"""`manage.py services`: the embedded PostgreSQL, Valkey and mail sink in the foreground."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from loyalty.local import runtime
from loyalty.local.supervisor import Supervisor


class Command(BaseCommand):
    help = "Run the embedded PostgreSQL, Valkey and mail sink until Ctrl-C; other commands use them meanwhile."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-sink", action="store_true", help="leave the mail sink out")

    def handle(self, *args: Any, **options: Any) -> None:
        services = runtime.started
        if services is None:
            raise CommandError("the services of this installation run already (see STATE_DIR)")
        services.wait()
        supervisor = Supervisor([])
        for part, process in services.parts():
            if process:
                supervisor.adopt(part, process)
        for name, address in services.addresses().items():
            self.stdout.write(f"{name}={address}")
        self.stdout.write(f"ready (state in {services.directory}); Ctrl-C stops")
        self.stdout.flush()
        supervisor.run()
