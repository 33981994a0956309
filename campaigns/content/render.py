"""Rendering: the compiled content of a version, filled with one customer's values.

`Renderer` needs no Django, so that previews can render in a bare child process; `renderer(version_id)` reads the
database once per process and version (versions are immutable).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from jinja2.exceptions import SecurityError, TemplateError, UndefinedError
from jinja2.runtime import Context

from campaigns.content import limits
from campaigns.content.filters import FilterError
from campaigns.content.formats import NotFormattable, formats, known_locale
from campaigns.content.sandbox import LinkTable, Sandbox
from campaigns.content.values import Values, shielded
from loyalty.kit.problems import Problem

SUBJECT_MAX = 200
_GAPS = re.compile(r"\n(?:[ \t]*\n){2,}")
_CONTROLS = dict.fromkeys([*range(32), 127, 0x85, 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)], " ")


class RenderError(Exception):
    """This message cannot be rendered; `problem` says why without repeating a customer's value."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


class Links(Protocol):
    """The public addresses of one message."""

    @property
    def unsubscribe(self) -> str: ...

    @property
    def preferences(self) -> str: ...

    def click(self, index: int | None, url: str) -> str:
        """The address to put into the mail for `url`: link `index` of the template, None for one made from data."""
        ...

    def open_pixel(self) -> str | None:
        """The address of the open pixel; None for no pixel."""
        ...


@dataclass(frozen=True, slots=True)
class PlainLinks:
    """Links without tracking: every address as the template has it."""

    unsubscribe: str
    preferences: str

    def click(self, index: int | None, url: str) -> str:
        return url

    def open_pixel(self) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class Rendered:
    """What goes out: `subject` is one line; `html` is empty for text channels."""

    subject: str
    html: str
    text: str


class _Part:
    """One compiled source in one environment."""

    __slots__ = ("_blocks", "_environment", "_root", "name")

    def __init__(self, name: str, code: CodeType, environment: Sandbox) -> None:
        template = environment.load(code)
        self.name = name
        self._environment = environment
        self._root = template.root_render_func
        self._blocks = template.blocks

    def render(self, values: dict[str, Any]) -> str:
        chunks: Iterator[str] = self._root(Context(self._environment, values, self.name, self._blocks))
        return limits.joined(chunks)


@dataclass(frozen=True, slots=True)
class _Variant:
    """A locale's parts, writing numbers and dates as one customer locale does; None for an empty part."""

    subject: _Part | None
    html: _Part | None
    text: _Part | None
    urls: list[str]
    unsubscribes: bool
    prefers: bool


class Renderer:
    """One version of a template, compiled once."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._locales: dict[str, dict[str, Any]] = content["locales"]
        self._default: str = content["default"]
        self.links: list[str] = content["links"]
        self._names = {name.lower().replace("_", "-"): name for name in self._locales}
        self._codes: dict[tuple[str, str], CodeType] = {}
        self._variants: dict[tuple[str, str], _Variant] = {}
        self._chosen: dict[str | None, _Variant] = {}

    def locale_for(self, locale: str | None) -> str:
        """The template's locale for a customer's: the same, its language, or the first one listed."""
        wanted = (locale or "").lower().replace("_", "-")
        while wanted:
            if wanted in self._names:
                return self._names[wanted]
            wanted = wanted.rpartition("-")[0]
        return self._default

    def render(self, context: Mapping[str, Any], *, locale: str | None, links: Links) -> Rendered:
        """The message for one customer; raises RenderError and leaves everything else untouched.

        `context` holds plain values by name (see `context.py`). Inside `limits.batch()` this is cheap; outside, it
        opens a batch for itself.
        """
        if not limits.is_open():
            with limits.batch():
                return self._render(context, locale, links)
        return self._render(context, locale, links)

    def _render(self, context: Mapping[str, Any], locale: str | None, links: Links) -> Rendered:
        variant = self._chosen.get(locale) or self._choose(locale)
        values = {
            **{name: value if type(value) is Values else shielded(value) for name, value in context.items()},
            # Each is a token to seal (3 us), so it is asked for only where the template shows it.
            "unsubscribe_url": links.unsubscribe if variant.unsubscribes else "",
            "preferences_url": links.preferences if variant.prefers else "",
            "_links": LinkTable(variant.urls, links.click),
            "_pixel": links.open_pixel() if variant.html else None,
            "_zone": _zone(context),
        }
        part = "subject"
        try:
            with limits.TIMED:
                subject = variant.subject.render(values) if variant.subject else ""
                part = "html"
                html = variant.html.render(values) if variant.html else ""
                part = "text"
                text = variant.text.render(values) if variant.text else ""
                if html and "\n\n\n" in text:  # what conditions and loops of the HTML left behind
                    text = _GAPS.sub("\n\n", text)
        except Exception as error:
            raise RenderError(_problem(part, error)) from None
        return Rendered(one_line(subject), html, text)

    def _choose(self, locale: str | None) -> _Variant:
        name = self.locale_for(locale)
        own = known_locale(name) or "en"
        spoken = known_locale(locale) or own
        if spoken.partition("_")[0] != own.partition("_")[0]:
            spoken = own
        variant = self._variants.get((name, spoken))
        if variant is None:
            variant = self._variants[name, spoken] = self._build(name, spoken)
        if len(self._chosen) > 1_000:
            self._chosen.clear()
        self._chosen[locale] = variant
        return variant

    def _build(self, name: str, spoken: str) -> _Variant:
        plain = Sandbox(html=False, formats=formats(spoken))
        rich = Sandbox(html=True, formats=formats(spoken))
        parts = {
            part: self._part(name, part, rich if part == "html" else plain) for part in ("subject", "html", "text")
        }
        sources = "".join(self._locales[name][part] for part in parts)
        return _Variant(
            **parts,
            urls=self.links,
            unsubscribes="unsubscribe_url" in sources,
            prefers="preferences_url" in sources,
        )

    def _part(self, name: str, part: str, environment: Sandbox) -> _Part | None:
        source = self._locales[name][part]
        if not source:
            return None
        code = self._codes.get((name, part))
        if code is None:
            code = self._codes[name, part] = environment.compile(source, name=part, filename=f"<{name} {part}>")
        return _Part(part, code, environment)


def one_line(subject: str) -> str:
    """A header value: no control or direction characters (so no second header), one line, at most 200 characters."""
    if not subject.isascii() or not subject.isprintable():
        subject = subject.translate(_CONTROLS)
    return " ".join(subject.split())[:SUBJECT_MAX]


def _problem(part: str, error: Exception) -> Problem:
    if isinstance(error, UndefinedError):
        return Problem(part, str(error.message)[:300], "add | default('...') or give the customer the value")
    if isinstance(error, limits.LimitReached):
        return Problem(part, f"the template {error}", "simplify it")
    if isinstance(error, (FilterError, NotFormattable)):
        return Problem(part, f"a filter cannot work with what it got: {error}", "check the value or add | default(...)")
    if isinstance(error, SecurityError):
        return Problem(part, "the template does something that is not allowed", "save it again to see where")
    if isinstance(error, TemplateError):
        return Problem(part, "the template cannot be rendered", "save it again to see where")
    return Problem(
        part, f"the values do not fit the template ({type(error).__name__})", "check its filters and comparisons"
    )


def _zone(context: Mapping[str, Any]) -> ZoneInfo | None:
    customer = context.get("customer")
    name = customer.get("timezone") if isinstance(customer, dict) else None
    return zone(name or context.get("_default_zone"))


@lru_cache(maxsize=1024)
def zone(name: str | None) -> ZoneInfo | None:
    """The time zone of that name, None for none or an unknown one."""
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, OSError, KeyError):
        return None


@lru_cache(maxsize=256)
def renderer(version_id: int) -> Renderer:
    """The renderer of a stored version, kept for the process; raises LookupError for an unknown version."""
    from campaigns.content.queries import compiled

    return Renderer(compiled(version_id))
