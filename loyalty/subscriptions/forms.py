"""What the public pages ask for: no more than a declaration needs."""

from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from loyalty.customers.addresses import email as read_email
from loyalty.customers.values import Refused
from loyalty.kit import clock
from loyalty.subscriptions.terms import LATEST_WISH


class DeclarationForm(forms.Form):
    """Who, which contract, and where the receipt goes."""

    name = forms.CharField(
        label=_("Your name"), max_length=200, widget=forms.TextInput(attrs={"autocomplete": "name"}),
        error_messages={"required": _("Please write your name.")},
    )  # fmt: skip
    email = forms.EmailField(
        label=_("Your email address"),
        max_length=254,
        help_text=_("The one that we know, if you can. The receipt goes there."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={
            "required": _("Please write your email address."),
            "invalid": _("Please write an email address such as anna@example.com."),
        },
    )
    contract = forms.CharField(
        label=_("Contract"),
        max_length=200,
        required=False,
        help_text=_("The number (M-…) from your confirmation, or what you ordered. Leave it empty if you have one"
                    " membership with us."),
    )  # fmt: skip

    def clean_name(self) -> str:
        return " ".join(str(self.cleaned_data["name"]).split())

    def clean_contract(self) -> str:
        return " ".join(str(self.cleaned_data["contract"]).split())

    def clean_email(self) -> str:
        """As we keep addresses; one that we could not write to is none."""
        try:
            return read_email(self.cleaned_data["email"]).lower()
        except Refused:
            raise forms.ValidationError(self.fields["email"].error_messages["invalid"]) from None

    def plain(self) -> dict[str, Any]:
        """The fields of a declaration."""
        return {name: value for name, value in self.cleaned_data.items() if value not in (None, "")}


class CancelForm(DeclarationForm):
    """A cancellation (§ 312k of the German civil code)."""

    kind = forms.ChoiceField(
        label=_("Kind of cancellation"),
        choices=[("ordinary", _("ordinary")), ("extraordinary", _("for good cause"))],
        initial="ordinary",
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(
        label=_("Cause"),
        max_length=2_000,
        required=False,
        help_text=_("Only needed when you cancel for good cause."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    wished_end = forms.DateField(
        label=_("Last day"),
        required=False,
        help_text=_("Leave it empty to end as soon as possible."),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        input_formats=["%Y-%m-%d", "%d.%m.%Y"],
        error_messages={"invalid": _("Please write a day such as 2026-12-31.")},
    )

    def clean_wished_end(self) -> date | None:
        wished: date | None = self.cleaned_data["wished_end"]
        if wished and wished > (clock.now() + LATEST_WISH).date():
            raise forms.ValidationError(self.fields["wished_end"].error_messages["invalid"])
        return wished

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("kind") == "extraordinary" and not found.get("reason"):
            self.add_error("reason", _("Please write the cause."))
        return found

    def plain(self) -> dict[str, Any]:
        given = super().plain()
        return given | {"extraordinary": given.pop("kind") == "extraordinary"}
