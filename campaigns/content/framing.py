"""Showing a rendered message inside the admin: documents of their own, for a sandboxed frame, that can only be seen.

What a template makes is as untrusted as its author: no script runs, no form is sent, nothing is framed or based
elsewhere. Pictures are loaded over https only and without telling who looks.
"""

from collections.abc import Iterable

from django.http import HttpResponse
from django.template.loader import render_to_string

from campaigns.content.preview import Preview
from loyalty.kit.problems import Problem

POLICY = (
    "default-src 'none'; img-src https: data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox"
)
PARTS = ("html", "text")


def framed(message: Preview, part: str, headers: Iterable[tuple[str, str]] = ()) -> HttpResponse:
    """One part of the message; above the text stand its headers (label, value) and the subject."""
    if part == "html" and message.html:
        return _sealed(message.html)
    context = {"headers": headers, "subject": message.subject, "text": message.text}
    return _sealed(render_to_string("admin/content/framed_text.html", context))


def framed_problem(problem: Problem) -> HttpResponse:
    """Why there is nothing to see."""
    return _sealed(render_to_string("admin/content/framed_problem.html", {"problem": problem}))


def _sealed(document: str) -> HttpResponse:
    answer = HttpResponse(document)
    answer["Content-Security-Policy"] = POLICY
    answer["Referrer-Policy"] = "no-referrer"
    answer["Cache-Control"] = "no-store"
    return answer
