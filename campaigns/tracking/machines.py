"""Pure: programs that fetch what stands in a mail without a person: scanners, previews, crawlers, prefetching."""

import re

# Programs that say who they are. Libraries such as curl or python-requests are no proof: people use clients built on
# them; CUBOT makes phones. GoogleImageProxy is left out on purpose: it fetches when the reader opens the mail.
_KNOWN = re.compile(
    r"(?<!cu)bot\b|crawler|spider|slurp|facebookexternalhit|whatsapp/|telegrambot|skypeuripreview|microsoftpreview"
    r"|barracuda|mimecast|proofpoint|safelinks|ironport|symantec|messagelabs|trendmicro|fireeye|sophos|fortinet|zscaler"
    r"|forcepoint|cloudmark|vade(?:secure)?|bitdefender|avanan|cisco-?(?:email|umbrella)|urlscan|virustotal|wordpress/"
    r"|link ?preview|scanner|monitoring|uptime|headlessscan|yahoomailproxy|outlook-?safelinks",
    re.IGNORECASE,
)
# What Apple's Mail Privacy Protection sends, and no browser: it loads every picture, read or not.
_APPLE_PREFETCH = "Mozilla/5.0"

# A person clicks one link; who fetches two different ones of a mail within this time is a scanner.
SCAN_SECONDS = 1.0
# When all hits of a scan that began at some instant have certainly been written.
JUDGE_AFTER_SECONDS = 1.5


def is_machine(method: str, user_agent: str) -> bool:
    """Whether the request alone shows that a program made it. A HEAD request never comes from a click."""
    return method == "HEAD" or user_agent == _APPLE_PREFETCH or _KNOWN.search(user_agent) is not None
