"""The public page about joint control: which partner gets which data, what for, on what condition."""

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import translation
from django.views.decorators.http import require_safe

from loyalty.kit.admin import localized
from loyalty.partners import queries, words
from loyalty.partners.models import Partner


@require_safe
def joint_control(request: HttpRequest) -> HttpResponse:
    """The essence of the arrangements (Art. 26 (2) GDPR), in the language that the browser asks for."""
    language = (translation.get_language() or "en").partition("-")[0]
    partners = [
        {
            "name": localized(one["name"], one["key"]),
            "address": one["address"],
            "contact": one["contact"],
            "agreement": localized(one["agreement"], ""),
            "fields": [
                {
                    "name": words.field_name(field["field"]),
                    "why": localized(field["why"], ""),
                    "condition": words.CONDITIONS[field["to"]],
                }
                for field in one["fields"]
            ],
        }
        for one in queries.essence(list(Partner.objects.filter(state="active").order_by("key")))
    ]
    html = render_to_string("joint_control.html", {"language": language, "partners": partners})
    response = HttpResponse(html)
    response["Content-Language"] = language
    return response
