"""Attributes and sources in the admin: what fields people have, what they mean, how we know them, and who uses them."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, TextField, Value
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.customers.catalog import choice_keys
from loyalty.customers.documents import AttributeKind
from loyalty.customers.models import Attribute, Source
from loyalty.customers.operations import delete_attribute, save_source
from loyalty.customers.showing import CLASSES, NONE, source_name
from loyalty.kit.admin import Act, ReadOnlyAdmin, admin_page, localized, page
from loyalty.kit.clock import now
from loyalty.kit.problems import Problems
from loyalty.kit.uses import uses

CLASS_CHOICES = [("", _("not decided")), *CLASSES.items()]


class AttributeForm(forms.Form):
    """An attribute as its document has it."""

    key = forms.CharField(
        label=_("Key"),
        max_length=100,
        help_text=_("How files, the API and segments name it: letters, digits, “_”, “.”, “-”. It cannot be changed."),
    )
    type = forms.ChoiceField(
        label=_("Type"),
        choices=Attribute.Type.choices,
        help_text=_("Values that do not fit a new type stay in the profiles and count as missing."),
    )
    name_en = forms.CharField(label=_("Name in English"), max_length=200, required=False)
    name_de = forms.CharField(label=_("Name in German"), max_length=200, required=False)
    choices = forms.CharField(
        label=_("Choices"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("For the type “choice”: one a line, as “key” or “key = English = German”."),
    )
    source_class = forms.ChoiceField(
        label=_("How we know it"),
        required=False,
        choices=CLASS_CHOICES,
        help_text=_("Decides for every value of this attribute; if not decided, the source of each value does."),
    )
    purpose = forms.CharField(
        label=_("Purpose"),
        max_length=500,
        required=False,
        help_text=_("What it is kept for; people read this when they ask for their data."),
    )

    def document(self) -> dict[str, Any]:
        """The form as a document of the kind `attribute`."""
        data = self.cleaned_data
        name = {language: data[f"name_{language}"] for language in ("en", "de") if data[f"name_{language}"]}
        found = {
            **{name: data[name] for name in ("key", "type", "source_class", "purpose") if data[name]},
            **({"name": name} if name else {}),
        }
        if data["type"] == Attribute.Type.CHOICE:
            found["choices"] = _read_choices(data["choices"])
        return found

    def tell(self, refused: Problems) -> None:
        """Put each mistake to its field."""
        for problem in refused.problems:
            text = problem.problem + (f" ({problem.remedy})" if problem.remedy else "")
            self.add_error(problem.where if problem.where in self.fields else None, text)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("type") == Attribute.Type.CHOICE and not _read_choices(data.get("choices", "")):
            self.add_error("choices", gettext("Give at least one choice."))
        return data


def _read_choices(text: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        key, *names = (part.strip() for part in line.split("="))
        if key:
            found[key] = {language: name for language, name in zip(("en", "de"), names, strict=False) if name}
    return found


def _written_choices(choices: Any) -> str:
    lines = []
    for key in choice_keys(choices):
        names = choices[key] if isinstance(choices, dict) else {}
        texts = [names.get("en", ""), names.get("de", "")] if isinstance(names, dict) else [str(names)]
        lines.append(" = ".join([key, *texts]).rstrip(" ="))
    return "\n".join(lines)


def _delete(attribute: Attribute, data: dict[str, Any]) -> str:
    people = delete_attribute(key=attribute.key, now=now(), actor=data["by"])
    return gettext("The attribute is gone, with the values of %(n)d people.") % {"n": people}


class ClassFilter(admin.SimpleListFilter):
    """How we know a value, as decided for the attribute."""

    title = _("how we know it")
    parameter_name = "class"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("none", _("not decided")), *CLASSES.items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        wanted = self.value()
        if not wanted:
            return queryset
        return queryset.filter(known_as="" if wanted == "none" else wanted)


@admin.register(Attribute)
class AttributeAdmin(ReadOnlyAdmin):
    list_display = ("label", "key", "type", "origin", "known", "purpose")
    list_display_links = ("label",)
    list_filter = ("type", "learned", ClassFilter)
    search_fields = ("key",)
    ordering = ("key",)
    empty_text = _(
        "Attributes describe customers beyond name and address. Add them here or with “manage.py apply”, or let imports"
        " teach them."
    )
    panel_template = "admin/customers/attribute.html"
    acts = {
        "delete": Act(
            _("Delete attribute"),
            _("Its values are removed from all profiles; what stood there stays in their history."),
            _delete,
            danger=True,
            permission="customers.delete_attribute",
            after="admin:customers_attribute_changelist",
        )
    }

    def get_queryset(self, request: HttpRequest) -> Any:
        known = Coalesce(F("source_class"), F("source__source_class"), Value("", output_field=TextField()))
        return super().get_queryset(request).select_related("source").annotate(known_as=known)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("customers.add_attribute")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponseBase:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return _form_page(request, None)

    @display(description=_("name"), ordering="key")
    def label(self, attribute: Attribute) -> str:
        return localized(attribute.name, attribute.key)

    @display(description=_("origin"), ordering="learned", label={"learned": "warning", "defined": "success"})
    def origin(self, attribute: Attribute) -> tuple[str, str]:
        if attribute.learned:
            return "learned", gettext("seen in data, type guessed")
        return "defined", gettext("defined")

    @display(description=_("how we know it"))
    def known(self, attribute: Attribute) -> str:
        return str(CLASSES.get(attribute.known_as, NONE))  # type: ignore[attr-defined]

    def panels(self, request: HttpRequest, obj: Attribute) -> dict[str, Any]:
        may_change = request.user.has_perm("customers.change_attribute")
        return {
            "title": localized(obj.name, obj.key),
            "facts": [
                (gettext("Key"), obj.key),
                (gettext("Type"), obj.get_type_display()),
                (gettext("Choices"), ", ".join(choice_keys(obj.choices))),
                (gettext("Origin"), self.origin(obj)[1]),
                (gettext("First seen in"), source_name(obj.source) if obj.source else ""),
                (gettext("How we know it"), str(CLASSES.get(obj.source_class or "", gettext("not decided")))),
                (gettext("Purpose"), obj.purpose or ""),
            ],
            "uses": uses("attribute", obj.key),
            "edit_url": reverse("admin:customers_attribute_edit", args=[obj.pk]) if may_change else "",
            "quality_url": reverse("admin:customers_quality_people", args=[f"missing:{obj.key}"]),
        }


@admin_page(
    "customers/attribute/<int:attribute_id>/edit/",
    name="customers_attribute_edit",
    permission="customers.change_attribute",
)
def edit_attribute(request: HttpRequest, attribute_id: int) -> HttpResponseBase:
    """Define a learned attribute, or redefine one."""
    attribute = Attribute.objects.filter(pk=attribute_id).first()
    if attribute is None:
        raise Http404
    return _form_page(request, attribute)


def _form_page(request: HttpRequest, attribute: Attribute | None) -> HttpResponseBase:
    back = reverse("admin:customers_attribute_changelist")
    initial = {}
    if attribute:
        back = reverse("admin:customers_attribute_change", args=[attribute.pk])
        initial = {
            **{name: getattr(attribute, name) for name in ("key", "type", "source_class", "purpose")},
            **{f"name_{language}": attribute.name.get(language) for language in ("en", "de")},
            "choices": _written_choices(attribute.choices),
        }
    form = AttributeForm(request.POST or None, initial=initial)
    form.fields["key"].disabled = attribute is not None
    if request.method == "POST" and form.is_valid():
        document = form.document()
        if attribute is None and Attribute.objects.filter(key=document["key"], learned=False).exists():
            form.add_error("key", gettext("There is already an attribute with this key."))
        else:
            try:
                AttributeKind().apply(document, now=now(), declared={})
            except Problems as refused:
                form.tell(refused)
            else:
                messages.success(request, gettext("The attribute is defined."))
                saved = Attribute.objects.get(key=document["key"])
                return HttpResponseRedirect(reverse("admin:customers_attribute_change", args=[saved.pk]))
    title = gettext("Define attribute “%(key)s”") % {"key": attribute.key} if attribute else gettext("New attribute")
    return page(request, "admin/customers/attribute_form.html", {"form": form, "back": back, "title": title})


class SourceForm(forms.Form):
    """What a source is called, and how values from it are known."""

    source_class = forms.ChoiceField(label=_("How we know its values"), required=False, choices=CLASS_CHOICES)
    name_en = forms.CharField(label=_("Name in English"), max_length=200, required=False)
    name_de = forms.CharField(label=_("Name in German"), max_length=200, required=False)


def _describe(source: Source, data: dict[str, Any]) -> str:
    name = {language: data[f"name_{language}"] for language in ("en", "de") if data[f"name_{language}"]}
    save_source(source_id=source.pk, source_class=data["source_class"] or None, name=name or source.name)
    return gettext("The source is described.")


@admin.register(Source)
class SourceAdmin(ReadOnlyAdmin):
    list_display = ("shown", "key_shown", "class_shown", "created_at")
    list_display_links = ("shown",)
    list_filter = ("source_class",)
    search_fields = ("key",)
    ordering = ("key",)
    sortable_by = ()
    empty_text = _("Sources appear with the first value that comes from them.")
    panel_template = "admin/customers/source.html"
    acts = {
        "describe": Act(
            _("Describe source"),
            _("Say how values from this source are known. Attributes with a decision of their own keep it."),
            _describe,
            form=SourceForm,
        )
    }

    @display(description=_("name"), ordering="key")
    def shown(self, source: Source) -> str:
        return source_name(source)

    @display(description=_("key"), ordering="key")
    def key_shown(self, source: Source) -> str:
        # A technical name, set apart from words that are translated.
        return format_html("<code>{}</code>", source.key)

    @display(description=_("how we know its values"))
    def class_shown(self, source: Source) -> str:
        return str(CLASSES.get(source.source_class or "", NONE))

    def panels(self, request: HttpRequest, obj: Source) -> dict[str, Any]:
        return {
            "title": source_name(obj),
            "facts": [
                (gettext("Key"), obj.key),
                (gettext("How we know its values"), self.class_shown(obj)),
            ],
        }
