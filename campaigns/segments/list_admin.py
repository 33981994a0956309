"""Static lists in the admin: made, filled from a file or by hand, emptied, and who uses them."""

import csv
import io
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import path, reverse
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from campaigns.segments import lists
from campaigns.segments.models import CustomerList
from loyalty.customers.models import Customer
from loyalty.customers.queries import resolve
from loyalty.kit.admin import Act, ReadOnlyAdmin, localized, page
from loyalty.kit.applying import put_document
from loyalty.kit.clock import now
from loyalty.kit.problems import Problems

PAGE = 50
# More is for the command, which goes on where it stopped.
MOST_BYTES, MOST_PEOPLE = 5_000_000, 100_000
NAMED_BY = ("external_id", "email", "card", "phone")
SHOWN_UNKNOWN = 20


class ListForm(forms.Form):
    """A new list."""

    key = forms.CharField(label=_("Key"), max_length=100, help_text=_("A short name such as vip_guests."))
    name_en = forms.CharField(label=_("Name (English)"), max_length=200, required=False)
    name_de = forms.CharField(label=_("Name (German)"), max_length=200, required=False)
    description = forms.CharField(
        label=_("Description"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2})
    )


class PeopleForm(forms.Form):
    """Who is put on the list or taken off it."""

    named_by = forms.ChoiceField(
        label=_("People are named by"),
        choices=[
            ("external_id", _("External id")),
            ("email", _("Email")),
            ("card", _("Card number")),
            ("phone", _("Phone")),
        ],
    )
    file = forms.FileField(
        label=_("File"),
        required=False,
        help_text=_("Text or CSV; the first column, or the one with that heading, names one person per line."),
    )
    people = forms.CharField(
        label=_("Or written here, one per line"), required=False, widget=forms.Textarea(attrs={"rows": 4})
    )

    def references(self) -> list[dict[str, str]]:
        """The people named, without doubles; mistakes become errors of the form."""
        kind = self.cleaned_data["named_by"]
        text = self.cleaned_data["people"]
        upload = self.cleaned_data.get("file")
        if upload is not None:
            if upload.size > MOST_BYTES:
                self.add_error("file", gettext("Larger than 5 MB. Use “manage.py import_list KEY FILE”."))
                return []
            try:
                text = f"{text}\n{upload.read().decode('utf-8-sig')}" if text else upload.read().decode("utf-8-sig")
            except UnicodeDecodeError:
                self.add_error("file", gettext("This is no text in UTF-8."))
                return []
        named = list(dict.fromkeys(_column(text, kind)))
        if not named:
            self.add_error(None, gettext("Nobody is named."))
        if len(named) > MOST_PEOPLE:
            self.add_error(None, gettext("More than 100,000 people. Use “manage.py import_list KEY FILE”."))
            return []
        return [{kind: one} for one in named]


def _column(text: str, kind: str) -> list[str]:
    """The values of the column that is headed by `kind`, else of the first one."""
    text = text.replace("\0", "")
    delimiter = max(";\t,", key=text.partition("\n")[0].count)
    rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(cell.strip() for cell in row)]
    heading = [cell.strip().lower() for cell in rows[0]] if rows else []
    if set(heading) & set(NAMED_BY):
        place = heading.index(kind) if kind in heading else 0
        rows = rows[1:]
    else:
        place = 0
    return [row[place].strip() for row in rows if len(row) > place and row[place].strip()]


def _delete(found: CustomerList, data: dict[str, Any]) -> str:
    lists.delete_list(key=found.key)
    return gettext("The list was deleted.")


@admin.register(CustomerList)
class CustomerListAdmin(ReadOnlyAdmin):
    list_display = ("title", "key", "updated_at")
    list_display_links = ("title",)
    search_fields = ("key",)
    search_help_text = _("Key")
    ordering = ("key",)
    empty_text = _(
        "A list holds people whom no rule could name: guests of an event, testers, employees. Make one, put people on"
        " it from a file, and ask for it in segments."
    )
    panel_template = "admin/segments/list.html"
    acts = {
        "delete": Act(
            _("Delete"),
            _("The list goes, the people stay. It is refused while segments ask for it."),
            _delete,
            danger=True,
            permission="segments.delete_customerlist",
            after="admin:segments_customerlist_changelist",
        ),
    }

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("segments.add_customerlist"))

    @display(description=_("name"), ordering="key")  # type: ignore[untyped-decorator]
    def title(self, found: CustomerList) -> str:
        return localized(found.name, found.key)

    def panels(self, request: HttpRequest, obj: CustomerList) -> dict[str, Any]:
        row = lists.overview(only=obj.key)[0]
        after = request.GET.get("after", "")
        cursor = int(after) if after.isdecimal() and len(after) < 19 else 0
        return {
            "title": localized(obj.name, obj.key),
            "count": row["member_count"],
            "used_by": row["used_by"],
            "form": PeopleForm(),
            "may_change": request.user.has_perm("segments.change_customerlist"),
            "change_url": reverse("admin:segments_customerlist_people", args=[obj.pk]),
            **(_people(obj, cursor) if request.user.has_perm("customers.view_customer") else {}),
        }

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.people_view)
        return [path("<int:list_id>/people/", view, name="segments_customerlist_people"), *super().get_urls()]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponseBase:
        """Make an empty list."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ListForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            data = form.cleaned_data
            name = {code: data[f"name_{code}"] for code in ("en", "de") if data[f"name_{code}"]}
            document = {"name": name, **({"description": data["description"]} if data["description"] else {})}
            if CustomerList.objects.filter(key=data["key"]).exists():
                form.add_error("key", gettext("There is a list with this key already."))
            else:
                try:
                    put_document(lists.KIND, data["key"], document, now=now())
                except Problems as error:
                    for problem in error.problems:
                        form.add_error(problem.where if problem.where in form.fields else None, str(problem))
                else:
                    made = CustomerList.objects.get(key=data["key"])
                    return HttpResponseRedirect(reverse("admin:segments_customerlist_change", args=[made.pk]))
        context = {"opts": self.opts, "title": gettext("New list"), "form": form}
        return page(request, "admin/segments/new_list.html", context)

    def people_view(self, request: HttpRequest, list_id: int) -> HttpResponseBase:
        """Put people on the list, or take them off it with `remove`."""
        found = CustomerList.objects.filter(pk=list_id).first()
        if not request.user.has_perm("segments.change_customerlist"):
            raise PermissionDenied
        if found is None:
            raise Http404
        back = reverse("admin:segments_customerlist_change", args=[list_id])
        form = PeopleForm(request.POST, request.FILES) if request.method == "POST" else None
        if form is None:
            return HttpResponseRedirect(back)
        references = form.references() if form.is_valid() else []
        if form.errors:
            for errors in form.errors.values():
                for error in errors:
                    messages.error(request, str(error))
            return HttpResponseRedirect(back)
        resolved = resolve(references)
        ids = [one for one in resolved if one is not None]
        if "remove" in request.POST:
            moved = lists.remove_members(key=found.key, customer_ids=ids)
            text = gettext("%(count)s people were taken off the list.")
        else:
            by = request.user.get_username()
            moved = lists.add_members(key=found.key, customer_ids=ids, source=f"admin: {by}", now=now())
            text = gettext("%(count)s people were put on the list.")
        messages.success(request, text % {"count": number_format(moved, force_grouping=True)})
        unknown = [next(iter(one.values())) for one, id_ in zip(references, resolved, strict=True) if id_ is None]
        if unknown:
            shown = ", ".join(unknown[:SHOWN_UNKNOWN]) + (" …" if len(unknown) > SHOWN_UNKNOWN else "")
            said = {"count": number_format(len(unknown), force_grouping=True), "shown": shown}
            messages.warning(request, gettext("%(count)s are not known: %(shown)s") % said)
        return HttpResponseRedirect(back)


def _people(found: CustomerList, cursor: int) -> dict[str, Any]:
    rows = lists.members(found.pk, after=cursor, limit=PAGE)
    people = Customer.objects.only("first_name", "last_name", "external_id", "email").in_bulk(
        [row["customer_id"] for row in rows]
    )
    return {
        "show_members": True,
        "members": [(row, people.get(row["customer_id"])) for row in rows],
        "after": cursor,
        "next_url": f"?after={rows[-1]['customer_id']}#members" if len(rows) == PAGE else "",
    }
