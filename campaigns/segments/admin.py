"""Segments in the admin: the rule in sentences with the count at every node, members, and the ways to all other pages.

Importing `editing`, `looking` and `list_admin` brings their pages.
"""

from typing import Any
from urllib.parse import urlencode

import yaml
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from campaigns.segments import editing, list_admin, looking, operations, queries, tree
from campaigns.segments.models import Segment, SegmentMember
from loyalty.customers.models import Customer
from loyalty.kit.admin import Act, ReadOnlyAdmin, localized
from loyalty.kit.clock import now
from loyalty.kit.panels import Panel, customer_panel
from loyalty.kit.problems import Problems

PAGES = (editing, looking, list_admin)
PAGE = 50
NONE = "–"


def _refresh(segment: Segment, data: dict[str, Any]) -> str:
    built = operations.rebuild_segment(key=segment.key, now=now())
    if built.rebuild_at is not None and built.built_at == segment.built_at:
        return gettext("The segment will be built with the next look, within seconds.")
    return gettext("The segment was built: %(count)s members.") % {
        "count": number_format(built.member_count or 0, force_grouping=True)
    }


def _delete(segment: Segment, data: dict[str, Any]) -> str:
    operations.delete_segment(key=segment.key)
    return gettext("The segment was deleted.")


@admin.register(Segment)
class SegmentAdmin(ReadOnlyAdmin):
    list_display = ("title", "key", "members", "built", "took", "state_label")
    list_display_links = ("title",)
    search_fields = ("key",)
    ordering = ("key",)
    empty_text = _(
        "A segment is a rule about people, such as “bought three times, but not lately”. Put one together with “New"
        " segment”, or bring in a file with “manage.py apply FILE”."
    )
    change_list_template = "admin/segments/list_of_segments.html"
    panel_template = "admin/segments/segment.html"
    acts = {
        "refresh": Act(
            _("Refresh now"),
            _("All customers are looked at anew. Members follow every change anyway, so this is rarely needed."),
            _refresh,
        ),
        "delete": Act(
            _("Delete"),
            _("The segment and its members go. It is refused while flows or other segments use it."),
            _delete,
            danger=True,
            permission="segments.delete_segment",
            after="admin:segments_segment_changelist",
        ),
    }

    @display(description=_("name"), ordering="key")
    def title(self, segment: Segment) -> str:
        return localized(segment.name, segment.key)

    @display(description=_("members"), ordering="member_count")
    def members(self, segment: Segment) -> str:
        return NONE if segment.member_count is None else number_format(segment.member_count, force_grouping=True)

    @display(description=_("built"), ordering="built_at")
    def built(self, segment: Segment) -> Any:
        return segment.built_at

    @display(description=_("took"), ordering="build_ms")
    def took(self, segment: Segment) -> str:
        return NONE if segment.build_ms is None else f"{number_format(segment.build_ms, force_grouping=True)} ms"

    @display(description=_("state"), label={"ok": "success", "waits": "info", "failed": "danger"})
    def state_label(self, segment: Segment) -> tuple[str, str]:
        return _state(segment)

    def panels(self, request: HttpRequest, obj: Segment) -> dict[str, Any]:
        after = request.GET.get("after", "")
        cursor = int(after) if after.isdecimal() and len(after) < 19 else 0
        document = queries.document_of(obj)
        try:
            nodes, problems = _nodes(tree.parse(obj.rule)), []
        except Problems as error:
            nodes, problems = [], error.problems
        return {
            "title": localized(obj.name, obj.key),
            "state": _state(obj),
            "nodes": nodes,
            "problems": problems,
            "counts_url": reverse("admin:segments_segment_counts", args=[obj.pk]),
            "definition": yaml.safe_dump(document, allow_unicode=True, sort_keys=False),
            **(_members(obj, cursor) if request.user.has_perm("customers.view_customer") else {}),
            **self._ways(request, obj),
        }

    def _ways(self, request: HttpRequest, obj: Segment) -> dict[str, Any]:
        """The other pages of this segment."""
        return {
            "edit_url": reverse("admin:segments_segment_edit", args=[obj.pk]) if self.may_edit(request) else "",
            "explain_url": reverse("admin:segments_explain", args=[obj.pk]),
            "history_url": reverse("admin:segments_history", args=[obj.pk]),
            "graph_url": f"{reverse('admin:segments_graph')}?{urlencode({'of': obj.key})}",
            "overlap_url": f"{reverse('admin:segments_overlap')}?{urlencode({'a': obj.key})}",
            "may_explain": request.user.has_perm("customers.view_customer"),
        }

    def may_edit(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(editing.CHANGE))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(editing.ADD))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponseBase:
        """The builder, empty or begun by a link."""
        return editing.edit(request)

    def edit_view(self, request: HttpRequest, segment_id: int) -> HttpResponseBase:
        """The builder with the segment's rule."""
        segment = Segment.objects.filter(pk=segment_id).first()
        if segment is None:
            raise Http404
        return editing.edit(request, segment)

    def get_urls(self) -> list[Any]:
        counts, edit = (self.admin_site.admin_view(view) for view in (self.counts_view, self.edit_view))
        return [
            path("<int:segment_id>/counts/", counts, name="segments_segment_counts"),
            path("<int:segment_id>/edit/", edit, name="segments_segment_edit"),
            *super().get_urls(),
        ]

    def counts_view(self, request: HttpRequest, segment_id: int) -> HttpResponseBase:
        """The rule with counts, fetched by the page after it is shown: over many customers counting takes seconds."""
        segment = Segment.objects.filter(pk=segment_id).first()
        if not self.has_view_permission(request):
            raise PermissionDenied
        if segment is None:
            raise Http404
        if request.headers.get("HX-Request") != "true":
            return HttpResponseRedirect(reverse("admin:segments_segment_change", args=[segment_id]))
        try:
            rule = tree.parse(segment.rule)
            found = queries.preview(rule, now=now(), sample=0)
        except Problems as error:
            return TemplateResponse(request, "admin/segments/rule.html", {"problems": error.problems})
        counts = {node.where: node for node in found.nodes}
        context = {"nodes": _nodes(rule, counts), "total": found.total, "counted": True, "exact": found.exact}
        return TemplateResponse(request, "admin/segments/rule.html", context)


def _state(segment: Segment) -> tuple[str, str]:
    if segment.problem:
        return "failed", gettext("build failed")
    if segment.built_at is None:
        return "waits", gettext("not built yet")
    return "ok", gettext("up to date")


def _nodes(rule: tree.Rule, counts: dict[str, queries.NodeCount] | None = None) -> list[dict[str, Any]]:
    """The rule's nodes in order, each with its depth, its sentence and, if known, its count."""
    return [
        {
            "depth": node.where.count("["),
            "group": isinstance(node, tree.Group),
            "sentence": queries.sentence(node),
            "counted": (counts or {}).get(node.where),
        }
        for node in tree.walk(rule)
    ]


def _members(segment: Segment, cursor: int) -> dict[str, Any]:
    page = queries.members(segment.pk, after=cursor, limit=PAGE)
    people = Customer.objects.only("first_name", "last_name", "external_id", "email").in_bulk(
        [member.customer_id for member in page]
    )
    return {
        "show_members": True,
        "members": [(member, people.get(member.customer_id)) for member in page],
        "after": cursor,
        "next_url": f"?after={page[-1].customer_id}#members" if len(page) == PAGE else "",
    }


@customer_panel(20, permission="segments.view_segment")
def memberships(request: HttpRequest, customer_id: int) -> Panel:
    """The segments the customer is in."""
    since = dict(SegmentMember.objects.filter(customer_id=customer_id).values_list("segment_id", "since"))
    found = Segment.objects.filter(pk__in=list(since)).order_by("key")
    rows = [(localized(one.name, one.key), one.pk, since[one.pk]) for one in found]
    return Panel("admin/segments/memberships.html", {"rows": rows})
