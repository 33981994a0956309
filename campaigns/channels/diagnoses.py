"""What `manage.py doctor` looks at here: senders, whether their servers answer, and what DNS says about their
domains."""

import asyncio
import os
from collections.abc import Iterable
from typing import Any

import dns.exception
import dns.resolver
from pydantic import ValidationError

from campaigns.channels.models import Sender
from campaigns.channels.provider import providers
from campaigns.channels.smtp import Broken, Connection, Refused
from loyalty.kit.diagnoses import Finding, broken, diagnosis, ok, warning
from loyalty.kit.problems import from_pydantic

DNS_SECONDS = 3.0
# These names never leave a machine or a test (RFC 2606, RFC 6761), so DNS has nothing to say about them.
RESERVED = (".example", ".test", ".invalid", ".localhost", ".local", "example.com", "example.org", "example.net")


@diagnosis("senders", order=70)
def look_at_senders() -> Iterable[Finding]:
    """Every sender has a provider, valid settings, its secrets, and a server that answers."""
    senders = list(Sender.objects.order_by("key"))
    if not senders:
        yield warning("there is no sender", "apply a document of kind sender")
    for sender in senders:
        if sender.provider not in providers:
            yield broken(f"{sender.key}: unknown provider {sender.provider}", f"known: {', '.join(providers)}")
            continue
        try:
            settings: Any = providers.get(sender.provider).settings.model_validate(sender.settings)
        except ValidationError as error:
            yield broken(f"{sender.key}: {'; '.join(map(str, from_pydantic(error)))}", "apply it with valid settings")
            continue
        secret = getattr(settings, "password_env", "")
        if secret and not os.environ.get(secret):
            yield broken(f"{sender.key}: its password is missing", f"set {secret} in the environment of the workers")
            continue
        if sender.state != Sender.State.ACTIVE:
            yield warning(f"{sender.key} is {sender.state}", "activate it when its messages should go out")
        yield _answer(sender.key, settings) if hasattr(settings, "endpoint") else ok(f"{sender.key} is configured")


@diagnosis("dns", order=80)
def look_at_domains() -> Iterable[Finding]:
    """The domains that mails come from publish SPF and DMARC; without them mailbox providers refuse bulk mail."""
    addresses = (sender.settings.get("from_email", "") for sender in Sender.objects.filter(channel="email"))
    domains = sorted({str(address).rpartition("@")[2].lower() for address in addresses if address})
    for domain in domains:
        if ("." + domain).endswith(RESERVED):
            yield ok(f"{domain} is a name for trials, nothing to look up")
            continue
        for name, start, what in ((domain, "v=spf1", "SPF"), (f"_dmarc.{domain}", "v=DMARC1", "DMARC")):
            yield _record(name, start, what)


def _answer(key: str, settings: Any) -> Finding:
    """Whether the server takes a session with these settings."""

    async def greet() -> None:
        (await Connection.open(settings.endpoint())).close()

    try:
        asyncio.run(asyncio.wait_for(greet(), settings.timeout))
    except (Broken, Refused, TimeoutError) as error:
        reason = str(error) or "no answer in time"
        return broken(f"{key}: its server takes no session: {reason}", "check host, port, security and password")
    return ok(f"{key}: its server takes a session")


def _record(name: str, start: str, what: str) -> Finding:
    try:
        answers = dns.resolver.resolve(name, "TXT", lifetime=DNS_SECONDS)
    except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN):
        return warning(f"{name} publishes no {what}", f"add a TXT record that begins with {start}")
    except dns.exception.DNSException as error:
        return warning(
            f"{name}: {what} cannot be looked up ({type(error).__name__})", "try again where DNS is reachable"
        )
    if any(b"".join(answer.strings).decode(errors="replace").startswith(start) for answer in answers):
        return ok(f"{name} publishes {what}")
    return warning(f"{name} publishes no {what}", f"add a TXT record that begins with {start}")
