"""Public pages: the screen of a place where members check in, and what its code leads to."""

import io

import segno
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from loyalty.kit import clock
from loyalty.program import check_ins
from loyalty.program.terms import chosen


@require_safe
@never_cache
def screen(request: HttpRequest, token: str) -> HttpResponse:
    """The code of this moment; the page loads itself anew when the next one comes, without a script."""
    place = check_ins.place_of_screen(token)
    context = {"language": get_language() or "en", "place": "", "picture": "", "paused": False}
    if place is None:
        return render(request, "check_in_screen.html", context, status=404)
    now = clock.now()
    code, until = check_ins.code_of(place, now=now)
    address = settings.PUBLIC_URL + reverse("check-in", args=[code])
    context |= {
        "place": chosen(place.name) or place.key,
        "paused": check_ins.document_of(place).state != "active",
        "picture": _qr(address, _("Code to check in")),
    }
    response = render(request, "check_in_screen.html", context)
    response["Refresh"] = str(int((until - now).total_seconds()) + 1)
    return response


@require_safe
@never_cache
def code(request: HttpRequest, code: str) -> HttpResponse:
    """Where a scanned code leads: to the member's own page, which asks before anything is written."""
    return HttpResponseRedirect(f"{reverse('member-section', args=['check_in'])}?{urlencode({'code': code})}")


def _qr(text: str, label: str) -> str:
    out = io.BytesIO()
    drawn = segno.make(text, error="m", micro=False)
    drawn.save(out, kind="svg", xmldecl=False, svgns=True, omitsize=True, light="#fff", title=label)
    # Drawn here from what we sealed ourselves.
    return mark_safe(out.getvalue().decode())  # noqa: S308
