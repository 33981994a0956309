"""The catalogs of the user interface: English stands in the source, `locale/<language>/LC_MESSAGES/django.po` the rest.

Texts are collected with babel from Python, from Django's templates and from our Jinja2 pages; translations that exist
are XX"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

DOMAIN = "django"
SOURCES = ("loyalty", "campaigns", "templates")
PAGES = Path("templates", "pages")  # Jinja2; all other templates are Django's

_PLURAL, _CONTEXT, _BOTH = (1, 2), ((1, "c"), 2), ((1, "c"), 2, 3)
KEYWORDS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop")),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), _PLURAL),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), _CONTEXT),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), _BOTH),
}
_TEXT = r"u?('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
# Django rewrites a template into calls that xgettext understands; these are all the forms it makes.
_CALL = re.compile(rf"\b(n?p?gettext|_)\(\s*{_TEXT}(?:\s*,\s*{_TEXT})?(?:\s*,\s*{_TEXT})?")
_PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}")


def collect(root: Path) -> Catalog:
    """Every text in the sources below `root`, untranslated."""
    catalog = Catalog(domain=DOMAIN, fuzzy=False)
    for folder in SOURCES:
        for file in sorted((root / folder).rglob("*")):
            place = file.relative_to(root)
            if file.suffix == ".py" and "migrations" not in place.parts:
                _add(catalog, place, extract_from_file("python", str(file), keywords=KEYWORDS))
            elif file.suffix in (".html", ".txt") and PAGES in place.parents:
                _add(catalog, place, extract_from_file("jinja2.ext:babel_extract", str(file), keywords=KEYWORDS))
            elif file.suffix in (".html", ".txt"):
                for text, context in _in_django_template(file.read_text()):
                    catalog.add(text, context=context, locations=[(place.as_posix(), 0)])
    return catalog


def path_of(root: Path, language: str) -> Path:
    """The language's catalog as text."""
    return root / "locale" / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def load(root: Path, language: str) -> Catalog:
    """The language's catalog; an empty one if there is no file."""
    path = path_of(root, language)
    if not path.exists():
        return Catalog(locale=language, domain=DOMAIN, project="loyalty", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=language, domain=DOMAIN)


def update(root: Path, language: str) -> Catalog:
    """Bring the language's file in step with the sources: new texts come untranslated, gone ones go."""
    catalog = load(root, language)
    template = collect(root)
    # Without this every update would be a change.
    template.creation_date = catalog.creation_date
    catalog.update(template, no_fuzzy_matching=True, update_header_comment=False)
    catalog.obsolete.clear()
    path = path_of(root, language)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalog, width=110, sort_output=True, include_lineno=False)
    return catalog


def mistakes(root: Path, language: str) -> list[str]:
    """Texts in the sources without a translation, and translations whose placeholders differ from the source's."""
    catalog = load(root, language)
    found = []
    for message in collect(root):
        if not message.id:
            continue
        translated = catalog.get(_singular(message), message.context)
        places = ", ".join(sorted({file for file, _ in message.locations}))
        if translated is None or not translated.string or not all(_forms(translated)) or translated.fuzzy:
            found.append(f"{places}: not translated: {_singular(message)!r}")
        elif any(_placeholders(form) - _placeholders(*_ids(message)) for form in _forms(translated)):
            found.append(f"{places}: the translation of {_singular(message)!r} has other placeholders")
        elif not any(_placeholders(form) == _placeholders(_ids(message)[-1]) for form in _forms(translated)):
            found.append(f"{places}: the translation of {_singular(message)!r} loses a placeholder")
    return found


def _add(catalog: Catalog, place: Path, extracted: object) -> None:
    for _line, text, _comments, context in extracted:  # type: ignore[attr-defined]
        catalog.add(text, context=context, locations=[(place.as_posix(), 0)])


def _in_django_template(source: str) -> Iterator[tuple[str | tuple[str, str], str | None]]:
    """The texts of a template and their contexts."""
    from django.utils.translation.template import templatize

    for call in _CALL.finditer(templatize(source)):
        name, texts = call[1], [ast.literal_eval(text) for text in call.groups()[1:] if text]
        context = texts.pop(0) if "p" in name else None
        yield (texts[0], texts[1]) if name.startswith("n") else texts[0], context


def _ids(message: Message) -> tuple[str, ...]:
    return tuple(message.id) if isinstance(message.id, list | tuple) else (message.id,)


def _singular(message: Message) -> str:
    return _ids(message)[0]


def _forms(message: Message) -> tuple[str, ...]:
    return tuple(message.string) if isinstance(message.string, list | tuple) else (message.string or "",)


def _placeholders(*texts: str) -> set[str]:
    return {found for text in texts for found in _PLACEHOLDER.findall(text)}
