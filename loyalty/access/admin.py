"""Who may come in: API keys (made and revoked here, their secret shown once), users and roles."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from loyalty.access import operations
from loyalty.access.models import SCOPES, ApiKey
from loyalty.kit.admin import Act, ReadOnlyAdmin, page
from loyalty.kit.clock import now
from loyalty.kit.problems import Problems


class NewKeyForm(forms.Form):
    """What a new key may do, and for how long."""

    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("The program that will use it, e.g. “web shop”.")
    )
    scopes = forms.MultipleChoiceField(
        label=_("It may"),
        choices=[(scope, scope if scope != "*" else _("* (everything)")) for scope in SCOPES],
        widget=forms.CheckboxSelectMultiple,
    )
    days = forms.IntegerField(
        label=_("Days until it ends"),
        min_value=1,
        max_value=3650,
        required=False,
        help_text=_("Leave it empty for a key that lives until it is revoked."),
    )


def _revoke(key: ApiKey, data: dict[str, Any]) -> str:
    operations.revoke_api_key(prefix=key.prefix, now=now())
    return gettext("The key is revoked. Whoever still uses it is refused from now on.")


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ("name", "begin", "state_label", "scopes_shown", "last_used_at", "expires_at", "created_at")
    search_fields = ("name", "prefix")
    ordering = ("-created_at",)
    empty_text = _("Programs need a key to use the API. Add one for each program.")
    panel_template = "admin/access/key.html"
    acts = {
        "revoke": Act(
            _("Revoke"),
            _("The key ends at once. Programs that use it are refused. This cannot be undone."),
            _revoke,
            allowed=lambda key: _state(key) == "live",
            danger=True,
        )
    }

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("access.add_apikey"))

    @display(description=_("begins with"))
    def begin(self, key: ApiKey) -> str:
        return f"{key.prefix}…"

    @display(description=_("state"), label={"live": "success", "ended": "warning", "revoked": "danger"})
    def state_label(self, key: ApiKey) -> tuple[str, str]:
        return _state(key), _state_name(key)

    @display(description=_("opens"))
    def scopes_shown(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    def panels(self, request: HttpRequest, obj: ApiKey) -> dict[str, Any]:
        return {"title": str(obj), "state": _state(obj), "state_name": _state_name(obj)}

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponseBase:
        """Ask, make the key, and show its secret in the answer, which is kept nowhere."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = NewKeyForm(request.POST or None)
        context: dict[str, Any] = {"opts": self.opts, "title": gettext("New API key"), "form": form}
        if request.method == "POST" and form.is_valid():
            days = form.cleaned_data["days"]
            try:
                made = operations.create_api_key(
                    name=form.cleaned_data["name"],
                    scopes=form.cleaned_data["scopes"],
                    now=now(),
                    lifetime=timedelta(days=days) if days else None,
                )
                context |= {"secret": made.secret, "name": form.cleaned_data["name"]}
            except Problems as error:
                for problem in error.problems:
                    form.add_error(None, str(problem))
        answer = page(request, "admin/access/new_key.html", context)
        answer["Cache-Control"] = "no-store"
        return answer


def _state(key: ApiKey) -> str:
    if key.revoked_at:
        return "revoked"
    return "ended" if key.expires_at and key.expires_at <= now() else "live"


def _state_name(key: ApiKey) -> str:
    return {"live": gettext("live"), "ended": gettext("ended"), "revoked": gettext("revoked")}[_state(key)]


def permission_words(permission: Permission) -> str:
    """What a permission lets people do, in their language; the database keeps Django's English."""
    verb = permission.codename.partition("_")[0]
    usual = permission.name.startswith(f"Can {verb} ")
    done = {
        "add": pgettext("permission", "add"),
        "change": pgettext("permission", "change"),
        "delete": pgettext("permission", "delete"),
        "view": pgettext("permission", "look at"),
    }
    return f"{permission.content_type} | {done[verb] if usual and verb in done else gettext(permission.name)}"


class _PermissionsInWords:
    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request=request, **kwargs)  # type: ignore[misc]
        if field is not None and db_field.related_model is Permission:
            field.label_from_instance = permission_words
        return field


admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(_PermissionsInWords, DjangoUserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_filter = ("is_active", "is_staff", "is_superuser", "groups")
    list_display = ("username", "email", "first_name", "last_name", "is_staff", "is_active", "last_login")
    compressed_fields = True


@admin.register(Group)
class GroupAdmin(_PermissionsInWords, DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc, type-arg]
    pass
