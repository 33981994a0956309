"""Pure: a template as its author wrote it, made ready to send; once per version, all mistakes at once.

The result is plain JSON: per locale the Jinja sources of subject, HTML and text with links, footer and pixel in
place, and the fixed link addresses of all locales. Rendering only fills holes.
"""

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import css_inline
from jinja2 import TemplateError

from campaigns.content import hygiene, mjml, plaintext
from campaigns.content.formats import formats, known_locale
from campaigns.content.links import LinkNumbers, track_html, track_text
from campaigns.content.lint import Linted, lint
from campaigns.content.markup import folded, pieces, rewrite
from campaigns.content.protect import STATEMENT, Protected
from campaigns.content.sandbox import Sandbox
from campaigns.content.vocabulary import Vocabulary, vocabulary
from loyalty.kit.problems import Problem, Problems

FORMAT = 1
LOCALES_MAX = 100
LINKS_MAX = 10_000
# Many mailboxes cut a mail at 100 KB; this is what we refuse to make.
COMPILED_MAX = 1_000_000
HTML_CHANNELS = frozenset({"email", "letter"})
TITLED_CHANNELS = frozenset({"email", "push", "letter"})
PARTS = ("subject", "body", "text")

FOOTER = (
    "\n{% if imprint %}<div"
    ' style="padding:16px;font-family:Arial,sans-serif;font-size:12px;line-height:1.5;color:#666666;'
    'text-align:center">{{ imprint | nl2br }}</div>{% endif %}'
)
PIXEL = (
    '\n{% if _pixel %}<img src="{{ _pixel }}" width="1" height="1" alt="" style="display:block;border:0">{% endif %}'
)


@dataclass(slots=True)
class Compiled:
    """`content` goes into `template_version.compiled`; `warnings` tell where customers may be left out."""

    content: dict[str, Any]
    warnings: list[Problem] = field(default_factory=list)


def digest(channel: str, purpose: str, locales: dict[str, dict[str, str]]) -> str:
    """What makes two versions the same: channel, purpose, the locales in their order."""
    text = json.dumps([FORMAT, channel, purpose, list(locales.items())], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def compile_template(
    locales: dict[str, dict[str, str]], *, channel: str, purpose: str, attributes: Collection[str] | None = None
) -> Compiled:
    """Compile every locale; raises Problems. `attributes` are the customer fields that exist, None for any."""
    words = vocabulary(attributes)
    problems: list[Problem] = []
    warnings: list[Problem] = []
    content: dict[str, Any] = {"format": FORMAT, "default": next(iter(locales), ""), "links": [], "locales": {}}
    numbers = LinkNumbers(content["links"])
    known: set[str] = set()
    for name, parts in locales.items():
        if (folded_name := name.lower().replace("_", "-")) in known:
            problems.append(Problem(f"locales.{name}", "is there twice", "keep one of the two"))
        known.add(folded_name)
        one = _Locale(name, parts, channel, purpose, words, numbers)
        try:
            content["locales"][name] = one.compile()
        except Problems as error:
            problems.extend(error.problems)
        warnings.extend(one.warnings)
    if len(numbers.urls) > LINKS_MAX:
        problems.append(
            Problem("locales", f"have {len(numbers.urls):,} links", f"at most {LINKS_MAX:,} can be numbered")
        )
    if problems:
        raise Problems(dict.fromkeys(problems))
    return Compiled(content, warnings)


class _Locale:
    """The compilation of one locale."""

    def __init__(
        self, name: str, parts: dict[str, str], channel: str, purpose: str, words: Vocabulary, numbers: LinkNumbers
    ) -> None:
        self.name = name
        self.where = f"locales.{name}"
        self.parts = parts
        self.channel = channel
        self.purpose = purpose
        self.words = words
        self.numbers = numbers
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def compile(self) -> dict[str, Any]:
        linted = {part: self.lint(part) for part in PARTS if part in self.parts}
        html_wanted = self.channel in HTML_CHANNELS
        self.check_parts(html_wanted, linted)
        html = self.html(linted["body"]) if html_wanted and "body" in linted and not linted["body"].problems else None
        if self.problems:
            raise Problems(self.problems)
        if html is None:
            text = self.text(self.parts["body"], linted["body"], footer=False)
            made = {"subject": self.parts.get("subject", ""), "html": "", "text": text}
        else:
            made = {"subject": self.parts["subject"], **self.finish(html, linted)}
        for part in ("subject", "html", "text"):
            if len(made[part]) > COMPILED_MAX:
                problem = f"becomes {len(made[part]):,} characters of {part}, more than {COMPILED_MAX:,}"
                raise Problems([Problem(self.where, problem, "shorten it")])
        self.prove(made)
        dynamic = "_click(" in made["html"] + made["text"]
        return {**made, "links": self.numbers.urls, "dynamic": dynamic}

    def lint(self, part: str) -> Linted:
        linted = lint(self.parts[part], where=f"{self.where}.{part}", vocabulary=self.words)
        self.problems.extend(linted.problems)
        self.warnings.extend(linted.warnings)
        return linted

    def check_parts(self, html_wanted: bool, linted: dict[str, Linted]) -> None:
        if known_locale(self.name) is None:
            self.problems.append(
                Problem(self.where, f"{self.name!r} is no known locale", "write a language such as de or de-AT")
            )
        needed = ["subject", "body"] if self.channel in ("email", "push") else ["body"]
        for part in needed:
            if not self.parts.get(part, "").strip():
                self.problems.append(Problem(f"{self.where}.{part}", "is missing", "add it"))
        if "subject" in self.parts and self.channel not in TITLED_CHANNELS:
            self.problems.append(Problem(f"{self.where}.subject", f"{self.channel} has no subject", "remove it"))
        if "text" in self.parts and not html_wanted:
            self.problems.append(
                Problem(f"{self.where}.text", f"{self.channel} has a body only", "put the text into body")
            )
        if self.channel == "email" and self.purpose == "marketing" and "body" in linted:
            body = linted["body"]
            if "unsubscribe_url" not in body.names:
                self.problems.append(
                    Problem(
                        f"{self.where}.body",
                        "is marketing email without an unsubscribe link",
                        'add <a href="{{ unsubscribe_url }}">...</a>, or set purpose: service if it is no marketing',
                    )
                )
            elif "unsubscribe_url" not in body.always:
                self.problems.append(
                    Problem(
                        f"{self.where}.body",
                        "shows its unsubscribe link to some people only",
                        "put it outside of every if and for",
                    )
                )

    def html(self, linted: Linted) -> tuple[Protected, str] | None:
        body = self.parts["body"]
        where = f"{self.where}.body"
        protected = Protected(body)
        is_mjml = mjml.is_mjml(protected.text)
        found = hygiene.check(protected, protected.text, where=where, mjml=is_mjml)
        prepared = ""
        if is_mjml:
            prepared, mistakes = mjml.check(protected, where=where)
            found += mistakes
        if not found:
            try:
                html = mjml.to_html(prepared, where=where, language=self.name) if is_mjml else _inlined(protected)
                found = hygiene.check_result(protected, _as_parsed(html), where=where)
            except Problems as error:
                found = error.problems
        if found:
            self.problems.extend(found)
            return None
        html = _with_loops_in_tables(protected, html)
        if self.channel == "email" and self.purpose == "marketing" and "unsubscribe_url" in linted.always:
            self.require_unsubscribe_link(protected, html)
        return protected, html

    def require_unsubscribe_link(self, protected: Protected, html: str) -> None:
        for piece in pieces(html):
            if piece.kind == "open" and piece.name in ("a", "area") and not piece.outlook:
                tags = protected.found(piece.get("href") or "")
                if any(tag.inside == "unsubscribe_url" for tag in tags):
                    return
        self.problems.append(
            Problem(
                f"{self.where}.body",
                "names unsubscribe_url but does not link to it",
                'write <a href="{{ unsubscribe_url }}">...</a>',
            )
        )

    def finish(self, html: tuple[Protected, str], linted: dict[str, Linted]) -> dict[str, str]:
        protected, markup = html
        names = linted["body"].always
        own_imprint = "imprint" in names or "sender.imprint" in names
        ending = "" if own_imprint or self.channel != "email" else FOOTER
        ending += PIXEL if self.channel == "email" else ""
        linked = track_html(protected, markup, self.numbers)
        tracked = protected.restore(folded(_before_body_end(linked, protected.add(ending))))
        if self.channel != "email":
            return {"html": tracked, "text": ""}
        if self.parts.get("text", "").strip():
            return {"html": tracked, "text": self.text(self.parts["text"], linted["text"], footer=True)}
        derived = protected.restore(plaintext.from_html(protected, linked))
        return {"html": tracked, "text": derived + ("" if own_imprint else _TEXT_IMPRINT)}

    def text(self, source: str, linted: Linted, *, footer: bool) -> str:
        protected = Protected(source)
        text = protected.restore(track_text(protected, protected.text, self.numbers))
        if footer:
            if self.purpose == "marketing" and "unsubscribe_url" not in linted.always:
                text += "\n\n{{ unsubscribe_url }}\n"
            if not linted.always & {"imprint", "sender.imprint"}:
                text += _TEXT_IMPRINT
        return text

    def prove(self, made: dict[str, Any]) -> None:
        """Compile what will run; the lint should have told every mistake before."""
        spoken = formats(known_locale(self.name) or "en")
        for part in ("subject", "html", "text"):
            try:
                Sandbox(html=part == "html", formats=spoken).compile(made[part])
            except TemplateError as error:
                raise Problems(
                    [Problem(f"{self.where}.{part}", f"does not compile: {error.message}", "simplify it")]
                ) from None
            except (SyntaxError, RecursionError, MemoryError, ValueError):
                raise Problems([Problem(f"{self.where}.{part}", "does not compile", "simplify it")]) from None


_TEXT_IMPRINT = "{% if imprint %}\n\n-- \n{{ imprint }}{% endif %}\n"


def _inlined(protected: Protected) -> str:
    """Plain HTML as a whole document, its style rules written into the elements; media queries stay."""
    text = protected.text
    changes = []
    for piece in pieces(text):
        if piece.kind == "text" and not piece.outlook:
            for match in protected.word.finditer(text, piece.start, piece.end):
                if protected.tags[int(match.group(1))].kind == STATEMENT:
                    changes.append((match.start(), match.end(), f"<!--{match.group()}-->"))
    inliner = css_inline.CSSInliner(keep_style_tags=False, keep_at_rules=True, load_remote_stylesheets=False)
    return inliner.inline(rewrite(text, changes))


def _as_parsed(html: str) -> str:
    """The HTML as a browser's parser understands it, for a last look: what it sees may differ from what was written."""
    inliner = css_inline.CSSInliner(
        inline_style_tags=False, keep_style_tags=True, keep_link_tags=True, load_remote_stylesheets=False
    )
    return inliner.inline(html)


def _with_loops_in_tables(protected: Protected, text: str) -> str:
    """HTML parsers add a <tbody> before the first row, behind a loop that starts there; it belongs before the loop."""
    if "<tbody" in protected.text.lower():
        return text
    return re.sub(rf"((?:<!--{protected.prefix}\d+q-->\s*)+)<tbody>", r"<tbody>\1", text)


def _before_body_end(text: str, addition: str) -> str:
    place = text.lower().rfind("</body>")
    return text + addition if place < 0 else text[:place] + addition + text[place:]
