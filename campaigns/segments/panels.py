"""What segments show on the page of RFM: the segments that are made of its names, and the missing ones to make."""

import json
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext, override

from campaigns.segments.models import Segment
from loyalty.insights.catalog import insights
from loyalty.insights.models import FeatureState
from loyalty.kit.admin import localized
from loyalty.kit.object_panels import object_panel
from loyalty.kit.panels import Panel

PREFIX = "rfm_"


@object_panel("insights.featurestate", 10, permission="segments.view_segment")
def of_names(request: HttpRequest, state: FeatureState) -> Panel | None:
    """Each name with its segment, if there is one, else the link that begins it; the same for a chosen cell."""
    if state.key != "rfm":
        return None
    names = insights()["rfm_segment"].insight.choices
    there = {one.key: one for one in Segment.objects.filter(key__in=[PREFIX + key for key in names])}
    rows = [
        {
            "name": name,
            "segment": (found := there.get(PREFIX + key)),
            "title": localized(found.name, found.key) if found else "",
            "url": begin(PREFIX + key, {"insight": "rfm_segment", "in": [key]}, name),
        }
        for key, name in names.items()
    ]
    context: dict[str, Any] = {
        "rows": rows,
        "missing": sum(row["segment"] is None for row in rows),
        "may_add": request.user.has_perm("segments.add_segment"),
        "cell": _cell(request.GET.get("cell", "")),
    }
    return Panel("admin/segments/of_names.html", context)


def begin(key: str, condition: dict[str, Any], name: Any) -> str:
    """The address of a new segment that begins with this condition, named in all languages."""
    names = {}
    for code in ("en", "de"):
        with override(code):
            names[f"name_{code}"] = str(name)
    asked = {"key": key, "rule": json.dumps({"all": [condition]}), **names}
    return f"{reverse('admin:segments_segment_add')}?{urlencode(asked)}"


def _cell(written: str) -> dict[str, str] | None:
    """The chosen cell's link: `5-4` is recency 5 and frequency 4."""
    recency, _dash, frequency = written.partition("-")
    if recency not in tuple("12345") or frequency not in tuple("12345"):
        return None
    conditions = [{"insight": "rfm_recency", "eq": int(recency)}, {"insight": "rfm_frequency", "eq": int(frequency)}]
    key = f"rfm_r{recency}_f{frequency}"
    asked = {"key": key, "rule": json.dumps({"all": conditions}), "name_en": f"R{recency} F{frequency}"}
    title = gettext("Make a segment of recency %(r)s and frequency %(f)s") % {"r": recency, "f": frequency}
    return {"url": f"{reverse('admin:segments_segment_add')}?{urlencode(asked)}", "title": title}
