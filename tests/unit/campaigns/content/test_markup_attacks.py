"""Whatever an author and a customer's values do together, a mail that was accepted holds no script."""

import css_inline
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.content.compile import compile_template
from campaigns.content.markup import pieces
from campaigns.content.render import PlainLinks, Renderer, RenderError
from loyalty.kit.problems import Problems

FRAGMENTS = [
    "{% if event.x %}", "{% else %}", "{% endif %}", "{% for i in event.items %}", "{% endfor %}", "{{ event.a }}",
    "{{ i }}", '<p title="', "<p title='", '">', "'>", '"', "'", ">", "<", "/", "=", " ", "x", "<!--", "-->",
    "--!>", "<!-->", "<!--[if mso]>", "<![endif]-->", "<!--<![endif]-->", "<b>", "</b>", '<img alt="',
    " onerror=alert(1) ", "<title>", "</title>", "<style>", "</style>", "<xmp>", "</xmp>", "<textarea>", "<table>",
    "<tr>", "<td>", "</table>", "<a href='", '<a href="https://x.example/', "<mj-style>", "</mj-style>",
    "<noembed>", "</noembed>", "<pre>", "&lt;script&gt;", "{# ", " #}", "<?", "<!x", "</", "<p ",
]  # fmt: skip
VALUES = [
    "plain", '"><script>alert(1)</script>', "' onerror=alert(1) x='", "--><script>x</script>",
    "</title><script>x</script>", "javascript:x",
]  # fmt: skip
LINKS = PlainLinks("https://us.example/u", "https://us.example/p")
PARSER = css_inline.CSSInliner(inline_style_tags=False, keep_style_tags=True, load_remote_stylesheets=False)


def check(body: str) -> bool:
    """Whether the body was accepted; if so, every way it can come out is looked at with a browser's parser."""
    try:
        content = compile_template({"en": {"subject": "s", "body": body}}, channel="email", purpose="service").content
    except Problems as error:
        assert all(problem.problem for problem in error.problems)
        return False
    renderer = Renderer(content)
    for value in VALUES:
        for chosen in (True, False):
            for items in ([], ["a", value]):
                event = {"a": value, "x": chosen, "items": items}
                try:
                    message = renderer.render({"event": event}, locale="en", links=LINKS)
                except RenderError:
                    continue
                for piece in pieces(PARSER.inline(message.html)):
                    assert piece.name != "script", (body, event, message.html)
                    handlers = [attribute.name for attribute in piece.attributes if attribute.name.startswith("on")]
                    assert not handlers, (body, event, message.html)
                    target = piece.get("href") if piece.kind == "open" else None
                    assert not (target or "").lower().startswith("javascript"), (body, event, message.html)
    return True


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), min_size=2, max_size=16))
def test_an_accepted_template_never_becomes_a_script(fragments: list[str]) -> None:
    check("".join(fragments))


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="{}%#<>\"'=/ !-xif&;\n", max_size=60))
def test_any_text_is_compiled_or_refused_in_words(text: str) -> None:
    check(text)


def test_the_attack_generator_is_not_all_refused() -> None:
    assert check('{% if event.x %}<b>{% else %}<p title="{{ event.a }}">{% endif %}x{{ event.a }}</b>')
    assert check("<title>{{ event.a }}</title><table>{% for i in event.items %}<tr><td>{{ i }}</table>{% endfor %}")
