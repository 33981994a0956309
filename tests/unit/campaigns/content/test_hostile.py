"""No template reaches anything but its values, and none costs more than its limits, whichever layer is tried."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from campaigns.content import limits, preview
from campaigns.content.compile import compile_template
from campaigns.content.lint import lint
from campaigns.content.render import PlainLinks, Renderer, RenderError
from campaigns.content.vocabulary import vocabulary
from loyalty.kit.problems import Problems
from tests.unit.campaigns.content.corpus import BOMBS, ESCAPES

WORDS = vocabulary({"first_name", "email", "a"})
LINKS = PlainLinks("https://us.example/u", "https://us.example/p")
CONTEXT = {
    "customer": {"first_name": "Ada", "email": "ada@example.com", "a": "x" * 10_000},
    "event": {"name": "cart", "n": 3, "items": [{"name": str(n)} for n in range(100)]},
    "imprint": "Us",
}
SECRETS = ("__globals__", "<class", "<function", "<built-in", "object at 0x", "SECRET", "root:")


def content(source: str) -> dict[str, object]:
    """Compiled content around a source that no lint has seen."""
    return {
        "format": 1,
        "default": "en",
        "links": [],
        "locales": {"en": {"subject": "s", "html": source, "text": "t", "links": []}},
    }


def test_the_corpus_is_large() -> None:
    assert len(set(ESCAPES)) >= 60
    assert len(set(BOMBS)) >= 35


@pytest.mark.parametrize("source", ESCAPES + BOMBS, ids=lambda source: source[:50])
def test_a_hostile_template_is_refused_with_a_place_and_a_remedy_within_a_second(source: str) -> None:
    started = time.process_time()
    problems = lint(source, where="body", vocabulary=WORDS).problems
    assert time.process_time() - started < 1
    assert problems
    for problem in problems:
        assert problem.where.startswith("body") and problem.problem and problem.remedy
    with pytest.raises(Problems):
        compile_template(
            {"en": {"body": source}}, channel="sms", purpose="service", attributes={"first_name", "email", "a"}
        )


@pytest.mark.parametrize(
    "source", [s for s in ESCAPES if "_links" not in s and "_pixel" not in s], ids=lambda source: source[:50]
)
def test_the_sandbox_alone_reaches_nothing_even_without_the_lint(source: str) -> None:
    try:
        message = Renderer(content(source)).render(CONTEXT, locale="en", links=LINKS)
    except (RenderError, SyntaxError, RecursionError):
        return
    except Exception as error:  # compile-time refusals of Jinja2 itself
        assert type(error).__module__.startswith("jinja2")
        return
    assert not any(secret in message.html for secret in SECRETS)
    assert "evil.example" not in message.text


UNLINTED_BOMBS = [
    "{% for a in event.items %}{% for b in event.items %}{% for c in event.items %}{% for d in event.items %}"
    "{% endfor %}{% endfor %}{% endfor %}{% endfor %}",
    "{% for a in event.items %}{% for b in event.items %}{% for c in event.items %}xxxxxxxx{% endfor %}{%"
    " endfor %}{% endfor %}",
    "{% set ns = 'aaaaaaaaaa' %}"
    + "".join(f"{{% set a{n + 1} = a{n} ~ a{n} %}}" for n in range(30)).replace("a0", "ns")
    + "{{ a30 }}",
    "{{ 'a' * 2000000000 }}",
    "{{ 10 ** 10000000 }}",
    "{{ '%2000000000d' % 1 }}",
    "{% for i in range(100000000) %}x{% endfor %}",
    "{% for a in event.items %}" + "{{ customer.a }}" * 200 + "{% endfor %}",
]


@pytest.mark.parametrize("source", UNLINTED_BOMBS, ids=lambda source: source[:60])
def test_the_limits_alone_stop_a_bomb_in_a_worker_and_the_next_message_renders(source: str) -> None:
    bomb, good = Renderer(content(source)), Renderer(content("Hello {{ customer.first_name }}"))
    with limits.batch():
        started = time.process_time()
        with pytest.raises(RenderError):
            bomb.render(CONTEXT, locale="en", links=LINKS)
        assert time.process_time() - started < 1.5
        assert good.render(CONTEXT, locale="en", links=LINKS).html == "Hello Ada"


@pytest.mark.parametrize("source", UNLINTED_BOMBS, ids=lambda source: source[:60])
def test_the_limits_alone_stop_a_bomb_in_a_preview(source: str) -> None:
    with pytest.raises(RenderError):
        preview.render(content(source), CONTEXT, locale="en")


def test_a_preview_knows_no_environment_and_no_django(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "canary-secret")
    seen: dict[str, object] = {}
    real = subprocess.run

    def watched(*arguments: object, **options: object) -> object:
        seen.update(options)
        return real(*arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", watched)
    shown = preview.render(content("Hello {{ customer.first_name }}"), CONTEXT, locale="en")
    assert shown.html == "Hello Ada"
    assert seen["env"] == {"PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"}
    code = "import sys; import campaigns.content.child; print([m for m in sys.modules if m.split('.')[0] == 'django'])"
    root = Path(preview.__file__).parents[2]
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
        env={"PATH": os.environ["PATH"]},
    )
    assert out.stdout.strip() == "[]"


def test_memory_and_signal_limits_are_put_back_after_a_batch() -> None:
    import resource
    import signal

    before = resource.getrlimit(resource.RLIMIT_AS), signal.getsignal(signal.SIGVTALRM)
    with limits.batch():
        assert resource.getrlimit(resource.RLIMIT_AS)[0] != before[0][0]
    assert (resource.getrlimit(resource.RLIMIT_AS), signal.getsignal(signal.SIGVTALRM)) == before
