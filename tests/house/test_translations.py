"""German is complete: every text of the user interface has a translation with the same placeholders."""

from pathlib import Path

from loyalty.kit.translations import collect, load, mistakes, path_of, update
from loyalty.local.state import REPOSITORY


def test_no_german_text_is_missing() -> None:
    assert mistakes(REPOSITORY, "de") == []


def project(root: Path) -> Path:
    """Three sources, one text of each form."""
    (root / "loyalty").mkdir()
    (root / "loyalty" / "models.py").write_text(
        "from django.utils.translation import gettext_lazy as _, ngettext\n"
        "a = _('customer')\n"
        "b = ngettext('%(n)d mail', '%(n)d mails', 2)\n"
    )
    (root / "templates" / "pages").mkdir(parents=True)
    (root / "templates" / "pages" / "page.html").write_text(
        "{% trans name=name %}Hello {{ name }}{% endtrans %}{{ _('Bye') }}"
    )
    (root / "templates" / "admin").mkdir()
    (root / "templates" / "admin" / "index.html").write_text(
        "{% load i18n %}{% translate 'Open' context 'verb' %}{% blocktranslate %}All {{ n }}{% endblocktranslate %}"
    )
    return root


def test_texts_are_collected_from_python_and_both_kinds_of_templates(tmp_path: Path) -> None:
    found = {(message.id, message.context) for message in collect(project(tmp_path)) if message.id}
    assert found == {
        ("customer", None),
        (("%(n)d mail", "%(n)d mails"), None),
        ("Hello %(name)s", None),
        ("Bye", None),
        ("Open", "verb"),
        ("All %(n)s", None),
    }


def test_an_update_keeps_translations_and_changes_nothing_the_second_time(tmp_path: Path) -> None:
    update(project(tmp_path), "de")
    po = path_of(tmp_path, "de")
    po.write_text(po.read_text().replace('msgid "customer"\nmsgstr ""', 'msgid "customer"\nmsgstr "Kunde"'))
    update(tmp_path, "de")
    before = po.read_text()
    assert load(tmp_path, "de").get("customer").string == "Kunde"
    update(tmp_path, "de")
    assert po.read_text() == before
    assert len(mistakes(tmp_path, "de")) == 5


def test_other_placeholders_are_a_mistake(tmp_path: Path) -> None:
    catalog = update(project(tmp_path), "de")
    german = {"customer": "Kunde", "Bye": "Tschüs", "Hello %(name)s": "Hallo %(nam)s", "All %(n)s": "Alle"}
    po = path_of(tmp_path, "de")
    text = po.read_text()
    for english, translation in german.items():
        assert catalog.get(english) is not None
        text = text.replace(f'msgid "{english}"\nmsgstr ""', f'msgid "{english}"\nmsgstr "{translation}"')
    text = text.replace('msgstr[0] ""', 'msgstr[0] "eine Mail"').replace('msgstr[1] ""', 'msgstr[1] "%(n)d Mails"')
    text = text.replace('msgid "Open"\nmsgstr ""', 'msgid "Open"\nmsgstr "Öffnen"')
    po.write_text(text)
    assert sorted(mistakes(tmp_path, "de")) == [
        "templates/admin/index.html: the translation of 'All %(n)s' loses a placeholder",
        "templates/pages/page.html: the translation of 'Hello %(name)s' has other placeholders",
    ]
