"""The one client for HTTP to others: whoever writes an address into a document or a form cannot make us call ourselves.

The name is resolved once, every address is judged (`destinations`), and the connection goes to an address that was
judged: what the name means a moment later does not matter. The certificate is checked against the name. A request has
one deadline for everything, an answer has a most; redirects are followed only where the caller says so, each one judged
anew, and carry nothing of the caller's to another host. Proxies from the environment are not used.
"""

import logging
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException
from typing import Any
from urllib.parse import urljoin

from django.conf import settings
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from loyalty.kit.destinations import Place, Policy, place_of
from loyalty.kit.logs import fields

log = logging.getLogger(__name__)

SECONDS = 5.0
MOST_BYTES = 1_000_000
MOST_REDIRECTS = 3
_CHUNK = 65_536
_REDIRECTS = (301, 302, 303, 307, 308)
# What says nothing about the caller and may go with a redirect to another host.
_HARMLESS = {"accept", "accept-language", "content-type", "user-agent"}
AGENT = "loyalty-campaigns/1"

Resolve = Callable[[str, int], Sequence[str]]


class OutboundError(Exception):
    """There is no answer. `kind`: refused (by us), unreachable, timeout, too_large or broken; `sent`: the other side
    may have got it."""

    def __init__(self, kind: str, text: str, *, sent: bool = False) -> None:
        super().__init__(text)
        self.kind = kind
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; names of headers are lower case, `url` is where it came from in the end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    @property
    def fine(self) -> bool:
        return 200 <= self.status < 300


class _Deadline:
    """The moment until which everything must be done; `watch` ends a socket that is read too slowly."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self.seconds = seconds

    @property
    def left(self) -> float:
        """Seconds; raises OutboundError when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise OutboundError("timeout", f"no answer within {self.seconds:g} seconds")
        return left

    @property
    def over(self) -> bool:
        return time.monotonic() >= self._end

    def watch(self, sock: Any) -> threading.Timer:
        def end() -> None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(max(0.0, self._end - time.monotonic()), end)
        timer.daemon = True
        timer.start()
        return timer


def addresses_of(host: str, port: int) -> list[str]:
    """Every address of the name, as the machine resolves it; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def policy() -> Policy:
    """What the settings allow; raises ValueError for a bad entry of OUTBOUND_ALLOW."""
    return _policy(tuple(settings.OUTBOUND_ALLOW), settings.OUTBOUND_HTTP)


@lru_cache(maxsize=8)
def _policy(allow: tuple[str, ...], plain: bool) -> Policy:
    return Policy.of(allow, plain=plain)


@lru_cache(maxsize=4)
def _trust(file: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def objection(url: str) -> str:
    """What is wrong with an address as it is written, before anything is looked up; empty when nothing is."""
    rules = policy()
    try:
        place = place_of(url, plain=rules.plain)
    except ValueError as error:
        return str(error)
    return _by_number(place, rules)


def _by_number(place: Place, rules: Policy) -> str:
    if place.host.replace(".", "").isdigit() or ":" in place.host:
        return rules.objection(place, place.host)
    return ""


def send(
    method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"", seconds: float = SECONDS,
    most: int = MOST_BYTES, redirects: int = 0, resolve: Resolve | None = None,
) -> Answer:  # fmt: skip
    """Send one request and return what came back, whatever its status; raises OutboundError."""
    rules, deadline = policy(), _Deadline(seconds)
    given = {name.lower(): value for name, value in (headers or {}).items()}
    for hops in range(min(redirects, MOST_REDIRECTS) + 1):
        try:
            place = place_of(url, plain=rules.plain)
            answer = _ask(method, url, place, given, body, rules, deadline, most, resolve or addresses_of)
        except ValueError as error:
            raise _refused(url, str(error)) from None
        except OutboundError as error:
            error.sent = error.sent or hops > 0
            raise
        target = answer.headers.get("location", "")
        if answer.status not in _REDIRECTS or not target or not redirects:
            return answer
        if hops == min(redirects, MOST_REDIRECTS):
            raise OutboundError("refused", "leads on and on to other addresses", sent=True)
        following = urljoin(url, target)
        method, body, given = _onward(answer.status, method, body, given, place, following, rules)
        url = following
    raise AssertionError("the loop returns or raises")


def _onward(
    status: int, method: str, body: bytes, headers: dict[str, str], place: Place, url: str, rules: Policy
) -> tuple[str, bytes, dict[str, str]]:
    """What is asked at the address that a redirect names."""
    try:
        following = place_of(url, plain=rules.plain)
    except ValueError as error:
        raise _refused(url, f"the redirect {error}", sent=True) from None
    if place.scheme == "https" and following.scheme == "http":
        raise _refused(url, "the redirect leaves the encrypted connection", sent=True)
    if status in (301, 302, 303) and method not in ("GET", "HEAD"):
        method, body = "GET", b""
        headers = {name: value for name, value in headers.items() if name != "content-type"}
    if following.origin != place.origin:
        if body:
            raise _refused(url, "the redirect would take the content to another host", sent=True)
        headers = {name: value for name, value in headers.items() if name in _HARMLESS}
    return method, body, headers


def _refused(url: str, why: str, *, sent: bool = False) -> OutboundError:
    # What stands behind the host may be secret.
    log.warning("outbound.refused", extra=fields(to="/".join(url.split("/")[:3])[:200], why=why))
    return OutboundError("refused", why, sent=sent)


def _resolved(place: Place, rules: Policy, deadline: _Deadline, resolve: Resolve) -> list[str]:
    """The addresses of the place, every one of them judged. The lookup has no timeout of its own, so it is waited for
    outside of it."""
    answers: queue.Queue[Any] = queue.Queue()

    def look_up() -> None:
        try:
            answers.put(list(resolve(place.host, place.port)))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=look_up, daemon=True).start()
    try:
        found = answers.get(timeout=deadline.left)
    except queue.Empty:
        raise OutboundError("timeout", f"the name {place.host} could not be looked up in time") from None
    if isinstance(found, Exception) or not found:
        raise OutboundError("unreachable", f"the name {place.host} is not known")
    for address in found:
        if why := rules.objection(place, address):
            raise _refused(f"{place.scheme}://{place.header}{place.target}", why)
    return list(found)


def _ask(
    method: str, url: str, place: Place, headers: Mapping[str, str], body: bytes, rules: Policy, deadline: _Deadline,
    most: int, resolve: Resolve,
) -> Answer:  # fmt: skip
    connection = _connected(place, _resolved(place, rules, deadline, resolve), deadline)
    timer = deadline.watch(connection.sock)
    sent, response = False, None
    try:
        connection.sock.settimeout(deadline.left)
        sent = True
        whole = {"user-agent": AGENT, **headers, "host": place.header, "accept-encoding": "identity",
                 "connection": "close"}  # fmt: skip
        connection.request(
            method, place.target, body=body or None, headers=whole, preload_content=False, decode_content=False
        )
        response = connection.getresponse()
        content = bytearray()
        while chunk := response.read(min(_CHUNK, most + 1 - len(content))):
            content += chunk
            if len(content) > most:
                raise OutboundError("too_large", f"the answer is larger than {most:,} bytes", sent=True)
        if deadline.over:
            raise OutboundError("timeout", f"no answer within {deadline.seconds:g} seconds", sent=True)
        found = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, found, bytes(content), url)
    except OutboundError as error:
        error.sent = error.sent or sent
        raise
    except (HTTPError, HTTPException, OSError, ValueError) as error:
        if deadline.over or isinstance(error, TimeoutError):
            raise OutboundError("timeout", f"no answer within {deadline.seconds:g} seconds", sent=sent) from None
        raise OutboundError("broken", f"the connection broke: {_short(error)}", sent=sent) from None
    finally:
        timer.cancel()
        if response is not None:
            response.close()
        connection.close()


def _connected(place: Place, addresses: Sequence[str], deadline: _Deadline) -> Any:
    """A connection to the first of the judged addresses that answers."""
    failure: Exception | None = None
    for address in addresses:
        host = f"[{address}]" if ":" in address else address
        if place.scheme == "https":
            connection: Any = HTTPSConnection(
                host, place.port, timeout=deadline.left, server_hostname=place.host.rstrip("."),
                ssl_context=_trust(settings.OUTBOUND_CA_FILE),
            )  # fmt: skip
        else:
            connection = HTTPConnection(host, place.port, timeout=deadline.left)
        try:
            connection.connect()
            return connection
        except (HTTPError, OSError) as error:
            connection.close()
            failure = error
    if deadline.over or isinstance(failure, TimeoutError):
        raise OutboundError("timeout", f"{place.host} does not answer")
    raise OutboundError("unreachable", f"{place.host} cannot be reached: {_short(failure)}")


def _short(error: Exception | None) -> str:
    inner = error
    while inner is not None and (inner.__cause__ or inner.__context__) is not None:
        inner = inner.__cause__ or inner.__context__  # type: ignore[assignment]
    text = str(inner or "").partition("\n")[0][:200]
    return text or type(error).__name__
