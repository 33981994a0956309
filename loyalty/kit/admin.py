"""The one base of all admin pages: read-only lists of large tables, and detail pages made of panels.

Changes go through operations: buttons (`action` of unfold) call one each. Keeping our own pages behind these classes
leaves the theme replaceable.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import connection
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.functional import cached_property
from django.utils.translation import get_language, gettext, gettext_lazy
from unfold.admin import ModelAdmin

from loyalty.kit.problems import Problems

# Counting exactly costs about 100 ms a million rows; past this the planner's estimate is shown.
EXACT_UP_TO = 200_000


def localized(name: Any, fallback: str) -> str:
    """The name in the active language of a `{"en": ..., "de": ...}` field, else in any, else the fallback (the key)."""
    if not isinstance(name, dict) or not name:
        return fallback
    language = (get_language() or "en").partition("-")[0]
    return str(name.get(language) or name.get("en") or next(iter(name.values())) or fallback)


class LargeTablePaginator(Paginator):  # type: ignore[type-arg]
    """Counts an unfiltered large table by the planner's estimate instead of reading it."""

    @cached_property
    def count(self) -> int:
        query = getattr(self.object_list, "query", None)
        if query is not None and not query.where and not query.distinct:
            with connection.cursor() as cursor:
                # Partitions carry their own estimates.
                cursor.execute(
                    "SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint FROM pg_class c"
                    " WHERE c.oid = %s::regclass"
                    " OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = %s::regclass)",
                    [query.model._meta.db_table] * 2,
                )
                estimate = int(cursor.fetchone()[0])
            if estimate > EXACT_UP_TO:
                return estimate
        return int(super().count)


@dataclass(frozen=True)
class Act:
    """A button of a detail page. It asks first (GET shows the question), acts on POST, and says what it did.

    `run(obj, data)` calls one operation and returns a sentence; it may raise Problems. `allowed` hides it where it
    makes no sense; `form`, if any, asks for what the operation needs. `data` are its cleaned data, and in "by" the name
    of the user. `permission` ("customers.delete_customer") is needed instead of the right to change the object; `after`
    names the page to go to instead of back, for what is gone afterwards.
    """

    label: Any
    question: Any
    run: Callable[[Any, dict[str, Any]], Any]
    allowed: Callable[[Any], bool] = lambda obj: True
    danger: bool = False
    form: type[Form] | None = None
    permission: str = ""
    after: str = ""


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]
    """Shows and never edits; `panel_template`, if set, is the detail page, fed by `panels`.

    `empty_text` tells what brings the first row of an empty list.
    """

    list_per_page = 50
    show_full_result_count = False
    paginator = LargeTablePaginator
    list_fullwidth = True
    empty_value_display = "–"
    empty_text: Any = ""
    panel_template: str | None = None
    acts: Mapping[str, Act] = {}

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def panels(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """The context of the detail page."""
        return {}

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        context = dict(extra_context or {})
        if self.panel_template:
            obj = self.get_object(request, object_id)
            if obj is not None:
                context |= {"object": obj, "acts": self._acts_for(request, obj), **self.panels(request, obj)}
        return super().change_view(request, object_id, form_url, context)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [] if self.panel_template else super().get_fieldsets(request, obj)

    @property
    def change_form_template(self) -> str | None:  # type: ignore[override]
        return self.panel_template

    def _acts_for(self, request: HttpRequest, obj: Any) -> list[tuple[str, Act]]:
        return [
            (self._act_url(obj.pk, key), act)
            for key, act in self.acts.items()
            if self.may_act(request, act) and act.allowed(obj)
        ]

    def _act_url(self, object_id: Any, act: str) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_act", args=[object_id, act])

    def may_act(self, request: HttpRequest, act: Act) -> bool:
        """Acting needs the act's permission or the model's change permission, although nothing is edited by hand."""
        return request.user.has_perm(act.permission or f"{self.opts.app_label}.change_{self.opts.model_name}")

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_act"
        view = self.admin_site.admin_view(self.act_view)
        return [path("<path:object_id>/act/<slug:act>/", view, name=name), *super().get_urls()]

    def act_view(self, request: HttpRequest, object_id: str, act: str) -> HttpResponseBase:
        """Ask (GET), then act (POST) and return to the detail page with a message."""
        obj = self.get_object(request, object_id)
        chosen = self.acts.get(act)
        if obj is None or chosen is None:
            raise Http404
        if not self.may_act(request, chosen):
            raise PermissionDenied
        back = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[object_id])
        if not chosen.allowed(obj):
            messages.warning(request, gettext("“%(act)s” is not possible in this state.") % {"act": chosen.label})
            return HttpResponseRedirect(back)
        form = chosen.form(request.POST or None) if chosen.form else None
        if request.method == "POST" and (form is None or form.is_valid()):
            data = (form.cleaned_data if form else {}) | {"by": request.user.get_username()}
            try:
                messages.success(request, chosen.run(obj, data))
            except Problems as error:
                for problem in error.problems:
                    messages.error(request, str(problem))
                if form:
                    return self._ask(request, obj, chosen, form, back)
                return HttpResponseRedirect(back)
            return HttpResponseRedirect(reverse(chosen.after) if chosen.after else back)
        return self._ask(request, obj, chosen, form, back)

    def _ask(self, request: HttpRequest, obj: Any, act: Act, form: Form | None, back: str) -> TemplateResponse:
        context = {"opts": self.opts, "object": obj, "act": act, "form": form, "back": back, "title": act.label}
        return page(request, "admin/act.html", context)


PageView = Callable[..., HttpResponseBase]
_pages: list[Any] = []


def admin_page(route: str, *, name: str, permission: str) -> Callable[[PageView], PageView]:
    """Decorator: serve the view at `/admin/<route>` as `admin:<name>`, to staff with the permission."""

    def decorate(view: PageView) -> PageView:
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.has_perm(permission):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        _pages.append(path(route, admin.site.admin_view(update_wrapper(guarded, view)), name=name))
        return view

    return decorate


admin.site.index_title = gettext_lazy("Dashboard")
# A hook of the theme's site: addresses of pages that stand beside those of the models.
admin.site.extra_urls = lambda: list(_pages)  # type: ignore[attr-defined]


def page(request: HttpRequest, template: str, context: Mapping[str, Any]) -> TemplateResponse:
    """A page of the admin with everything its frame needs; `context` has the title."""
    return TemplateResponse(request, template, {**admin.site.each_context(request), **context})
