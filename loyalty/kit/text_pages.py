"""Pages of the admin on which objects are written as text, as `apply` takes it; each mistake comes with its line."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.translation import gettext

from loyalty.kit import document_text
from loyalty.kit.admin import page
from loyalty.kit.applying import Refused, apply_documents
from loyalty.kit.clock import now
from loyalty.kit.document_text import Mistake, Written


@dataclass(frozen=True, slots=True)
class TextPage:
    """Texts of one kind: `address` is the page of the object with a key, `wanted` what is told to whoever writes
    something else, `most` how many documents one text may hold."""

    kind: str
    template: str
    address: Callable[[str], str]
    wanted: str
    saved: str
    most: int | None = None

    def answer(self, request: HttpRequest, *, title: str, text: str, back: str, **context: Any) -> HttpResponseBase:
        """The page with the text, or the way to the first object when all that was written is stored."""
        problems: list[str] = []
        if request.method == "POST":
            text = request.POST.get("text", "")
            documents, mistakes = document_text.read(text.encode(), "")
            problems = [_said(one) for one in mistakes] or ([] if self._fit(documents) else [self.wanted])
            if not problems:
                try:
                    changes = apply_documents([one.value for one in documents], now=now())
                except Refused as refused:
                    problems = [_said(documents[number].mistake(problem)) for number, problem in refused.mistakes]
                else:
                    messages.success(request, self.saved)
                    for one, change in zip(documents, changes, strict=True):
                        for problem in change.warnings:
                            messages.warning(request, _said(one.mistake(problem)))
                    return HttpResponseRedirect(self.address(changes[0].key))
        return page(
            request, self.template, {"title": title, "text": text, "back": back, "problems": problems, **context}
        )

    def _fit(self, documents: list[Written]) -> bool:
        kinds = {one.value.get("kind") if isinstance(one.value, dict) else None for one in documents}
        return kinds == {self.kind} and (self.most is None or len(documents) <= self.most)


def _said(mistake: Mistake) -> str:
    return gettext("Line %(line)s: %(problem)s") % {"line": mistake.line, "problem": mistake.problem}
