"""A provider that sends nothing: it records what it was given and can be told to fail. For tests and dry runs."""

import asyncio
from collections import deque
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from campaigns.channels import outcome as outcomes
from campaigns.channels.message import OutgoingEmail
from campaigns.channels.outcome import Outcome
from campaigns.channels.provider import Account, providers

# What was "sent" in this process, oldest first; bounded, so that a forgotten recording cannot fill the memory.
recorded: deque[OutgoingEmail] = deque(maxlen=100_000)
# Outcomes for coming messages by message id; a message that is not named is sent.
planned_outcomes: dict[int, Outcome] = {}


class RecordingSettings(BaseModel):
    """`delay` seconds are spent per batch, as a network would."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_email: str = "recording@example.com"
    from_name: str = ""
    imprint: str = "Recording, nowhere"
    delay: float = Field(default=0.0, ge=0, le=60)
    timeout: float = 10.0


@providers.register("email_recording")
class EmailRecording:
    channel = "email"
    settings: type[BaseModel] = RecordingSettings
    idempotency_window = None

    async def send(self, account: Account, messages: Sequence[OutgoingEmail]) -> list[Outcome]:
        """Records every message and answers as planned."""
        if account.settings.delay:
            await asyncio.sleep(account.settings.delay)
        recorded.extend(messages)
        return [planned_outcomes.get(message.id) or outcomes.sent(f"recorded-{message.id}") for message in messages]


def forget() -> None:
    """Empty the record and the plans."""
    recorded.clear()
    planned_outcomes.clear()
