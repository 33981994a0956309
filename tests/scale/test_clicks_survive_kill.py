"""A web process that is killed in the middle of a burst has kept every click that it answered."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.db import connection

from campaigns.delivery import links
from loyalty.kit.sql import fetch
from tests.db.campaigns.tracking.conftest import Mail, Send, send  # noqa: F401 - a fixture

pytestmark = [pytest.mark.scale, pytest.mark.django_db(transaction=True)]
KILLS = 5
READERS = 12
ROOT = Path(__file__).resolve().parents[2]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(port: int) -> subprocess.Popen[bytes]:
    settings = connection.settings_dict
    url = f"postgresql://{settings['USER']}@{settings['HOST']}:{settings['PORT']}/{settings['NAME']}"
    command = [sys.executable, "-m", "gunicorn", "loyalty.wsgi:application", "-b", f"127.0.0.1:{port}", "-w", "1"]
    process = subprocess.Popen(
        [*command, "-k", "gthread", "--threads", "8", "--keep-alive", "30"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url, "LOG_LEVEL": "ERROR"},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for _attempt in range(600):
        try:
            client.request("GET", "/u/wrong")
            assert client.getresponse().status == 404
        except OSError:
            client.close()
            time.sleep(0.1)
        else:
            client.close()
            return process
    raise AssertionError("the server did not start")


def _read(port: int, mails: list[Mail], reader: int, answered: list[str], round_no: int) -> None:
    """Click distinct links over one connection until the server is gone; note each one that was answered."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for number in range(100_000):
        url = f"https://shop.example/{round_no}/{reader}/{number}"
        token = links.click_token(mails[reader % len(mails)].message_id, None, url)
        try:
            client.request("GET", f"/t/c/{token}", headers={"User-Agent": "Mozilla/5.0 Firefox/144.0"})
            response = client.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            return
        if response.status == 302:
            answered.append(url)


def test_every_answered_click_is_kept(send: Send) -> None:  # noqa: F811 - the fixture
    mails = [send(email=f"reader{number}@example.com") for number in range(10)]
    answered: list[str] = []
    for round_no in range(KILLS):
        port = _free_port()
        process = _start(port)
        readers = [
            threading.Thread(target=_read, args=(port, mails, reader, answered, round_no)) for reader in range(READERS)
        ]
        for thread in readers:
            thread.start()
        time.sleep(3)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for thread in readers:
            thread.join()
    kept = {url for (url,) in fetch("SELECT url FROM hit")}
    print(f"\n{len(answered)} clicks answered, {len(kept)} kept, {len(set(answered) - kept)} lost in {KILLS} kills")
    assert len(answered) > 100 * KILLS
    assert set(answered) - kept == set()
    assert len(kept) - len(answered) <= KILLS * READERS, "only what was in flight is kept without an answer"
