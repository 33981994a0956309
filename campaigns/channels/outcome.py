"""Pure: what became of one hand-over to a provider, in our own words. An outcome knows whether trying again can
help."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["sent", "retry", "failed", "in_doubt"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of one message.

    `code` is the provider's own (an enhanced status such as 5.1.1 for SMTP), `detail` its words without personal data,
    `after` the seconds to wait at least before the next try. `dead_address` says that the address itself is refused for
    good, so it is to be suppressed; `sender_problem` that the fault lies with us (policy, credentials): nobody is
    suppressed for it.
    """

    verdict: Verdict
    code: str | None = None
    detail: str | None = None
    provider_id: str | None = None
    after: float | None = None
    dead_address: bool = False
    sender_problem: bool = False


def sent(provider_id: str | None = None, detail: str | None = None) -> Outcome:
    """The provider took it."""
    return Outcome("sent", provider_id=provider_id, detail=detail)


def retry(detail: str, *, after: float | None = None, code: str | None = None, sender_problem: bool = False) -> Outcome:
    """The provider certainly did not take it and may do so later."""
    return Outcome("retry", code, detail, after=after, sender_problem=sender_problem)


def failed(code: str, detail: str, *, dead_address: bool = False, sender_problem: bool = False) -> Outcome:
    """The provider refused it for good."""
    return Outcome("failed", code, detail, dead_address=dead_address, sender_problem=sender_problem)


def in_doubt(detail: str) -> Outcome:
    """It may have been taken or not; nobody sends it again by itself."""
    return Outcome("in_doubt", detail=detail)
