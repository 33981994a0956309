"""Joining people in the admin: find the other profile, see what comes of it, join, and separate again."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalty.customers import joining
from loyalty.customers.models import Customer
from loyalty.customers.queries import find
from loyalty.kit.admin import admin_page, page
from loyalty.kit.clock import now
from loyalty.kit.problems import Problems
from loyalty.rights.comparing import comparison
from loyalty.rights.person_pages import MAY_CHANGE, page_of, person_of, tell

REASON_NAMES = {
    joining.KEY: _("one gave a key of the other"),
    joining.ASKED: _("joined by hand"),
    joining.CLAIMED: _("claimed by the person"),
}


class OtherForm(forms.Form):
    """Who else this person is."""

    other = forms.CharField(label=_("The other profile: id, email, phone or card number"), max_length=320)


@admin_page("rights/join/<int:customer_id>/", name="rights_join", permission=MAY_CHANGE)
def join(request: HttpRequest, customer_id: int) -> HttpResponseBase:
    """Find the other profile, see both side by side with the result, join them by POST."""
    person = person_of(customer_id)
    form = OtherForm(request.GET if "other" in request.GET else None)
    found: list[Customer] = []
    if form.is_bound and form.is_valid():
        ids = [one for one in find(form.cleaned_data["other"]) if one != customer_id]
        found = list(Customer.objects.filter(pk__in=ids[:20]).order_by("pk"))
    chosen = request.POST.get("with") or request.GET.get("with") or ""
    other = person_of(int(chosen)) if chosen.isdigit() and len(chosen) < 19 else found[0] if len(found) == 1 else None
    if request.method == "POST" and other is not None:
        try:
            done = joining.join(
                customer_id=customer_id, other_id=other.pk, now=now(), actor=request.user.get_username()
            )
        except Problems as error:
            tell(request, error)
        else:
            messages.success(request, gettext("Joined. It can be undone on the page of the merge."))
            return HttpResponseRedirect(page_of(done.winner_id))
    context = {
        "title": gettext("Join %(person)s with another profile") % {"person": person},
        "object": person,
        "form": form,
        "found": found if other is None else [],
        "searched": form.is_bound and form.is_valid(),
        "other": other,
        "one_label": _label(person),
        "other_label": _label(other) if other is not None else "",
        "comparison": comparison(person, other) if other is not None and other.pk != customer_id else None,
        "back": page_of(customer_id),
    }
    return page(request, "admin/rights/join.html", context)


def _label(person: Customer) -> str:
    """The person, told apart from others of the same name."""
    own = person.external_id or f"#{person.pk}"
    return str(person) if str(person) == own else f"{person} ({own})"
