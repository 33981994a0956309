"""Previews: a template rendered in a child process of its own, so that web workers never run one.

About 0.3 s, most of it starting Python. The child has no settings, no database address and no secrets in its
environment.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from campaigns.content.render import RenderError
from loyalty.kit.problems import Problem

WALL_SECONDS = 8.0
ANSWER_MAX = 8_000_000
_ROOT = str(Path(__file__).resolve().parent.parent.parent)
_START = f"import sys; sys.path.insert(0, {_ROOT!r}); from campaigns.content.child import main; main()"


@dataclass(frozen=True, slots=True)
class Preview:
    """A rendered message and the template's locale that served."""

    subject: str
    html: str
    text: str
    locale: str


def render(
    content: Mapping[str, Any],
    context: Mapping[str, Any],
    *,
    locale: str | None,
    unsubscribe: str = "#unsubscribe",
    preferences: str = "#preferences",
) -> Preview:
    """Render compiled content in a child; raises RenderError, also when the child reaches a limit."""
    request = {
        "content": content,
        "context": context,
        "locale": locale,
        "unsubscribe": unsubscribe,
        "preferences": preferences,
    }
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter, no user text in the command
            [sys.executable, "-I", "-c", _START],
            input=json.dumps(request, default=str).encode(),
            capture_output=True,
            timeout=WALL_SECONDS,
            env={"PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"},
            cwd="/",
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RenderError(Problem("", "the template takes too long to render", "simplify it")) from None
    if done.returncode or len(done.stdout) > ANSWER_MAX:
        raise RenderError(Problem("", "the template goes over its limits of time or memory", "simplify it"))
    answer = json.loads(done.stdout)
    if "problem" in answer:
        raise RenderError(Problem(*answer["problem"]))
    return Preview(**answer)
