"""What happens before Django reads its settings: find or start the services that this command needs.

`up`, `demo` and `services` own them for as long as they run. Any other command that needs a database, with none named
in the environment and none running, starts the embedded ones for itself, migrates a fresh database and stops them at
its end.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable

from loyalty.local import catalogs, processes, state
from loyalty.local.embedded import Embedded

OWNERS = frozenset({"up", "demo", "services"})
SITES = frozenset({"up", "demo"})
# Commands that work on files alone, so nothing is started for them.
WITHOUT_SERVICES = frozenset(
    {
        *("help", "version", "check", "makemigrations", "makemessages", "compilemessages", "compile_catalogs"),
        *("collectstatic", "findstatic", "diffsettings", "startapp", "sink", "attribute_paths", "test", "stubs"),
    }
)
OWN_MIGRATIONS = frozenset({"migrate", "showmigrations", "sqlmigrate", "squashmigrations", "flush", "dbshell"})
FIRST_PORT = 8000

began = time.monotonic()

# The services that this process started and owns, if any.
started: Embedded | None = None


def external() -> bool:
    """Whether the environment names both servers, so that nothing is embedded."""
    return bool(os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"))


def start_services(*, sink: bool) -> Embedded | None:
    """Start what neither runs nor is named in the environment; its addresses go into the environment."""
    global started
    directory = state.state_directory()
    os.environ.setdefault("STATE_DIR", str(directory))
    if not state.is_locked(directory / "lock"):
        services = Embedded(directory, sink=sink)
        services.start()
        started = services
    take_addresses()
    return started


def take_addresses() -> None:
    """Put the addresses of running services where settings and child processes find them."""
    for name, address in state.embedded_urls().items():
        os.environ.setdefault(name, address)


def choose_address(arguments: list[str]) -> None:
    """Settle the web server's port before the settings read PUBLIC_URL; raises StateError for a port that is taken."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--port", type=int)
    asked = parser.parse_known_args(arguments)[0].port
    port = processes.free_port(asked or FIRST_PORT)
    if asked and port != asked:
        raise state.StateError(f"port {asked} is taken; choose another with --port")
    os.environ["WEB_PORT"] = str(port)
    os.environ.setdefault("PUBLIC_URL", f"http://127.0.0.1:{port}")


def main(arguments: list[str]) -> None:
    """Run one management command with the services it needs."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty.settings")
    command = arguments[1] if len(arguments) > 1 else "help"
    asks_help = command.startswith("-") or bool({"-h", "--help"} & set(arguments))
    try:
        if asks_help or command in WITHOUT_SERVICES:
            _execute(arguments)
        elif command in OWNERS:
            if command in SITES:
                choose_address(arguments[2:])
                catalogs.compile_stale()
            start_services(sink="--no-sink" not in arguments)
            _execute(arguments)
        else:
            _with_services(command, lambda: _execute(arguments))
    except state.StateError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        if started:
            started.stop()


def _execute(arguments: list[str]) -> None:
    from django.core.management import execute_from_command_line

    execute_from_command_line(arguments)


def _with_services(command: str, run: Callable[[], None]) -> None:
    """Run the command; services started for it alone end with it, but not under another command that uses them."""
    if external():
        run()
        return
    services = start_services(sink=False)
    directory = state.state_directory()
    if services is None:
        with state.using_services(directory):
            run()
        return
    services.wait()
    try:
        if command not in OWN_MIGRATIONS:
            migrate_if_needed()
        run()
    finally:
        state.wait_for_users(directory)


def migrate_if_needed() -> int:
    """Bring the database to the state of the code; how many migrations that took."""
    import django
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    django.setup()
    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if missing:
        call_command("migrate", verbosity=0, interactive=False)
    return missing
