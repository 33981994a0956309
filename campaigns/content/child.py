"""The child process of a preview: reads compiled content and values, renders one message, answers, ends.

Started by `preview.py` with an empty environment. It imports only what rendering needs, no Django and no settings,
then gives up what it does not need: memory, CPU time, files, processes. Whatever a template achieves here dies with
it.
"""

import json
import resource
import sys
from typing import Any

from campaigns.content import limits
from campaigns.content.render import PlainLinks, Renderer, RenderError

# Beyond the limits of one render: compiling the template in this process.
COMPILE_SECONDS = 2


def main() -> None:
    """One request from stdin, one answer to stdout: `{"subject", "html", "text", "locale"}` or `{"problem"}`."""
    request: dict[str, Any] = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (COMPILE_SECONDS + 1, COMPILE_SECONDS + 1))
    links = PlainLinks(unsubscribe=request["unsubscribe"], preferences=request["preferences"])
    try:
        with limits.batch():
            renderer = Renderer(request["content"])
            message = renderer.render(request["context"], locale=request["locale"], links=links)
    except RenderError as error:
        problem = error.problem
        answer: dict[str, Any] = {"problem": [problem.where, problem.problem, problem.remedy]}
    else:
        answer = {
            "subject": message.subject,
            "html": message.html,
            "text": message.text,
            "locale": renderer.locale_for(request["locale"]),
        }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
