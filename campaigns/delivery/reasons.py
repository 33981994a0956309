"""Pure: why a message was not sent. The codes are public and stable; the numbers are what the message table keeps."""

CODES = (
    "no_address",
    "no_consent",
    "suppressed",
    "frequency_cap",
    "quiet_time_expired",
    "holdout",
    "exited",
    "flow_stopped",
    "expired",
    "render_error",
    "duplicate_address",
    "sender_paused",
    "budget_spent",
    "not_approved",
)
NONE = 0
NUMBERS: dict[str, int] = {code: number for number, code in enumerate(CODES, start=1)}


def code(number: int) -> str | None:
    """The code of a number; None for 0, which stands for no reason."""
    return CODES[number - 1] if number else None
