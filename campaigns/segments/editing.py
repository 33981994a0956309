"""Writing rules in the admin: the builder and the text beside it, the live check, and what a change would do."""

import json
from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from campaigns.segments import operations, parameter_forms, queries, ruletext, suggestions, tree
from campaigns.segments.builder_words import builder_words
from campaigns.segments.models import Segment
from campaigns.segments.review import reviewed
from loyalty.kit.admin import admin_page, localized, page
from loyalty.kit.clock import now
from loyalty.kit.problems import Problems

VIEW, ADD, CHANGE = "segments.view_segment", "segments.add_segment", "segments.change_segment"
LONGEST = 2 * tree.MAX_BYTES
FIRST_RULE = {"all": [{"attribute": "country", "in": ["DE"]}]}


class SegmentForm(forms.Form):
    """What a segment says beside its key; the names are one field per language."""

    key = forms.CharField(
        label=_("Key"),
        max_length=100,
        help_text=_("A short name for files and programs, such as lapsing_vips. It never changes."),
    )
    description = forms.CharField(
        label=_("Description"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2})
    )
    text = forms.CharField(
        label=_("Rule as text"),
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 16, "spellcheck": "false", "autocapitalize": "off", "class": "code"}),
        help_text=_("YAML, as in files: groups all, any and none; each condition begins with what it asks."),
    )

    def __init__(self, *args: Any, is_new: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_new:
            del self.fields["key"]
        for code, language in settings.LANGUAGES:
            label = gettext("Name (%(language)s)") % {"language": gettext(str(language))}
            self.fields[f"name_{code}"] = forms.CharField(label=label, required=False, max_length=200)
        self.order_fields(["key", *(f"name_{code}" for code, _language in settings.LANGUAGES), "description", "text"])

    def name(self, before: dict[str, str]) -> dict[str, str]:
        """The names by language; those in other languages than the form's stay."""
        codes = [code for code, _language in settings.LANGUAGES]
        kept = {code: name for code, name in before.items() if code not in codes}
        return {code: said for code in codes if (said := self.cleaned_data.get(f"name_{code}"))} | kept


@dataclass(frozen=True, slots=True)
class Draft:
    """A valid form: what would be saved."""

    key: str
    name: dict[str, str]
    description: str | None
    rule: tree.Rule


def edit(request: HttpRequest, segment: Segment | None = None) -> HttpResponseBase:
    """The page to write a segment. POST with `step=review` shows what would change, with `step=save` saves."""
    if not request.user.has_perm(CHANGE if segment else ADD):
        raise PermissionDenied
    if request.method != "POST":
        return _page(request, segment, SegmentForm(initial=_initial(request, segment), is_new=segment is None))
    form = SegmentForm(request.POST, is_new=segment is None)
    draft = _draft(form, segment) if form.is_valid() else None
    if draft is None or request.POST.get("step") not in ("review", "save"):
        return _page(request, segment, form)
    if request.POST["step"] == "review":
        return _review(request, segment, form, draft)
    return _save(request, segment, form, draft)


@admin_page("segments/rule/forms/", name="segments_forms", permission=VIEW)
def forms_of_operators(request: HttpRequest) -> JsonResponse:
    """What the builder needs: operators with their fields, comparisons, suggestions."""
    return JsonResponse(
        {
            "operators": parameter_forms.described(),
            "comparisons": parameter_forms.comparisons(),
            "suggestions": suggestions.all_suggestions(),
            "words": builder_words(),
        }
    )


@admin_page("segments/rule/check/", name="segments_check", permission=VIEW)
@require_POST
def check(request: HttpRequest) -> JsonResponse:
    """A rule (`{"rule": ...}` or `{"text": ...}`) as the other of both, its mistakes, and each node's sentence and
    count."""
    if len(request.body) > 2 * LONGEST:
        return JsonResponse({"problems": [{"where": "rule", "text": gettext("The rule is too long."), "line": 1}]})
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return JsonResponse({}, status=400)
    if not isinstance(body, dict):
        return JsonResponse({}, status=400)
    given = body.get("text")
    found = ruletext.from_text(given) if isinstance(given, str) else ruletext.check(body.get("rule"))
    answer: dict[str, Any] = {
        "rule": found.rule,
        "problems": [{"where": one.where, "text": one.text, "line": one.line} for one in found.mistakes],
        "nodes": [{"where": one.where, "sentence": queries.sentence(one)} for one in _nodes(found.readable)],
    }
    if found.typed is not None:
        answer |= {"text": ruletext.write(tree.document(found.typed)), **_counted(found.typed)}
    elif found.readable is not None:
        answer["text"] = ruletext.write(found.rule)
    return JsonResponse(answer)


def _counted(rule: tree.Rule) -> dict[str, Any]:
    try:
        preview = queries.preview(rule, now=now(), sample=0)
    except Problems as error:
        return {"slow": "; ".join(problem.problem for problem in error.problems)}
    nodes = [
        {"where": one.where, "sentence": one.sentence, "count": one.count, "exact": one.low == one.high}
        for one in preview.nodes
    ]
    return {"count": preview.count, "total": preview.total, "exact": preview.exact, "nodes": nodes}


def _nodes(rule: tree.Rule | None) -> list[tree.Rule]:
    return list(tree.walk(rule)) if rule is not None else []


def _initial(request: HttpRequest, segment: Segment | None) -> dict[str, Any]:
    """What the fields begin with; a new segment may be begun by a link (`?rule=...&key=...&name_en=...`)."""
    if segment is not None:
        names = {f"name_{code}": name for code, name in (segment.name or {}).items()}
        rule = queries.document_of(segment)["rule"]
        return {**names, "description": segment.description or "", "text": ruletext.write(rule)}
    begun = {name: value for name, value in request.GET.items() if name == "key" or name.startswith("name_")}
    return {**begun, "text": _begun(request.GET.get("rule", ""))}


def _begun(written: str) -> str:
    found = ruletext.from_text(written) if written and len(written) <= LONGEST else None
    return ruletext.write(tree.document(found.typed) if found and found.typed else FIRST_RULE)


def _draft(form: SegmentForm, segment: Segment | None) -> Draft | None:
    """The form's segment; None after its mistakes were put where they belong."""
    data = form.cleaned_data
    found = ruletext.from_text(data["text"])
    for one in found.mistakes:
        place = gettext("line %(line)s") % {"line": one.line} if one.line else one.where
        form.add_error("text", f"{place}: {one.text}")
    key = segment.key if segment else data["key"]
    if segment is None and Segment.objects.filter(key=key).exists():
        form.add_error("key", gettext("There is a segment with this key already."))
    if found.typed is None or form.errors:
        return None
    for problem in queries.cycle_problems(key, found.typed):
        form.add_error("text", f"{problem.problem} ({problem.remedy})")
    name = form.name(segment.name if segment else {})
    return None if form.errors else Draft(key, name, data["description"] or None, found.typed)


def _page(request: HttpRequest, segment: Segment | None, form: SegmentForm) -> HttpResponseBase:
    title = localized(segment.name, segment.key) if segment else gettext("New segment")
    context = {
        "title": title,
        "segment": segment,
        "form": form,
        "back": _address(segment),
        "lines": [(number, text) for number, text in enumerate(form["text"].errors)],
    }
    return page(request, "admin/segments/edit.html", context)


def _review(request: HttpRequest, segment: Segment | None, form: SegmentForm, draft: Draft) -> HttpResponseBase:
    context = {
        "title": localized(draft.name, draft.key),
        "segment": segment,
        "draft": draft,
        "fields": [(name, value) for name, value in form.cleaned_data.items()],
        "may_look": request.user.has_perm("customers.view_customer"),
        **reviewed(draft.rule, segment),
    }
    return page(request, "admin/segments/review.html", context)


def _save(request: HttpRequest, segment: Segment | None, form: SegmentForm, draft: Draft) -> HttpResponseBase:
    try:
        saved = operations.save_segment(
            key=draft.key,
            rule=tree.document(draft.rule),
            name=draft.name,
            description=draft.description,
            now=now(),
        )
    except Problems as error:
        for problem in error.problems:
            field = "key" if problem.where == "key" and "key" in form.fields else "text"
            form.add_error(field, str(problem))
        return _page(request, segment, form)
    messages.success(request, _told(saved))
    return HttpResponseRedirect(_address(saved.segment))


def _told(saved: operations.Saved) -> str:
    if saved.verdict == "unchanged":
        return gettext("Nothing was changed.")
    if saved.built and saved.segment.member_count is not None:
        count = number_format(saved.segment.member_count, force_grouping=True)
        return gettext("Saved. The segment has %(count)s members.") % {"count": count}
    return gettext("Saved. The members follow within seconds.")


def _address(segment: Segment | None) -> str:
    if segment is None:
        return reverse("admin:segments_segment_changelist")
    return reverse("admin:segments_segment_change", args=[segment.pk])
