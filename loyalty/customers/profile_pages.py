"""The profile of one person: every value with its source, age and former values, and the form that corrects it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalty.customers.addresses import BUILT_IN
from loyalty.customers.correcting import correct_customer
from loyalty.customers.history import History, Origin, Revision, history
from loyalty.customers.identities import FIELD
from loyalty.customers.models import Attribute, Customer, CustomerIdentity
from loyalty.customers.rows import COLUMNS
from loyalty.customers.showing import CLASSES, NONE, field_shown, label, source_name, written
from loyalty.kit.admin import admin_page, localized, page
from loyalty.kit.clock import now
from loyalty.kit.problems import Problems

# Their lack matters, so they are shown without a value too.
ALWAYS = ("email", "phone")
# Former values of a field that the page shows; all are in the API.
FORMER_MAX = 10


@dataclass(frozen=True, slots=True)
class Former:
    """What a field held until an instant, when a source changed it."""

    value: str
    until: datetime
    by: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """One field of the page."""

    key: str
    label: str
    value: str
    source: str
    source_class: str
    since: datetime | None
    former: list[Former] = field(default_factory=list)


def profile_rows(customer_id: int) -> tuple[list[Row], list[Row]]:
    """(columns and identities, attributes by label) of the person with their origins; a fixed number of queries."""
    defined = {one.key: one for one in Attribute.objects.all()}
    known = history(customer_id, decided={key: one.source_class for key, one in defined.items()})
    fields = {*known.values, *(name for one in known.revisions for name in one.changes)}
    columns = [name for name in COLUMNS if name in fields or name in ALWAYS]
    identities = sorted(name for name in fields if name.startswith(FIELD))
    others = [name for name in fields if name not in COLUMNS and not name.startswith(FIELD)]
    made = {name: _row(name, known, defined.get(name)) for name in (*columns, *identities, *others)}
    first = [
        made[name]
        for name in (*columns, *identities)
        if made[name].value != NONE or made[name].former or name in ALWAYS
    ]
    return first, sorted((made[name] for name in others), key=lambda row: row.label.lower())


def _row(name: str, known: History, attribute: Attribute | None) -> Row:
    origin = known.origins.get(name)
    former = [
        Former(field_shown(name, one.changes[name][0], attribute), one.at, _by(one), one.reason)
        for one in known.revisions
        if one.changes.get(name, (None,))[0] is not None
    ]
    return Row(
        name,
        label(name, attribute),
        field_shown(name, known.values.get(name), attribute),
        _by(origin) if origin else "",
        str(CLASSES.get(origin.source_class or "", "")) if origin else "",
        origin.since if origin else None,
        former[:FORMER_MAX],
    )


def _by(brought: Origin | Revision) -> str:
    name = localized(brought.name, source_name(brought.source))
    return f"{name} ({brought.actor})" if brought.actor else name


class CorrectionForm(forms.Form):
    """The person's fields, each as the intake reads it; one field per built-in column and per attribute."""

    def __init__(
        self, values: dict[str, Any], attributes: list[Attribute], held: list[CustomerIdentity], *args: Any
    ) -> None:
        super().__init__(*args)
        self.names = [*BUILT_IN, *(one.key for one in attributes)]
        defined = {one.key: one for one in attributes}
        for place, name in enumerate(self.names):
            made = _input(name, defined.get(name), values.get(name))
            made.initial = written(values.get(name))
            made.label = label(name, defined.get(name))
            self.fields[f"f{place}"] = made
        if held:
            self.fields["remove"] = forms.MultipleChoiceField(
                label=_("Take these keys away"),
                required=False,
                widget=forms.CheckboxSelectMultiple,
                choices=[(str(one.pk), f"{one.get_kind_display()} {one.value}") for one in held],
            )
        self.fields["kind"] = forms.ChoiceField(
            label=_("Add a key"), required=False, choices=[("", NONE), *CustomerIdentity.Kind.choices]
        )
        self.fields["value"] = forms.CharField(
            label=_("The new key"),
            required=False,
            max_length=200,
            help_text=_("Of a partner write “partner:number”, so that two partners' numbers stay apart."),
        )
        self.fields["reason"] = forms.CharField(
            label=_("Reason"),
            max_length=500,
            help_text=_("Stands in the history beside your name, e.g. “call of 2 March” or “letter, request no. 12”."),
        )
        self.held = {str(one.pk): (one.kind, one.value) for one in held}

    def row(self) -> dict[str, Any]:
        """What was changed, as a row of the intake; emptied fields are cleared."""
        row: dict[str, Any] = {}
        attributes: dict[str, Any] = {}
        for place, name in enumerate(self.names):
            if f"f{place}" not in self.changed_data:
                continue
            value = str(self.cleaned_data[f"f{place}"]).strip() or None
            (row if name in BUILT_IN else attributes)[name] = value
        return {**row, **({"attributes": attributes} if attributes else {})}

    def keys(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """(to add, to take away)."""
        data = self.cleaned_data
        added = [(data["kind"], data["value"].strip())] if data["kind"] and data["value"].strip() else []
        return added, [self.held[one] for one in data.get("remove", ())]

    def tell(self, refused: Problems) -> None:
        """Put each mistake to its field."""
        places = {name: f"f{place}" for place, name in enumerate(self.names)}
        for problem in refused.problems:
            name = problem.where.removeprefix("attributes.")
            text = problem.problem + (f" ({problem.remedy})" if problem.remedy else "")
            known = "value" if name.startswith(FIELD) else places.get(name)
            self.add_error(known, text if known else str(problem))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if bool(data.get("kind")) != bool(data.get("value")):
            self.add_error("value", gettext("A new key needs its kind and its value."))
        return data


def _input(name: str, attribute: Attribute | None, value: Any) -> forms.Field:
    kind = attribute.type if attribute else ("date" if name == "birth_date" else "text")
    if kind == "boolean":
        options = [("", NONE), ("true", gettext("yes")), ("false", gettext("no"))]
        return forms.ChoiceField(required=False, choices=options)
    if kind == "choice" and attribute:
        names = (
            attribute.choices if isinstance(attribute.choices, dict) else {one: one for one in attribute.choices or []}
        )
        known = [(key, localized(text, key)) for key, text in names.items()]
        if value is not None and value not in names:
            known.append((value, str(value)))
        return forms.ChoiceField(required=False, choices=[("", NONE), *known])
    made = forms.CharField(required=False, max_length=10_000)
    match kind:
        case "date":
            made.widget = forms.DateInput(attrs={"type": "date"})
        case "number":
            made.widget = forms.TextInput(attrs={"inputmode": "decimal"})
        case "money":
            made.help_text = gettext("Such as 12.50 EUR")
        case "list":
            made.help_text = gettext("Several separated by |")
        case "geo":
            made.help_text = gettext("Latitude and longitude, such as 50.94, 6.96")
    return made


@admin_page(
    "customers/customer/<int:customer_id>/correct/", name="customers_correct", permission="customers.change_customer"
)
def correct(request: HttpRequest, customer_id: int) -> HttpResponseBase:
    """Ask what is to be corrected and why, then write it."""
    customer = Customer.objects.filter(pk=customer_id).first()
    if customer is None:
        raise Http404
    values = {name: getattr(customer, name) for name in BUILT_IN} | customer.attributes
    attributes = [one for one in Attribute.objects.order_by("key") if not one.learned or one.key in customer.attributes]
    held = list(CustomerIdentity.objects.filter(customer_id=customer_id).order_by("kind", "id"))
    form = CorrectionForm(values, attributes, held, request.POST or None)
    back = reverse("admin:customers_customer_change", args=[customer_id])
    if request.method == "POST" and form.is_valid():
        added, removed = form.keys()
        try:
            done = correct_customer(
                customer_id=customer_id,
                row=form.row(),
                now=now(),
                source="admin",
                actor=request.user.get_username(),
                reason=form.cleaned_data["reason"],
                add=added,
                remove=removed,
            )
        except Problems as refused:
            form.tell(refused)
        else:
            changed = done.fields or done.added or done.removed
            told = gettext("The correction was written.") if changed else gettext("Nothing was different.")
            messages.success(request, told)
            return HttpResponseRedirect(back)
    context = {"object": customer, "form": form, "back": back, "title": gettext("Correct the profile")}
    return page(request, "admin/customers/correct.html", context)
