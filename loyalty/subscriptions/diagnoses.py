"""What `manage.py doctor` looks at here: declarations and letters that wait, payments that nobody reports."""

from collections.abc import Iterable
from datetime import timedelta

from loyalty.kit import clock
from loyalty.kit.diagnoses import Finding, diagnosis, ok, warning
from loyalty.kit.sql import fetch, sql


@diagnosis("paid membership", order=76)
def look_at_memberships() -> Iterable[Finding]:
    """Nobody waits for a receipt or a decision; what is due is being collected."""
    now = clock.now()
    letters, people, charges = fetch(
        sql(
            "SELECT (SELECT count(*) FROM subscription_notice WHERE sent_at IS NULL AND created_at < {hour}),"
            " (SELECT count(*) FROM subscription_declaration WHERE state = 'unmatched'),"
            " (SELECT count(*) FROM subscription_charge WHERE state = 'due' AND due_at < {week})",
            hour=now - timedelta(hours=1),
            week=now - timedelta(days=7),
        )
    )[0]
    if letters:
        yield warning(
            f"{letters:,} letters about memberships wait for more than an hour",
            "receipts of cancellations must go out at once: look at the email sender and the log",
        )
    if people:
        yield warning(
            f"{people:,} cancellations or withdrawals could not be carried out by themselves",
            "settle them on the page Cancellations and withdrawals",
        )
    if charges:
        yield warning(
            f"{charges:,} charges of memberships are due for more than a week, and nobody said what became of them",
            "collect them and report each as paid or failed",
        )
    if not (letters or people or charges):
        yield ok("no membership waits for anybody")
