"""The contract of a provider, and their registry: one file per provider, key = file name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel

from campaigns.channels.message import OutgoingEmail
from campaigns.channels.outcome import Outcome
from loyalty.kit.registry import Registry


@dataclass(frozen=True, slots=True)
class Account:
    """A sender as its provider sees it: `settings` is the provider's own settings model."""

    key: str
    settings: Any
    limits: Mapping[str, Any] = field(default_factory=dict)


class Provider(Protocol):
    """What a provider must do.

    `send` hands over each message at most once and gives exactly one outcome per message, in the same order, whatever
    the other side does; it never raises for what the other side does, and it ends within `settings.timeout` seconds per
    message and connection. `idempotency_window` is how long (seconds) the provider recognizes a repeated message; None
    where it does not, so that a doubt stays a doubt.
    """

    channel: ClassVar[str]
    settings: ClassVar[type[BaseModel]]
    idempotency_window: ClassVar[float | None]

    async def send(self, account: Account, messages: Sequence[OutgoingEmail]) -> list[Outcome]: ...


providers: Registry[Provider] = Registry("provider", package="campaigns.channels.providers")


def full_key(channel: str, name: str) -> str:
    """The provider's key for a name as people write it: `smtp` with channel `email` is `email_smtp`."""
    return name if name in providers or f"{channel}_{name}" not in providers else f"{channel}_{name}"
