"""Gives the first page of the admin its figures, without the site's settings having to know it."""

from typing import Any

from django import template
from django.http import HttpRequest

register = template.Library()


@register.simple_tag(takes_context=True)
def dashboard_figures(context: dict[str, Any]) -> dict[str, Any]:
    """`{% dashboard_figures as figures %}`"""
    # Tag libraries are loaded in the middle of the theme's own import.
    from campaigns.reports.dashboard import dashboard

    request: HttpRequest = context["request"]
    return dashboard(request)
