"""What happens before Django reads its settings: find or start the services that this command needs."""

import os
import sys

from loyalty.local import state
from loyalty.local.embedded import Embedded

# The services that this process started and owns, if any.
started: Embedded | None = None


def external() -> bool:
    """Whether the environment names both servers, so that nothing is embedded."""
    return bool(os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"))


def start_services(*, sink: bool = True) -> Embedded | None:
    """Start the embedded services unless they run already or are external, and put their addresses into the environment."""
    global started
    if external():
        return None
    directory = state.state_directory()
    if state.is_locked(directory / "lock"):
        return None
    services = Embedded(directory, sink=sink)
    for name, address in services.start().items():
        os.environ.setdefault(name, address)
    started = services
    return services


def main(arguments: list[str]) -> None:
    """Run one management command with the services it needs."""
    from django.core.management import execute_from_command_line

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty.settings")
    try:
        if arguments[1:2] == ["services"]:
            start_services(sink="--no-sink" not in arguments)
        execute_from_command_line(arguments)
    except state.StateError as error:
        sys.exit(f"error: {error}")
