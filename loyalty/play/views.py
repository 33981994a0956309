"""Public pages: the rules of a game."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language, override

from loyalty.kit import clock
from loyalty.kit.problems import Problems
from loyalty.play.rules import rules_of


def rules(request: HttpRequest, key: str) -> HttpResponse:
    """The rules in the language asked for (`?language=de`), else the browser's."""
    language = request.GET.get("language") or get_language() or "en"
    try:
        found = rules_of(key, language=language, now=clock.now())
    except Problems:
        raise Http404(f"There is no game {key!r}.") from None
    with override(found.language):
        return render(request, "game_rules.html", {"rules": found, "language": found.language})
