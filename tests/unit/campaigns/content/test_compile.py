"""Template time: MJML and HTML made ready, links numbered, what a mail may not hold refused by line."""

from pathlib import Path

import pytest

from campaigns.content import plaintext
from campaigns.content.compile import compile_template, digest
from campaigns.content.markup import folded, pieces
from campaigns.content.protect import Protected
from loyalty.kit.problems import Problems

LAYOUTS = Path(__file__).resolve().parents[4] / "templates" / "email"
END = '<a href="{{ unsubscribe_url }}">Stop</a>'


def mjml(inside: str) -> str:
    return f"<mjml><mj-body>\n<mj-section><mj-column>\n{inside}\n</mj-column></mj-section></mj-body></mjml>"


def made(body: str, **more: str) -> dict[str, object]:
    return compile_template({"en": {"subject": "s", "body": body, **more}}, channel="email", purpose="service").content


def refused(body: str, purpose: str = "service") -> list[str]:
    with pytest.raises(Problems) as caught:
        compile_template({"en": {"subject": "s", "body": body}}, channel="email", purpose=purpose)
    return [str(problem) for problem in caught.value.problems]


def html(body: str) -> str:
    return str(made(body)["locales"]["en"]["html"])  # type: ignore[index]


def test_mjml_becomes_html_and_loops_between_elements_and_rows_keep_their_place() -> None:
    source = mjml(
        "{% for item in event.items %}<mj-button href='{{ item.url }}'>{{ item.name }}</mj-button>{% endfor %}"
        "<mj-table>{% for item in event.items %}<tr><td>{{ item.name }}</td></tr>{% endfor %}</mj-table>"
    )
    result = " ".join(html(source).split())
    assert "<mj-" not in result and "<!doctype html>" in result.lower()
    first, _, rest = result.partition("{% for item in event.items %}")
    assert first.rstrip().endswith("<tbody>")
    assert rest.startswith("<tr>") and 'href="{{ (item.url) | _click(_links) }}"' in rest
    assert "{% for item in event.items %}<tr><td>{{ item.name }}</td></tr>{% endfor %}</table>" in rest
    assert 'lang="en"' in result and "fonts.googleapis" not in result


def test_inline_style_rules_are_written_into_the_elements() -> None:
    source = mjml(
        "<mj-text css-class='x'>a</mj-text><mj-table>{% for i in event.items %}<tr><td>{{ i.n }}</td>"
        "</tr>{% endfor %}</mj-table>"
    ).replace("<mj-body>", "<mj-head><mj-style inline='inline'>.x { color: red }</mj-style></mj-head><mj-body>")
    result = html(source)
    assert "color: red" in result and ".x" not in result
    assert "<tbody>{% for i in event.items %}<tr><td>{{ i.n }}</td></tr>{% endfor %}</tbody>" in result


def test_every_mjml_mistake_is_told_with_its_line() -> None:
    source = mjml(
        "<mj-txt>a</mj-txt>\n<mj-section></mj-section>\nloose\n{{ customer.email }}\n<p>x</p>\n"
        "<mj-include path='/etc/passwd' />"
    )
    found = refused(source)
    assert found == [
        "locales.en.body line 3: <mj-txt> is no MJML element (did you mean <mj-text>?)",
        "locales.en.body line 4: <mj-section> may not stand in <mj-column> (allowed there: <mj-accordion>, <mj-button>,"
        " <mj-carousel>, <mj-divider>, <mj-image>, <mj-navbar>, <mj-raw>, <mj-social>, <mj-spacer>, "
        "<mj-table>, <mj-text>)",
        "locales.en.body line 4: text stands directly in <mj-column>, where it would be lost (put it into <mj-text>)",
        "locales.en.body line 7: the HTML element <p> may not stand directly in <mj-column> (put it into "
        "<mj-text> or <mj-raw>)",
        "locales.en.body line 8: includes another file, which templates may not (put its text here)",
    ]


@pytest.mark.parametrize(
    ("body", "start"),
    [
        (mjml("<mj-text>a"), "locales.en.body line 4: <mj-text> is not closed before </mj-column>"),
        (mjml("<mj-text>a</mj-text></mj-text>"), "locales.en.body line 3: </mj-text> closes nothing"),
        (mjml("<mj-image src=x />"), "locales.en.body line 3: "),
        (mjml("<mj-social>{% if event.a %}<mj-social-element name='x'>a</mj-social-element>{% endif %}</mj-social>"),
         "locales.en.body line 3: {% if event.a %} may not stand there (put it around the whole of <mj-social>)"),
        ("<mjml></mjml>", "locales.en.body: has no <mj-body>"),
        ("<mjml><mj-body>" + "<mj-wrapper>" * 5000, "locales.en.body"),
        ("<script>alert(1)</script>", "locales.en.body line 1: <script> is not for mails"),
        ("<p>\n<iframe src='https://x.example'></iframe>", "locales.en.body line 2: <iframe> is not for mails"),
        ('<a href="javascript:alert(1)">x</a>', "locales.en.body line 1: href leads to javascript:"),
        ('<a href="java&#10;script:alert(1)">x</a>', "locales.en.body line 1: href leads to javascript:"),
        ('<a href="/cart">x</a>', "locales.en.body line 1: href is no full address"),
        ('<p onclick="x()">', "locales.en.body line 1: onclick is a script"),
        ("<p title={{ event.a }}>", "locales.en.body line 1: the value of title is not quoted"),
        ("<p {{ event.a }}>", "locales.en.body line 1: a value stands in <p> outside of an attribute's quotes"),
        ("<{{ event.a }}>x", "locales.en.body line 1: "),
        ("<style>p { color: {{ event.a }} }</style>", "locales.en.body line 1: a value stands in a style sheet"),
        ("<style>@import url(https://evil.example/x.css)</style>", "locales.en.body line 1: the style sheet loads"),
        ('<p style="color: {{ event.a }}">', "locales.en.body line 1: {{ event.a }} stands in a style"),
        ('<p style="background: url(javascript:1)">', "locales.en.body line 1: the style loads or runs"),
        ('<link rel="stylesheet" href="file:///etc/passwd">', "locales.en.body line 1: <link> is not for mails"),
        ('<meta http-equiv="refresh" content="0">', "locales.en.body line 1: http-equiv is active content"),
        ("<!--><script>alert(1)</script>-->", "locales.en.body line 1: <script> is not for mails"),
        ("<!-- --!><script>alert(1)</script>-->", "locales.en.body line 1: <script> is not for mails"),
        ("<mj-style><script>alert(1)</script></mj-style>", "locales.en.body line 1: <script> is not for mails"),
        (mjml("<mj-raw><!--><script>alert(1)</script>--></mj-raw>"), "locales.en.body line 3: <script> is not"),
        ("<mjml><mj-head><mj-style></style><script>x</script></mj-style></mj-head><mj-body></mj-body></mjml>",
         "locales.en.body: is not valid MJML"),
        ("<mjml><mj-head><mj-preview><script>x</script></mj-preview></mj-head><mj-body></mj-body></mjml>",
         "locales.en.body: "),
        ("<!-- {{ event.a }} -->", "locales.en.body line 1: Jinja stands in an HTML comment"),
        ("{% if 0 %}<!--{% endif %}<script>x</script>{% if 0 %}-->{% endif %}",
         "locales.en.body line 1: Jinja stands in an HTML comment"),
        ('{% if 0 %}<p title="{% endif %}<img src=x onerror=alert(1)>{% if 0 %}">{% endif %}',
         "locales.en.body line 1: a condition starts or ends inside the quotes of title"),
        ('<p title="{% if 0 %}">{% endif %}<img alt=" onmouseover=alert(1) x=">',
         "locales.en.body line 1: a condition starts or ends inside the quotes of title"),
        ("<p title=\"{% if event.a %}a{% endif %}{% endif %}\">", "locales.en.body line 1: does not compile"),
        ("{% if 0 %}<title>{% endif %}<script>x</script>{% if 0 %}</title>{% endif %}",
         "locales.en.body line 1: a condition starts or ends inside <title>"),
        ("{% if 0 %}<style>{% endif %}<script>x</script>", "locales.en.body line 1: a value stands in a style sheet"),
        ("<div>" * 2000, "locales.en.body line 1: is nested more than 300 levels deep"),
        ('<a href="https://x.example', "locales.en.body line 1: <a> is never finished"),
    ],
)  # fmt: skip
def test_what_a_mail_may_not_hold_is_refused_with_its_line(body: str, start: str) -> None:
    assert any(problem.startswith(start) for problem in refused(body)), refused(body)


def test_values_may_stand_in_quoted_attributes_and_as_numbers_in_styles() -> None:
    result = html(
        '<p title="{{ event.a }}" style="width: {{ event.n | int }}%" class="{% if event.a %}x{% endif %}">x</p>'
    )
    assert (
        'title="{{ event.a }}"' in result
        and "{{ event.n | int }}%" in result
        and "{% if event.a %}x{% endif %}" in result
    )


def test_links_are_numbered_once_per_address_and_dynamic_ones_wrapped() -> None:
    body = (
        '<a href="https://a.example/?x=1&amp;y=2">a</a><a href="https://b.example">b</a><a href="https://a.example/?x=1&amp;y=2">a</a>'
        '<a href="{{ event.url }}">c</a><a href="https://a.example/{{ event.id }}?y=1&amp;z=2">d</a>'
        '<a href="mailto:a@example.com">m</a><a href="tel:+4912">t</a><a href="#top">u</a>'
        '<a href="{{ unsubscribe_url }}">v</a><a href="{{ preferences_url }}">w</a><img src="{{ event.img }}"><img src="https://i.example/i.png">'
    )
    content = made(body)
    result = content["locales"]["en"]["html"]  # type: ignore[index]
    assert content["links"] == ["https://a.example/?x=1&y=2", "https://b.example"]
    assert result.count("{{ _links[0] }}") == 2 and result.count("{{ _links[1] }}") == 1
    assert 'href="{{ (event.url) | _click(_links) }}"' in result
    assert 'href="{% filter _click(_links) %}https://a.example/{{ event.id }}?y=1&amp;z=2{% endfilter %}"' in result
    for untouched in (
        '"mailto:a@example.com"',
        '"tel:+4912"',
        '"#top"',
        '"{{ unsubscribe_url }}"',
        '"{{ preferences_url }}"',
    ):
        assert untouched in result
    assert 'src="{{ (event.img) | _source }}"' in result and 'src="https://i.example/i.png"' in result


def test_link_numbers_are_the_same_in_every_locale_of_a_version() -> None:
    parts = {
        "en": {"subject": "s", "body": '<a href="https://en.example">x</a><a href="https://both.example">y</a>'},
        "de": {"subject": "s", "body": '<a href="https://both.example">y</a><a href="https://de.example">x</a>'},
    }
    content = compile_template(parts, channel="email", purpose="service").content
    assert content["links"] == ["https://en.example", "https://both.example", "https://de.example"]
    assert content["locales"]["de"]["html"].index("_links[1]") < content["locales"]["de"]["html"].index("_links[2]")


def test_addresses_in_a_given_text_part_are_tracked_without_the_full_stop() -> None:
    content = made("<p>x</p>", text="See https://a.example/x?b=1&c={{ event.id }}. And https://b.example.")
    text = content["locales"]["en"]["text"]  # type: ignore[index]
    assert (
        "{% filter _click(_links) %}https://a.example/x?b=1&c={{ event.id }}{% endfilter %}. And {{ _links[0] }}."
        in text
    )


def test_the_text_part_comes_from_the_html_in_its_order() -> None:
    protected = Protected(
        "<head><title>t</title><style>p{}</style></head><div style='display:none'>hidden<div>x</div>"
        "</div><h1>Title</h1>"
        "<p>Hello {{ customer.first_name }},<br>you &amp; me</p><ul>{% for i in event.items %}<li>{{"
        " i.name }}</li>{% endfor %}</ul>"
        "<!--[if mso]><p>Outlook</p><![endif]--><a href='https://a.example'>Shop</a> <img src='x' alt='Logo'>"
    )
    assert protected.restore(plaintext.from_html(protected, protected.text)) == (
        "Title\n\nHello {{ customer.first_name }},\nyou & me\n\n{% for i in event.items %}\n- {{ i.name"
        " }}\n{% endfor %}\n\n"
        "Shop ( https://a.example ) Logo\n"
    )


def test_imprint_pixel_and_unsubscribe_stand_where_they_must() -> None:
    plain = made(f"<p>x</p>{END}", text="x")
    english = plain["locales"]["en"]  # type: ignore[index]
    assert (
        english["html"].index("{{ imprint | nl2br }}")
        < english["html"].index("{{ _pixel }}")
        < english["html"].index("</body>")
    )
    assert "{{ imprint }}" in english["text"]
    own = made("<p>{{ imprint }}</p>")["locales"]["en"]  # type: ignore[index]
    assert own["html"].count("imprint") == 1 and own["text"].count("imprint") == 1
    marketing = compile_template(
        {"en": {"subject": "s", "body": f"<p>x</p>{END}", "text": "only words"}}, channel="email", purpose="marketing"
    ).content
    assert "{{ unsubscribe_url }}" in marketing["locales"]["en"]["text"]


@pytest.mark.parametrize(
    ("body", "start"),
    [
        ("<p>x</p>", "locales.en.body: is marketing email without an unsubscribe link"),
        (
            "{% if customer.email %}" + END + "{% endif %}",
            "locales.en.body: shows its unsubscribe link to some people only",
        ),
        ("<p>{{ unsubscribe_url }}</p>", "locales.en.body: names unsubscribe_url but does not link to it"),
        ("<!-- " + END + " -->", "locales.en.body line 1: Jinja stands in an HTML comment"),
    ],
)
def test_marketing_email_without_an_unsubscribe_link_for_everybody_is_refused(body: str, start: str) -> None:
    assert any(problem.startswith(start) for problem in refused(body, "marketing")), refused(body, "marketing")


def test_text_channels_take_a_body_only() -> None:
    content = compile_template(
        {"de": {"body": "Hi {{ customer.first_name | default('du') }}: https://a.example"}},
        channel="sms",
        purpose="marketing",
    ).content
    assert content["locales"]["de"]["text"] == "Hi {{ customer.first_name | default('du') }}: {{ _links[0] }}"
    assert content["locales"]["de"]["html"] == ""
    with pytest.raises(Problems) as caught:
        compile_template(
            {"de": {"subject": "s", "body": "b", "text": "t"}, "xx-!!": {"body": ""}},
            channel="sms",
            purpose="marketing",
        )
    assert [str(problem) for problem in caught.value.problems] == [
        "locales.de.subject: sms has no subject (remove it)",
        "locales.de.text: sms has a body only (put the text into body)",
        "locales.xx-!!: 'xx-!!' is no known locale (write a language such as de or de-AT)",
        "locales.xx-!!.body: is missing (add it)",
    ]


def test_plain_html_gets_its_styles_inlined_and_keeps_its_tags() -> None:
    result = html(
        "<html><head><style>p { color: red } @media (max-width: 5px) { p { color: blue } }</style></head><body>"
        "<table>{% for i in event.items %}<tr><td><p>{{ i.name }}</p></td></tr>{% endfor %}</table></body></html>"
    )
    assert '<p style="color: red;">{{ i.name }}</p>' in result and "@media" in result
    assert "<tbody>{% for i in event.items %}<tr>" in result


def test_no_static_line_needs_an_encoding() -> None:
    result = html(
        mjml("<mj-text>" + "word " * 2000 + "</mj-text>" + "<mj-button href='https://a.example'>x</mj-button>" * 10)
    )
    assert max(len(line) for line in result.split("\n")) < 800
    assert folded("<pre>" + "a " * 500 + "</pre>").count("\n") == 0


def test_cutting_markup_leaves_no_gap_and_is_linear() -> None:
    for text in (
        "<a b='c' d>x</a><!-- y --><br/><style>z</style>&<",
        "<a" * 50_000,
        "</a" * 50_000,
        "<!--[if " * 20_000,
        "<a " + " " * 100_000,
    ):
        end = 0
        for piece in pieces(text):
            assert piece.start == end
            end = piece.end
        assert end == len(text)


def test_the_digest_sees_order_of_locales_and_purpose() -> None:
    one, two = {"de": {"body": "x"}, "en": {"body": "y"}}, {"en": {"body": "y"}, "de": {"body": "x"}}
    assert digest("sms", "marketing", one) != digest("sms", "marketing", two)
    assert digest("sms", "marketing", one) != digest("sms", "service", one)
    assert digest("sms", "marketing", one) == digest("sms", "marketing", dict(one))


# Single mails that people ask for; all else is marketing.
SINGLE = ("double_opt_in.", "portal_", "membership_")
MARKETING = [path for path in sorted(LAYOUTS.glob("*.mjml")) if not path.name.startswith(SINGLE)]


@pytest.mark.parametrize("path", MARKETING, ids=lambda path: path.name)
def test_our_own_layouts_compile_without_a_warning(path: Path) -> None:
    parts = {"en": {"subject": "s", "body": path.read_text()}}
    compiled = compile_template(parts, channel="email", purpose="marketing", attributes={"first_name"})
    assert [str(warning) for warning in compiled.warnings if "item." in str(warning)] == []
    assert compiled.warnings == []
