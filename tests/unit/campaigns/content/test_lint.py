"""The lint tells every mistake with its line and what to do, and lets ordinary templates through."""

import pytest

from campaigns.content.lint import lint
from campaigns.content.vocabulary import vocabulary

WORDS = vocabulary({"first_name", "country", "email"})


def told(source: str) -> list[str]:
    return [str(problem) for problem in lint(source, where="locales.de.body", vocabulary=WORDS).problems]


def warned(source: str) -> list[str]:
    result = lint(source, where="body", vocabulary=WORDS)
    assert result.problems == []
    return [str(warning) for warning in result.warnings]


def test_all_mistakes_are_told_at_once_with_their_lines() -> None:
    source = (
        "Hello {{ customer.frist_name }}\n{{ nmae }}\n{{ 'a' * 3 }}\n{{ x | shout }}\n{% macro m() %}{% endmacro %}"
    )
    found = told(source)
    assert found[0] == (
        "locales.de.body line 1: uses the unknown name 'customer.frist_name'"
        " (did you mean customer.first_name? Otherwise add | default('...'))"
    )
    assert found[1] == "locales.de.body line 2: uses the unknown name 'nmae' (add | default('...'))"
    assert found[2] == "locales.de.body line 3: uses *, which templates may not (write {{ value | times(2) }})"
    assert found[3].startswith("locales.de.body line 4: uses the filter 'shout', which templates may not (")
    assert found[4] == "locales.de.body line 4: uses the unknown name 'x' (add | default('...'))"
    assert (
        found[5]
        == "locales.de.body line 5: defines a macro, which templates may not (repeat the text, or use a for loop)"
    )
    assert len(found) == 6


@pytest.mark.parametrize(
    ("source", "start"),
    [
        ("a\n{{ customer.first_name", "locales.de.body line 2: does not compile: "),
        ("{% if x %}", "locales.de.body line 1: does not compile: "),
        ("a\n\n{% frobnicate %}", "locales.de.body line 3: does not compile: Encountered unknown tag 'frobnicate'"),
        (
            "{{ customer.first_name | truncate }}{{ 1 | money('EUR', 2) }}",
            "locales.de.body line 1: gives the filter 'money' 2",
        ),
        ("{{ 'a' if customer.country == 'DE' }}", "locales.de.body line 1: has no else"),
        ("{% set a = 1 %}{% set a = 2 %}", "locales.de.body line 1: sets 'a' a second time"),
        ("a\nb\x00", "locales.de.body line 2: holds the character U+0000"),
        ("a\ud800", "locales.de.body line 1: holds the character U+D800"),
        ("{{ customer }}", "locales.de.body line 1: prints the whole of 'customer'"),
        ("{{ flow.nmae }}", "locales.de.body line 1: uses the unknown name 'flow.nmae' (did you mean flow.name?"),
    ],
)
def test_a_mistake_is_told_with_its_line(source: str, start: str) -> None:
    assert told(source)[0].startswith(start)


@pytest.mark.parametrize(
    "source",
    [
        "{{ customer.first_name | default('you') }}",
        "{{ customer.unheard_of | default('you') }}",
        "{{ nothing | default('x') }}",
        "{{ offer.code | default('') }}",
        "{% if customer.first_name %}Dear {{ customer.first_name }}{% else %}Hello{% endif %}",
        "{% if customer.unheard_of is defined %}{{ customer.unheard_of }}{% endif %}",
        "{{ customer.first_name if customer.first_name else 'you' }}",
        "{% if customer.first_name and customer.country %}{{ customer.first_name }}{{ customer.country }}{% endif %}",
        "{% for item in event.items | default([]) %}{{ loop.index }} {{ item.name }} {{ item.price |"
        " money('EUR') }}{% endfor %}",
        "{% set hello = 'Hi' %}{{ hello }}",
        "{{ unsubscribe_url }} {{ preferences_url }} {{ imprint }} {{ now | date('long') }} {{ flow.name }}",
        "{{ 'a' ~ 'b' }} {{ 1 + 2 - 3 }} {{ 6 / 2 }} {{ -1 }}",
        "{% if customer.country | default('') in ['DE', 'AT'] %}x{% else %}y{% endif %}{# note #}",
    ],
)
def test_what_is_right_passes_without_a_word(source: str) -> None:
    assert warned(source) == []


def test_a_value_that_customers_may_lack_is_a_warning_where_no_default_stands() -> None:
    expected = "customer.first_name has no default: who lacks it gets no message (render_error) (add | default('...'))"
    assert warned("x\n{{ customer.first_name }}") == [f"body line 2: {expected}"]
    assert warned("{% if customer.country %}{{ customer.first_name }}{% endif %}") == [f"body line 1: {expected}"]


def test_it_knows_what_is_shown_to_everybody() -> None:
    result = lint("{% if customer.country %}{{ unsubscribe_url }}{% endif %}{{ imprint }}", where="", vocabulary=WORDS)
    assert "unsubscribe_url" in result.names and "unsubscribe_url" not in result.always
    assert "imprint" in result.always
