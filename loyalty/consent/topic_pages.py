"""Topics in the admin: the list, one with how many switched it off, and a form to write one."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.consent import topics
from loyalty.consent.models import ExistingCustomer, Topic, TopicChoice
from loyalty.consent.words import CHANNEL_CHOICES, channel_name
from loyalty.kit.admin import Act, ReadOnlyAdmin, admin_page, localized, page
from loyalty.kit.clock import now
from loyalty.kit.problems import Problems


class TopicForm(forms.Form):
    """A topic as readers see it."""

    key = forms.SlugField(
        label=_("Key"),
        max_length=64,
        help_text=_("Templates name the topic by it: “topic: coffee”. It cannot be changed later."),
    )
    name_en = forms.CharField(label=_("Name in English"), max_length=100)
    name_de = forms.CharField(label=_("Name in German"), max_length=100)
    description_en = forms.CharField(label=_("Explanation in English"), max_length=500, required=False)
    description_de = forms.CharField(label=_("Explanation in German"), max_length=500, required=False)
    channels = forms.MultipleChoiceField(
        label=_("Channels"),
        choices=CHANNEL_CHOICES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Who is not reached by one of these is not asked. None checked: all."),
    )
    position = forms.IntegerField(
        label=_("Place in the list"), min_value=0, max_value=1000, initial=0, help_text=_("Small numbers stand first.")
    )


def _delete(topic: Topic, data: dict[str, Any]) -> str:
    topics.delete(key=topic.key)
    return gettext("The topic was deleted.")


@admin.register(Topic)
class TopicAdmin(ReadOnlyAdmin):
    list_display = ("title", "key", "channels_shown", "off", "updated_at")
    list_display_links = ("title",)
    sortable_by = ()
    ordering = ("position", "key")
    empty_text = _(
        "People choose from topics on their preference page, and templates name one. Without topics they choose by"
        " channel only."
    )
    panel_template = "admin/consent/topic.html"
    acts = {
        "delete": Act(
            _("Delete"),
            _("Readers no longer see the topic. What they chose stays and still holds for messages that name it."),
            _delete,
            danger=True,
            permission="consent.delete_topic",
            after="admin:consent_topic_changelist",
        )
    }

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("consent.add_topic"))

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Topic]":
        off = TopicChoice.objects.filter(topic=OuterRef("key"), wanted=False).order_by().values("topic")
        return super().get_queryset(request).annotate(refused=Subquery(off.annotate(n=Count("*")).values("n")))

    @display(description=_("name"))
    def title(self, topic: Topic) -> str:
        return localized(topic.name, topic.key)

    @display(description=_("channels"))
    def channels_shown(self, topic: Topic) -> str:
        return ", ".join(channel_name(one) for one in topic.channels) or gettext("all")

    @display(description=_("switched off by"))
    def off(self, topic: Any) -> str:
        return str(number_format(topic.refused or 0, force_grouping=True))

    def panels(self, request: HttpRequest, obj: Topic) -> dict[str, Any]:
        may_edit = request.user.has_perm("consent.change_topic")
        return {
            "title": localized(obj.name, obj.key),
            "channels": self.channels_shown(obj),
            "off": self.off(obj),
            "edit_url": reverse("admin:consent_topic_edit", args=[obj.pk]) if may_edit else "",
        }

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponseBase:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return _form(request, None)


@admin_page("consent/topics/<int:topic_id>/edit/", name="consent_topic_edit", permission="consent.change_topic")
def edit_topic(request: HttpRequest, topic_id: int) -> HttpResponseBase:
    """Change how a topic is told."""
    topic = Topic.objects.filter(pk=topic_id).first()
    if topic is None:
        raise Http404
    return _form(request, topic)


def _form(request: HttpRequest, topic: Topic | None) -> HttpResponseBase:
    form = TopicForm(request.POST or None, initial=_initial(topic) if topic else None)
    if topic:
        form.fields["key"].disabled = True
    if request.method == "POST" and form.is_valid():
        try:
            topics.save(topics.read(_document(form.cleaned_data)), now=now())
        except Problems as error:
            for problem in error.problems:
                form.add_error(None, str(problem))
        else:
            return HttpResponseRedirect(reverse("admin:consent_topic_changelist"))
    title = gettext("Change the topic") if topic else gettext("New topic")
    return page(request, "admin/consent/topic_form.html", {"form": form, "title": title})


def _initial(topic: Topic) -> dict[str, Any]:
    texts = {
        f"{field}_{language}": getattr(topic, field).get(language, "")
        for field in ("name", "description")
        for language in ("en", "de")
    }
    return {"key": topic.key, "channels": topic.channels, "position": topic.position, **texts}


def _document(data: dict[str, Any]) -> dict[str, Any]:
    texts = {
        field: {language: text for language in ("en", "de") if (text := data[f"{field}_{language}"])}
        for field in ("name", "description")
    }
    return {"key": data["key"], "channels": data["channels"], "position": data["position"], **texts}


@admin.register(ExistingCustomer)
class ExistingCustomerAdmin(ReadOnlyAdmin):
    list_display = ("purchased_at", "customer_id", "channel", "product_group", "source", "reference")
    sortable_by = ()
    ordering = ("-id",)
    empty_text = _(
        "Purchases that allow advertising of similar goods without consent are recorded by the API. They are used only"
        " where EXISTING_CUSTOMER_ADS is on and a template says “basis: existing_customer”."
    )
    fields = (
        *("customer_id", "channel", "product_group", "purchased_at", "source", "reference", "notice", "recorded_at"),
    )
