"""Pure: programs that fetch what stands in a mail without a person: scanners, previews, crawlers, prefetching."""

import re
from functools import lru_cache

# Programs that say who they are. Libraries such as curl or python-requests are no proof: people use clients built on
# them. GoogleImageProxy is left out on purpose: it fetches when the reader opens the mail.
_PREVIEWS = ("facebookexternalhit", "whatsapp/", "skypeuripreview", "microsoftpreview", "link preview", "linkpreview")
_CRAWLERS = ("crawler", "spider", "slurp", "urlscan", "virustotal", "scanner", "monitoring", "uptime", "wordpress/")
_MAIL_FILTERS = (
    ("barracuda", "mimecast", "proofpoint", "safelinks", "ironport", "symantec", "messagelabs", "trendmicro", "fireeye")
    + ("sophos", "fortinet", "zscaler", "forcepoint", "cloudmark", "vadesecure", "bitdefender", "avanan", "cisco-email")
    + ("cisco-umbrella", "yahoomailproxy")
)
_WORDS = _PREVIEWS + _CRAWLERS + _MAIL_FILTERS
# Cubot makes phones.
_BOT = re.compile(r"(?<!cu)bot\b")
# What Apple's Mail Privacy Protection sends, and no browser: it loads every picture, read or not.
_APPLE_PREFETCH = "Mozilla/5.0"

# A person clicks one link; who fetches two different ones of a mail within this time is a scanner.
SCAN_SECONDS = 1.0
# When all hits of a scan that began at some instant have certainly been written.
JUDGE_AFTER_SECONDS = 1.5


def is_machine(method: str, user_agent: str) -> bool:
    """Whether the request alone shows that a program made it. A HEAD request never comes from a click."""
    return method == "HEAD" or _is_program(user_agent)


@lru_cache(maxsize=4096)
def _is_program(user_agent: str) -> bool:
    agent = user_agent.lower()
    return (
        user_agent == _APPLE_PREFETCH
        or any(word in agent for word in _WORDS)
        or ("bot" in agent and _BOT.search(agent) is not None)
    )
