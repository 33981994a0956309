"""Pages of one person's rights in the admin: file a request, hand out the data, erase, restrict, claim."""

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalty.customers import joining
from loyalty.customers.erasing import erase_customers
from loyalty.customers.models import Customer
from loyalty.kit.admin import admin_page, page
from loyalty.kit.clock import now
from loyalty.kit.problems import Problems
from loyalty.rights import operations, queries
from loyalty.rights.archive import archive
from loyalty.rights.models import RightsRequest

MAY_CHANGE, MAY_ERASE = "customers.change_customer", "customers.delete_customer"
CLAIM_NAMES = {
    "card": _("Card"),
    "receipt": _("Receipt"),
    "anonymous_id": _("Visitor of the website"),
    "device": _("Device"),
}


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"), max_length=operations.TEXT_MAX, widget=forms.Textarea(attrs={"rows": 3})
    )


class FileForm(forms.Form):
    """What a person asked."""

    kind = forms.ChoiceField(label=_("The person wants"), choices=RightsRequest.Kind.choices)
    received_at = forms.DateTimeField(
        label=_("Received at"),
        help_text=_("The month begins when the request arrived, in whatever way."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M:%S"),
    )
    contact = forms.CharField(
        label=_("How to answer"), max_length=200, required=False, help_text=_("Address or phone number for the answer.")
    )
    notes = forms.CharField(
        label=_("Notes"), max_length=operations.TEXT_MAX, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )


class ClaimForm(forms.Form):
    """A key that the person says is theirs."""

    kind = forms.ChoiceField(label=_("Kind"), choices=list(CLAIM_NAMES.items()))
    value = forms.CharField(
        label=_("Number or id"), max_length=200, help_text=_("As it stands on the card or the receipt.")
    )


def person_of(customer_id: int) -> Customer:
    found = Customer.objects.filter(pk=customer_id).first()
    if found is None:
        raise Http404
    return found


def page_of(customer_id: int) -> str:
    return reverse("admin:customers_customer_change", args=[customer_id])


def tell(request: HttpRequest, error: Problems) -> None:
    for problem in error.problems:
        messages.error(request, str(problem))


@admin_page("rights/file/<int:customer_id>/", name="rights_file", permission="rights.add_rightsrequest")
def file_request(request: HttpRequest, customer_id: int) -> HttpResponseBase:
    """Write down what a person asked."""
    person, instant = person_of(customer_id), now()
    form = FileForm(request.POST or None, initial={"received_at": instant})
    if request.method == "POST" and form.is_valid():
        try:
            filed = operations.file_request(
                customer_id=customer_id, now=instant, actor=request.user.get_username(), **form.cleaned_data
            )
        except Problems as error:
            for problem in error.problems:
                form.add_error(None, str(problem))
        else:
            told = gettext("The request is filed.") if filed.new else gettext("Such a request is open already.")
            messages.success(request, told)
            return HttpResponseRedirect(reverse("admin:rights_rightsrequest_change", args=[filed.request.pk]))
    context = {
        "title": gettext("File a request"),
        "object": person,
        "form": form,
        "label": gettext("File"),
        "help": gettext("It must be answered within one month. Nothing is done until the identity was checked."),
        "back": page_of(customer_id),
    }
    return page(request, "admin/rights/form.html", context)


@admin_page("rights/data/<int:customer_id>/", name="rights_archive", permission=MAY_CHANGE)
def data_archive(request: HttpRequest, customer_id: int) -> HttpResponse:
    """The person's data as a ZIP, in the person's language."""
    person_of(customer_id)
    with translation.override(
        request.GET.get("language") if request.GET.get("language") in ("en", "de") else queries.language_of(customer_id)
    ):
        answer = HttpResponse(archive(queries.access(customer_id, now=now())), content_type="application/zip")
    answer["Content-Disposition"] = f'attachment; filename="data-{customer_id}.zip"'
    answer["Cache-Control"] = "no-store"
    return answer


@admin_page("rights/erasure/<int:customer_id>/", name="rights_erasure", permission=MAY_ERASE)
def erasure(request: HttpRequest, customer_id: int) -> HttpResponseBase:
    """What an erasure would remove, table by table; a POST does it."""
    person = person_of(customer_id)
    if request.method == "POST":
        erase_customers(customer_ids=[customer_id])
        messages.success(request, gettext("The person was erased everywhere."))
        return HttpResponseRedirect(reverse("admin:customers_customer_changelist"))
    found = queries.erasure_preview(customer_id)
    context = {
        "title": gettext("Erase %(person)s") % {"person": person},
        "object": person,
        "erased": found,
        "total": sum(one.rows for one in found),
        "back": page_of(customer_id),
    }
    return page(request, "admin/rights/erasure.html", context)


@admin_page("rights/restriction/<int:customer_id>/", name="rights_restriction", permission=MAY_CHANGE)
def restriction(request: HttpRequest, customer_id: int) -> HttpResponseBase:
    """Restrict the processing of a person's data, or end that."""
    person = person_of(customer_id)
    restricted = person.restricted_at is not None
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        do = operations.release if restricted else operations.restrict
        try:
            do(customer_id=customer_id, now=now(), actor=request.user.get_username(), **form.cleaned_data)
        except Problems as error:
            tell(request, error)
        else:
            told = (
                gettext("The restriction is over.") if restricted else gettext("Restricted: nothing is sent any more.")
            )
            messages.success(request, told)
            return HttpResponseRedirect(page_of(customer_id))
    label = gettext("End the restriction") if restricted else gettext("Restrict")
    context = {
        "title": label,
        "object": person,
        "form": form,
        "label": label,
        "help": gettext("Messages may be sent again, as far as there is consent. The person must be told before.")
        if restricted
        else gettext("From now on the person gets no message at all and is left out of exports. The data are kept."),
        "back": page_of(customer_id),
    }
    return page(request, "admin/rights/form.html", context)


@admin_page("rights/claim/<int:customer_id>/", name="rights_claim", permission=MAY_CHANGE)
def claim(request: HttpRequest, customer_id: int) -> HttpResponseBase:
    """Give the person what happened under a card, receipt or visitor's id that nobody had claimed."""
    person = person_of(customer_id)
    form = ClaimForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            done = joining.claim(
                customer_id=customer_id, now=now(), actor=request.user.get_username(), **form.cleaned_data
            )
        except Problems as error:
            for problem in error.problems:
                form.add_error(None, str(problem))
        else:
            told = gettext("Joined: the history is this person's now.")
            if done.merge_id is None:
                told = gettext("Noted. Nothing had happened under it yet.")
            messages.success(request, told)
            return HttpResponseRedirect(page_of(customer_id))
    context = {
        "title": gettext("Claim a card or receipt"),
        "object": person,
        "form": form,
        "label": gettext("Claim"),
        "help": gettext(
            "Purchases and visits of somebody unknown become this person's. Check that the claim is right."
        ),
        "back": page_of(customer_id),
    }
    return page(request, "admin/rights/form.html", context)
