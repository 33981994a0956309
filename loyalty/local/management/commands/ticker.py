"""`manage.py ticker`: the broker-free loop in the foreground."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from loyalty.local.ticker import Ticker


class Command(BaseCommand):
    help = "Run chores that no worker has run lately, every second, without a broker, until Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        Ticker().loop(stop)
