"""What `manage.py doctor` looks at here: whether the portal's mails go out."""

from collections.abc import Iterable
from datetime import timedelta

from loyalty.kit import clock
from loyalty.kit.diagnoses import Finding, diagnosis, ok, warning
from loyalty.portal.models import EntryRequest, Portal
from loyalty.program.models import Program


@diagnosis("member portal", order=75)
def look_at_portal() -> Iterable[Finding]:
    """Links are mailed to who asks for them, and the portal knows its program."""
    if Program.objects.count() > 1 and not Portal.objects.exists():
        yield warning("there are several programs and no portal", "apply a document of kind portal that names one")
    now = clock.now()
    refused = EntryRequest.objects.filter(state="refused", requested_at__gt=now - timedelta(days=1)).count()
    if refused:
        remedy = (
            "look for portal.letters.refused in the log; the templates portal_sign_in and portal_join need a sender"
        )
        yield warning(f"{refused} links of the member portal were not mailed in the last day", remedy)
    late = EntryRequest.objects.filter(state="asked", requested_at__lt=now - timedelta(minutes=5)).count()
    if late:
        yield warning(f"{late} links of the member portal wait for more than five minutes", "start the worker")
    if not refused and not late:
        yield ok("links of the member portal are mailed")
