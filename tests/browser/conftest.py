"""A headless chromium, and the demo's objects behind a running server."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from loyalty.local.state import REPOSITORY
from tests.db.loyalty.world import populate

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PASSWORD = "a-long-passphrase-for-tests"


@pytest.fixture
def site(live_server: Any, settings: Any, tmp_path: Path) -> str:
    """The address of a server with a user `boss`, customers, and the objects of the playbook."""
    settings.SINK_DIR = str(tmp_path)
    User.objects.create_superuser("boss", password=PASSWORD)
    populate(3)
    call_command("apply", str(REPOSITORY / "campaigns" / "gallery" / "playbooks" / "winback.yaml"))
    return str(live_server.url)


@pytest.fixture
def browser(site: str) -> Iterator[Any]:
    """Started after the data are made: its loop makes Django refuse the database in this thread."""
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"no chromium here (looked for {', '.join(PROGRAMS)})")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()
