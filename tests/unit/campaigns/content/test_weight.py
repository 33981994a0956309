"""Saving a template costs the web process little, whatever is in it."""

import time

import pytest

from campaigns.content.compile import compile_template
from loyalty.kit.problems import Problems

HEAVY = {
    "every rule on every element": "<style>"
    + "".join(f"*{{a{n}:y}}" for n in range(8000))
    + "</style>"
    + "<p></p>" * 13_000,
    "sibling selectors": "<style>"
    + "".join(f":not(.a{n}) ~ *{{x:y}}" for n in range(3500))
    + "</style>"
    + "<p></p>" * 13_000,
    "just below the bound": "<style>" + "".join(f"*{{a{n}:y}}" for n in range(600)) + "</style>" + "<p></p>" * 1_200,
    "one long attribute for all": "<mjml><mj-head><mj-attributes><mj-all color='"
    + "x" * 90_000
    + "' /></mj-attributes></mj-head>"
    "<mj-body><mj-section><mj-column>" + "<mj-text>a</mj-text>" * 4_000 + "</mj-column></mj-section></mj-body></mjml>",
    "many elements": "<mjml><mj-body><mj-section><mj-column>"
    + "<mj-text>a</mj-text>" * 9_000
    + "</mj-column></mj-section></mj-body></mjml>",
    "many mistakes": "<mjml><mj-body>\n" + "<mj-txt>a</mj-txt>\n" * 9_000 + "</mj-body></mjml>",
    "many scripts": "<script>\n</script>" * 10_000,
    "many links": "".join(f'<a href="https://x.example/{n}"></a>' for n in range(5_000)),
    "long text": "<p>" + "a " * 99_000,
    "many attributes": "<p " + 'a="b" ' * 30_000 + ">",
    "many ampersands": "<p>" + "&" * 190_000,
    "many open tags": "<a" * 99_000,
    "many open comments": "<!--" * 49_000,
    "many closing tags": "</a" * 66_000,
    "many conditions": "<!--[if " * 24_000,
    "blanks in a tag": "<a " + " " * 190_000,
    "words like ours": " ".join(f"j{'t' * n}1q" for n in range(600)) + "{{ event.a | default('') }}",
}


@pytest.mark.parametrize("name", HEAVY)
def test_saving_takes_seconds_at_most(name: str) -> None:
    started = time.process_time()
    try:
        compile_template({"en": {"subject": "s", "body": HEAVY[name]}}, channel="email", purpose="service")
    except Problems as error:
        assert len(error.problems) <= 101
    assert time.process_time() - started < 5
