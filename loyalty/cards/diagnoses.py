"""What `manage.py doctor` looks at here: whether passes for phones can be signed."""

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings

from loyalty.cards import pass_accounts
from loyalty.cards.pass_accounts import BadAccount
from loyalty.kit import clock
from loyalty.kit.diagnoses import Finding, broken, diagnosis, ok, warning

ENDS_SOON = timedelta(days=30)
_REMEDY = "see the settings WALLET_*, or take them away to do without"


@diagnosis("wallet passes", order=73)
def look_at_passes() -> Iterable[Finding]:
    """Passes are off, or can be signed for a while."""
    try:
        apple, google = pass_accounts.apple(), pass_accounts.google()
        pass_accounts.color()
    except BadAccount as error:
        yield broken(str(error), _REMEDY)
        return
    now = clock.now()
    if apple is None and google is None:
        yield ok("no passes for phones: WALLET_APPLE_* and WALLET_GOOGLE_* are not set")
    if apple and apple.ends_at <= now:
        yield broken(
            f"the certificate of {apple.pass_type} ended on {apple.ends_at:%Y-%m-%d}", "get a new one from Apple"
        )
    elif apple and apple.ends_at <= now + ENDS_SOON:
        yield warning(
            f"the certificate of {apple.pass_type} ends on {apple.ends_at:%Y-%m-%d}", "get a new one from Apple"
        )
    elif apple and not settings.PUBLIC_URL.startswith("https://"):
        yield warning("passes for Apple Wallet get no news", "PUBLIC_URL must begin with https://")
    elif apple:
        yield ok(f"passes for Apple Wallet: {apple.pass_type}, until {apple.ends_at:%Y-%m-%d}")
    if google:
        yield ok(f"passes for Google Wallet: {google.pass_class}")
