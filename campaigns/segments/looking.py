"""Pages that look at segments: why a person is in or out, how a size went, what hangs together, what two have in
common."""

from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.formats import number_format
from django.utils.translation import gettext

from campaigns.segments import drawing, history, queries, ruletext, tree
from campaigns.segments.models import CustomerList, Segment
from loyalty.customers.models import Customer
from loyalty.customers.queries import resolve
from loyalty.kit.admin import admin_page, localized, page
from loyalty.kit.clock import now
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch, sql

VIEW = "segments.view_segment"
PAGE = 50
SPANS = {"30d": 30, "90d": 90, "365d": 365}
# A history of fewer days than this is drawn by the hour.
YOUNG = 3
# A drawing of more than this nobody can read; one segment's neighborhood is drawn instead.
MOST_BOXES = 150


@admin_page("segments/segment/<int:segment_id>/explain/", name="segments_explain", permission=VIEW)
def explain(request: HttpRequest, segment_id: int) -> HttpResponseBase:
    """Why the asked person is in the segment or not: the tree with verdicts and values, and when they were in it."""
    segment = _segment(segment_id)
    context: dict[str, Any] = {
        "title": gettext("Why is somebody in it, or not?"),
        "segment": segment,
        "name": localized(segment.name, segment.key),
        "may_look": request.user.has_perm("customers.view_customer"),
    }
    asked = request.GET.get("who", "").strip()
    if asked and context["may_look"]:
        context |= {"asked": asked, **_explained(segment, asked)}
    return page(request, "admin/segments/explain.html", context)


def _explained(segment: Segment, asked: str) -> dict[str, Any]:
    customer_id = resolve([{"email": asked} if "@" in asked else asked])[0]
    if customer_id is None:
        return {}
    stays = history.stays(customer_id, segment.pk)
    context: dict[str, Any] = {"person": Customer.objects.filter(pk=customer_id).first(), "stays": stays}
    try:
        rule = tree.parse(segment.rule)
        found = queries.explain(rule, customer_id, now=now(), segment_id=segment.pk)
    except Problems as error:
        return context | {"problems": error.problems}
    except LookupError:
        return {}
    verdicts = iter(found.nodes)
    return context | {"explanation": found, "root": _nested(rule, verdicts)}


def _nested(rule: tree.Rule, verdicts: Any) -> dict[str, Any]:
    """The verdicts, which come in the order of the rule, as a tree again."""
    verdict = next(verdicts)
    inner = [_nested(one, verdicts) for one in rule.rules] if isinstance(rule, tree.Group) else []
    return {"verdict": verdict, "inner": inner, "group": isinstance(rule, tree.Group)}


@admin_page("segments/segment/<int:segment_id>/history/", name="segments_history", permission=VIEW)
def history_of(request: HttpRequest, segment_id: int) -> HttpResponseBase:
    """How the size went, which rules it had, and who was in on a day."""
    segment = _segment(segment_id)
    span = request.GET.get("span", "90d")
    days = SPANS.get(span, 90)
    end = now()
    zone = timezone.get_current_timezone_name()
    points = history.sizes(segment.pk, start=end - timedelta(days=days), end=end, zone=zone)
    if len(points) < YOUNG:
        points = history.sizes(segment.pk, start=end - timedelta(days=YOUNG), end=end, step="hour", zone=zone)
    seconds = [(point.at.timestamp(), point.members) for point in points]
    context = {
        "title": gettext("History"),
        "segment": segment,
        "name": localized(segment.name, segment.key),
        "spans": [(key, gettext("%(n)d days") % {"n": n}, n == days) for key, n in SPANS.items()],
        "points": list(reversed([point for point in points if point.joined or point.left]))[:PAGE],
        "chart": drawing.sizes(seconds, start=seconds[0][0], end=end.timestamp()) if len(seconds) > 1 else None,
        "first": points[0].at if points else None,
        "last": points[-1] if points else None,
        "definitions": [(one.at, ruletext.write(one.rule)) for one in history.definitions(segment.pk)[:10]],
        "may_look": request.user.has_perm("customers.view_customer"),
    }
    if context["may_look"]:
        context |= _members_on(request, segment)
    return page(request, "admin/segments/history.html", context)


def _members_on(request: HttpRequest, segment: Segment) -> dict[str, Any]:
    """Who was in at the end of the asked day."""
    try:
        day = parse_date(request.GET.get("on", ""))
    except ValueError:
        day = None
    if day is None:
        return {"on": ""}
    written = request.GET.get("after", "")
    after = int(written) if written.isdecimal() and len(written) < 19 else 0
    at = timezone.make_aware(datetime.combine(day, time())) + timedelta(days=1) - timedelta(microseconds=1)
    rows = history.members_at(segment.pk, at, after=after, limit=PAGE)
    people = Customer.objects.only("first_name", "last_name", "external_id", "email").in_bulk(
        [row.customer_id for row in rows]
    )
    following = {"on": day.isoformat(), "after": rows[-1].customer_id} if len(rows) == PAGE else {}
    return {
        "on": day.isoformat(),
        "on_day": day,
        "on_count": history.size_at(segment.pk, at),
        "on_people": [(row, people.get(row.customer_id)) for row in rows],
        "next_url": f"?{urlencode(following)}#on-day" if following else "",
    }


@admin_page("segments/graph/", name="segments_graph", permission=VIEW)
def graph(request: HttpRequest) -> HttpResponseBase:
    """Which segment refers to which, and which flows begin with them; with `of` only what hangs together with it."""
    found = queries.graph()
    shown = {(node.kind, node.key): node for node in found.nodes if node.kind != "event"}
    ids = {place: f"{place[0]}:{place[1]}" for place in shown}
    edges = {
        (ids[source], ids[target])
        for edge in found.edges
        if (source := (edge.from_kind, edge.from_key)) in ids and (target := (edge.to_kind, edge.to_key)) in ids
    }
    connected = {node for edge in edges for node in edge}
    of = request.GET.get("of", "")
    if of:
        near = drawing.around(edges, f"segment:{of}")
        edges = {edge for edge in edges if edge[0] in near and edge[1] in near}
    drawn = drawing.graph(edges) if len({node for edge in edges for node in edge}) <= MOST_BOXES else None
    by_id = {ids[place]: node for place, node in shown.items()}
    addresses = _addresses()
    boxes = [
        {"box": box, "node": by_id[box.id], "here": box.id == f"segment:{of}", **_labels(by_id[box.id], addresses)}
        for box in (drawn.boxes if drawn else ())
    ]
    alone = [
        (node, _labels(node, addresses))
        for id_, node in sorted(by_id.items())
        if node.kind == "segment" and id_ not in connected
    ]
    context = {
        "title": gettext("What hangs together"),
        "of": of,
        "drawing": drawn,
        "boxes": boxes,
        "box_width": drawing.BOX_WIDTH,
        "box_height": drawing.BOX_HEIGHT,
        "too_many": drawn is None,
        "connected": sorted(one.key for one in shown.values() if one.kind == "segment"),
        "uses": [(by_id[source], by_id[target]) for source, target in sorted(edges)],
        "alone": alone if not of else [],
    }
    return page(request, "admin/segments/graph.html", context)


def _labels(node: queries.GraphNode, addresses: dict[tuple[str, str], str]) -> dict[str, str]:
    """A box's two lines and its link."""
    name = localized(node.name, node.key) if isinstance(node.name, dict) else str(node.name or node.key)
    kinds = {"segment": gettext("segment"), "flow": gettext("flow"), "list": gettext("list")}
    small = kinds.get(node.kind, node.kind)
    if node.members is not None:
        small = gettext("%(count)s members") % {"count": number_format(node.members, force_grouping=True)}
        if node.build_ms is not None:
            small += f" · {number_format(node.build_ms, force_grouping=True)} ms"
    cut = name if len(name) <= 28 else name[:27] + "…"
    return {"name": cut, "full": name, "small": small, "url": addresses.get((node.kind, node.key), "")}


def _addresses() -> dict[tuple[str, str], str]:
    """The pages of segments and lists by kind and key; those of packages above nobody here knows."""
    found = {}
    for kind, model in (("segment", Segment), ("list", CustomerList)):
        for pk, key in model.objects.values_list("pk", "key"):
            found[kind, key] = reverse(f"admin:segments_{model._meta.model_name}_change", args=[pk])
    return found


@admin_page("segments/overlap/", name="segments_overlap", permission=VIEW)
def overlap(request: HttpRequest) -> HttpResponseBase:
    """How many people two segments have in common."""
    segments = list(Segment.objects.order_by("key").only("pk", "key", "name", "member_count"))
    by_key = {one.key: one for one in segments}
    a, b = by_key.get(request.GET.get("a", "")), by_key.get(request.GET.get("b", ""))
    context: dict[str, Any] = {
        "title": gettext("Overlap"),
        "segments": [(one.key, localized(one.name, one.key)) for one in segments],
        "a": a,
        "b": b,
    }
    if a is not None and b is not None:
        context |= _overlapped(a, b)
    return page(request, "admin/segments/overlap.html", context)


def _overlapped(a: Segment, b: Segment) -> dict[str, Any]:
    """The three parts; both sides are read once, in the order of their index."""
    one, both, other = fetch(
        sql(
            "SELECT count(*) FILTER (WHERE y.customer_id IS NULL),"
            " count(*) FILTER (WHERE x.customer_id = y.customer_id), count(*) FILTER (WHERE x.customer_id IS NULL)"
            " FROM (SELECT customer_id FROM segment_member WHERE segment_id = {a}) x"
            " FULL JOIN (SELECT customer_id FROM segment_member WHERE segment_id = {b}) y USING (customer_id)",
            a=a.pk,
            b=b.pk,
        )
    )[0]
    names = localized(a.name, a.key), localized(b.name, b.key)
    total = one + both + other
    in_a, in_b = {"segment": a.key}, {"segment": b.key}
    parts: list[tuple[str, str, int, list[dict[str, Any]]]] = [
        ("a", gettext("only in “%(name)s”") % {"name": names[0]}, one, [in_a, {"none": [in_b]}]),
        ("both", gettext("in both"), both, [in_a, in_b]),
        ("b", gettext("only in “%(name)s”") % {"name": names[1]}, other, [in_b, {"none": [in_a]}]),
    ]
    shown, left = [], 0.0
    for style, label, count, rules in parts:
        width = 1000 * count / total if total else 0
        asked = urlencode({"rule": ruletext.write({"all": rules})})
        shown.append(
            {
                "style": style,
                "label": label,
                "count": count,
                "x": f"{left:.1f}",
                "width": f"{width:.1f}",
                "share": 100 * count / total if total else 0,
                "url": f"{reverse('admin:segments_segment_add')}?{asked}",
            }
        )
        left += width
    return {"parts": shown, "everybody": total, "name_a": names[0], "name_b": names[1]}


def _segment(segment_id: int) -> Segment:
    segment = Segment.objects.filter(pk=segment_id).first()
    if segment is None:
        raise Http404
    return segment
