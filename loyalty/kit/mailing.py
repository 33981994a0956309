"""Single mails that packages below the outbox ask for (a link to sign in, say): what they say, and who carries them.

The package that sends registers one `Outbox` in its `mailing.py` (loaded at start).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from loyalty.kit.problems import Problem, Problems


@dataclass(frozen=True, slots=True)
class Mail:
    """A built-in mail without advertising: names and subjects by language, the text in `folder`/`key`.`language`.mjml.

    Its template is made when it is first sent and may be edited afterwards.
    """

    key: str
    name: Mapping[str, str]
    subjects: Mapping[str, str]
    folder: Path


@dataclass(frozen=True, slots=True)
class Letter:
    """To whom one mail goes, and what its text sees as `event`."""

    customer_id: int
    event: Mapping[str, Any]


class Outbox(Protocol):
    def send(self, mail: Mail, letters: Sequence[Letter], *, now: datetime) -> list[int]:
        """Plan one message for each, within the caller's transaction; the messages' ids in order. Raises Problems."""
        ...


_kept: list[Outbox] = []


def keep_outbox(outbox: Outbox) -> None:
    """Register who sends; raises ValueError when somebody does already."""
    if _kept:
        raise ValueError("there is an outbox already")
    _kept.append(outbox)


def send(mail: Mail, letters: Sequence[Letter], *, now: datetime) -> list[int]:
    """Ask for these mails; the messages' ids in order. Raises Problems when they cannot be sent."""
    if not _kept:
        raise Problems([Problem("mail", "nobody sends mails here", "install a package that does")])
    return _kept[0].send(mail, letters, now=now) if letters else []
