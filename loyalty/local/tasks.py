"""What the one Celery task does. Celery itself is not imported here, so commands and pages do not pay for it."""

import logging
from typing import Any

from loyalty.kit.chores import get_chore
from loyalty.kit.logs import fields
from loyalty.local import hints
from loyalty.local.running import run_chore

logger = logging.getLogger(__name__)


def run_by_key(*, key: str, **extras: Any) -> int:
    """Run the chore; `extras` are what a newer release may send, so that old workers go on during a rollout."""
    try:
        item = get_chore(key)
    except KeyError:
        logger.warning("chore.unknown", extra=fields(key=key))
        return 0
    hints.taken(key)
    return run_chore(item).done
