"""A batch that fails is halved until one bad row stands alone with its reason; the others go on."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from django.db import InterfaceError, OperationalError

from campaigns.delivery.claim import Claimed
from loyalty.kit.logs import fields

T = TypeVar("T")
logger = logging.getLogger(__name__)


def halved(
    messages: Sequence[Claimed], work: Callable[[Sequence[Claimed]], T], refused: dict[int, dict[str, Any]]
) -> Iterator[T]:
    """What `work` gives for the messages, in as few calls as possible; a message that fails even alone is put into
    `refused` with the kind of its error. A lost database is nobody's fault and is raised."""
    if not messages:
        return
    try:
        result = work(messages)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        if len(messages) == 1:
            logger.exception("delivery.message.bad", extra=fields(message=messages[0].id))
            refused[messages[0].id] = {"part": "batch", "problem": type(error).__name__}
            return
        middle = len(messages) // 2
        yield from halved(messages[:middle], work, refused)
        yield from halved(messages[middle:], work, refused)
    else:
        yield result
