"""Rendering: locales, missing values, escaping, headers, links, formats."""

import time
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.content import limits, preview
from campaigns.content.compile import compile_template
from campaigns.content.formats import formats, known_locale
from campaigns.content.markup import pieces
from campaigns.content.render import PlainLinks, Rendered, Renderer, RenderError, one_line

PLAIN = PlainLinks("https://us.example/u/1", "https://us.example/p/1")


class Tracked:
    """Links that say what they were asked."""

    unsubscribe = "https://us.example/u/1"
    preferences = "https://us.example/p/1"

    def __init__(self) -> None:
        self.asked: list[tuple[int | None, str]] = []

    def click(self, index: int | None, url: str) -> str:
        self.asked.append((index, url))
        return f"https://us.example/t/c/{len(self.asked)}?a&b"

    def open_pixel(self) -> str | None:
        return "https://us.example/t/o/1"


def renderer(body: str, *, subject: str = "s", channel: str = "email", **locales: str) -> Renderer:
    """A renderer of one template, its first locale `en` unless others are named."""
    given_locales = {name.replace("_", "-"): text for name, text in locales.items()} or {"en": body}
    extra = {"subject": subject} if channel == "email" else {}
    parts = {name: {"body": text, **extra} for name, text in given_locales.items()}
    return Renderer(compile_template(parts, channel=channel, purpose="service").content)


def text(body: str, locale: str | None = "en", **context: object) -> str:
    return renderer(body, channel="sms").render(context, locale=locale, links=PLAIN).text


def email(body: str, links: object = PLAIN, *, subject: str = "s", **context: object) -> Rendered:
    return renderer(body, subject=subject).render(context, locale="en", links=links)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "served"),
    [("de-AT", "de-AT"), ("de_AT", "de-AT"), ("DE-at", "de-AT"), ("de-CH", "de"), ("de", "de"), ("fr", "en"), (None,
    "en"), ("", "en"),
     ("de-AT-x-y", "de-AT"), ("../../etc", "en"), ("x" * 500, "en")],
)  # fmt: skip
def test_the_locale_falls_back_to_its_language_and_then_to_the_first_listed(wanted: str | None, served: str) -> None:
    templates = renderer("", channel="sms", en="en", de="de", de_AT="de-AT")
    assert templates.locale_for(wanted) == served
    assert templates.render({}, locale=wanted, links=PLAIN).text == served


def test_numbers_follow_the_customers_region_where_the_language_is_the_same() -> None:
    templates = renderer("", channel="sms", de="{{ 1234.5 | money('EUR') }}")
    shown = {locale: templates.render({}, locale=locale, links=PLAIN).text for locale in ("de", "de-CH", "en", None)}
    assert shown == {
        "de": "1.234,50\u00a0€",
        "de-CH": "EUR\u00a01’234.50",
        "en": "1.234,50\u00a0€",
        None: "1.234,50\u00a0€",
    }


def test_a_missing_value_is_an_error_a_default_or_false() -> None:
    nobody: dict[str, object] = {"customer": {"first_name": None, "last_name": ""}}
    assert (
        text("{{ customer.first_name | default('you') }} {{ customer.last_name | default('X') }}", **nobody) == "you X"
    )
    assert text("{% if customer.first_name %}a{% else %}b{% endif %}", **nobody) == "b"
    assert text("{{ event.a.b.c | default('deep') }}{{ offer.code | default('-') }}") == "deep-"
    for body in (
        "{{ customer.first_name }}",
        "{{ customer.first_name | upper }}",
        "{% if customer.first_name == 'x' %}{% endif %}",
        "{% for x in customer.first_name %}{% endfor %}",
        "{{ customer.first_name ~ 'x' }}",
        "{{ customer.first_name + 1 }}",
        "{{ customer.first_name | money }}",
        "{{ customer.first_name | date }}",
    ):
        with pytest.raises(RenderError) as caught:
            text(body, **nobody)
        assert caught.value.problem.where == "text"
        assert caught.value.problem.problem == "first_name has no value and no default", body


def test_a_broken_value_fails_alone_and_is_never_repeated_in_the_error() -> None:
    for body in (
        "{{ event.x | money }}",
        "{{ event.x | date }}",
        "{{ event.x + 1 }}",
        "{{ event.x | money(event.x) }}",
        "{{ 1 / event.y }}",
    ):
        with pytest.raises(RenderError) as caught:
            text(body, event={"x": "secret-value", "y": 0})
        assert "secret-value" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "' onmouseover='x",
        "</style></title><b>",
        "<!--",
        "]]>",
        "{{ 7*7 }}",
        "{% raw %}",
    ],
)
def test_a_value_stays_a_value_in_text_and_attributes(value: str) -> None:
    before = email('<p title="{{ event.a }}">{{ event.a }}</p>', event={"a": "plain"}).html
    after = email('<p title="{{ event.a }}">{{ event.a }}</p>', event={"a": value}).html
    shape = [(piece.kind, piece.name, [a.name for a in piece.attributes]) for piece in pieces(before)]
    assert [(piece.kind, piece.name, [a.name for a in piece.attributes]) for piece in pieces(after)] == shape


@pytest.mark.parametrize(
    "value",
    ["javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\tscript:alert(1)", "java\nscript:x",
     "\x01javascript:x",
     "data:text/html,<script>", "vbscript:x", "file:///etc/passwd", "//evil.example", "https:\\\\evil.example",
     "https://", "http:///x",
     "/local", "https://x.example/\r\nSet-Cookie: a", "x" * 3000, "https://[::1", "blob:x", "&#106;avascript:x"],
)  # fmt: skip
def test_an_address_from_data_that_is_no_web_address_leads_nowhere(value: str) -> None:
    links = Tracked()
    message = email('<a href="{{ event.url }}">x</a><img src="{{ event.url }}">', links, event={"url": value})
    assert '<a href="#">x</a><img src="">' in message.html
    assert links.asked == []
    assert text("{{ event.url | url }}", event={"url": value}) == "#"


def test_links_ask_for_numbers_or_finished_addresses_once_for_both_parts() -> None:
    links = Tracked()
    body = (
        '<a href="https://a.example/?x=1&amp;y=2">a</a><a href="https://b.example/{{ event.id'
        ' }}?x=1&amp;y={{ event.q | urlencode }}">b</a>'
        '<a href="{{ event.url }}">c</a>{% if event.no %}<a href="https://unused.example">d</a>{% endif'
        ' %}<a href="{{ unsubscribe_url }}">u</a>'
    )
    message = email(body, links, event={"id": 7, "q": "ä&b", "url": "https://c.example/<x>"})
    assert links.asked == [
        (0, "https://a.example/?x=1&y=2"),
        (None, "https://b.example/7?x=1&y=%C3%A4%26b"),
        (None, "https://c.example/<x>"),
    ]
    assert message.html.count("https://us.example/t/c/1?a&amp;b") == 1
    assert "( https://us.example/t/c/2?a&b )" in message.text and "( https://us.example/u/1 )" in message.text
    assert '<img src="https://us.example/t/o/1"' in message.html
    untracked = email(body, event={"id": 7, "q": "x", "url": "https://c.example"})
    assert 'href="https://a.example/?x=1&amp;y=2"' in untracked.html and 'width="1"' not in untracked.html


@pytest.mark.parametrize(
    "value",
    ["a\r\nBcc: x@evil.example", "a\nb", "a\x00b", "a\u2028b", "a\u202eb", "a\u2066b", "a\ud800b", "x" * 10_000],
)
def test_a_subject_is_one_short_line(value: str) -> None:
    subject = email("<p>x</p>", subject="{{ event.a }}", event={"a": value}).subject
    assert len(subject) <= 200
    assert not set(subject) & set("\r\n\x00\u2028\u2029\u202e\u2066")
    subject.encode()


def test_filters_write_as_the_locale_does() -> None:
    context = {"event": {"n": "1234567.891", "at": "2026-11-21T23:30:00+00:00", "day": "2026-03-01", "list": ["a",
    "b"]},
               "customer": {"timezone": "Europe/Berlin", "balance": {"amount": "9.5", "currency": "CHF"}}}  # fmt: skip
    shown = {
        "{{ event.n | number }}": "1.234.567,891",
        "{{ event.n | number(1) }}": "1.234.567,9",
        "{{ event.n | round(1) }}": "1234567.9",
        "{{ event.n | int }}": "1234567",
        "{{ 0.255 | percent(1) }}": "25,5\u00a0%",
        "{{ event.day | date('long') }}": "1. März 2026",
        "{{ event.at | date('short') }}": "22.11.26",
        "{{ event.at | time }}": "00:30",
        "{{ event.at | datetime('short') }}": "22.11.26, 00:30",
        "{{ customer.balance | money }}": "9,50\u00a0CHF",
        "{{ event.list | join(', ') }}": "a, b",
        "{{ event.list | length }}{{ event.list | first }}{{ event.list | last }}{{ event.list[0] }}{{"
        " event.list[9] | default('-') }}": "2aba-",
        "{{ 'one two three' | truncate(8) }}": "one…",
        "{{ 2 | times(0.1) }}": "0.2",
        "{{ 0.1 + 0.2 }}": "0.3",
        "{{ 2 + 3 }}": "5",
        "{{ 'aXb' | lower | replace('x', '-') }}": "a-b",
    }
    german = {body: renderer("", channel="sms", de=body) for body in shown}
    assert {body: one.render(context, locale="de", links=PLAIN).text for body, one in german.items()} == shown


@pytest.mark.parametrize("locale", ["de", "en", "fr", "hi", "ar", "es", "pl", "ja", "de-CH", "pt-PT", "sv"])
def test_the_fast_writer_says_what_babel_says(locale: str) -> None:
    from babel.numbers import format_currency

    writer = formats(known_locale(locale) or "")
    for amount in ("0", "1", "-1", "999.99", "1000", "12345.675", "-12345.67", "123456789.1"):
        for currency in ("EUR", "JPY", "CHF"):
            expected = format_currency(Decimal(amount), currency, locale=(known_locale(locale) or "").replace("-", "_"))
            assert writer.money(amount, currency) == expected


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50) | st.decimals() | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["name", "price", "url", "x"]), inner, max_size=4)
    ),
    max_leaves=15,
)
EVERYTHING = renderer(
    '<p title="{{ event.a }}">{{ event.a | default("-") }}</p>{% for i in event.items %}<a href="{{ i.url'
    ' }}">{{ i.name | upper }}</a>'
    "{{ i.price | money('EUR') }}{% endfor %}{{ event.n | number }}{{ event.d | date }}{{ event.a + 1"
    " }}{{ event.a ~ event.b | length }}",
    subject="{{ event.a | default('x') }}",
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["a", "b", "n", "d", "items"]), VALUES))
def test_whatever_the_values_are_there_is_a_message_or_a_render_error(event: dict[str, object]) -> None:
    try:
        message = EVERYTHING.render({"event": event}, locale="en", links=Tracked())
    except RenderError as error:
        assert error.problem.problem
    else:
        assert "\n" not in message.subject
        message.html.encode()


TOLERANT = renderer(
    '<p title="{{ event.a }}">{{ event.a }}</p><a href="{{ event.url }}">x</a>', subject="{{ event.a }}"
)
SHAPE = ["p", "a", "a", "p"]


@settings(max_examples=300, deadline=None)
@given(st.text(min_size=1, max_size=200), st.text(max_size=100))
def test_no_text_changes_the_markup_or_leads_to_another_scheme(value: str, address: str) -> None:
    message = TOLERANT.render({"event": {"a": value, "url": address or "x"}}, locale="en", links=PLAIN)
    found = [piece for piece in pieces(message.html) if piece.kind in ("open", "close")]
    assert [piece.name for piece in found if piece.name in ("p", "a")] == ["p", "p", "a", "a"]
    target = next(piece for piece in found if piece.name == "a").get("href") or ""
    assert target.split(":")[0] in ("#", "http", "https", "mailto", "tel")
    assert all(ord(character) >= 32 for character in message.subject)


def test_long_values_and_lists_are_cut_to_size() -> None:
    assert len(text("{{ event.a }}", event={"a": "x" * 1_000_000})) == 10_000
    assert text("{{ event.a | length }}", event={"a": list(range(5000))}) == "100"
    deep: dict[str, object] = {}
    for _ in range(1000):
        deep = {"a": deep}
    assert text("{{ event.a.a | default('-') }}{{ event.b | default('-') }}", event=deep).endswith("-")


def test_output_over_a_megabyte_is_refused_and_the_next_message_renders() -> None:
    body = "{% for i in event.items %}" + "{{ event.a }}" * 20 + "{% endfor %}"
    big = renderer(body, channel="sms")
    with limits.batch():
        with pytest.raises(RenderError, match="makes more than 1,000,000 characters"):
            big.render({"event": {"items": [1] * 100, "a": "x" * 1000}}, locale="en", links=PLAIN)
        assert len(big.render({"event": {"items": [1], "a": "x"}}, locale="en", links=PLAIN).text) == 20


def test_a_preview_renders_in_a_child_what_a_worker_would() -> None:
    template = renderer("", channel="sms", de="Hallo {{ customer.first_name }}, {{ event.p | money('EUR') }}")
    content = {"default": "de", "links": [], "locales": template._locales}
    context = {"customer": {"first_name": "Änne"}, "event": {"p": Decimal("1.50")}}
    started = time.monotonic()
    shown = preview.render(content, context, locale="de-AT")
    assert time.monotonic() - started < 5
    assert (shown.text, shown.locale) == ("Hallo Änne, €\u00a01,50", "de")
    with pytest.raises(RenderError, match="customer has no value"):
        preview.render(content, {}, locale="de")


def test_one_line_leaves_ordinary_subjects_alone() -> None:
    assert one_line("Grüße, Änne 🎉") == "Grüße, Änne 🎉"
