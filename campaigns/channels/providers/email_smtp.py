"""Email by SMTP, to any mail server or provider that speaks it. Connections persist in the process between batches."""

import asyncio
import os
import secrets
import socket
from collections import deque
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Annotated, Literal
from weakref import WeakKeyDictionary

from django.conf import settings as project
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from campaigns.channels import outcome as outcomes
from campaigns.channels.message import OutgoingEmail
from campaigns.channels.mime import BadAddress, Skeleton, envelope_address, on_the_wire
from campaigns.channels.outcome import Outcome
from campaigns.channels.provider import Account, providers
from campaigns.channels.smtp import Broken, Connection, Endpoint, Refused
from campaigns.channels.smtp_transfer import Parcel, of_session, transfer

# A server may hang up on an idle client at any time; a connection idle for longer is not tried again.
IDLE_SECONDS = 20.0
# A server that breaks a line this often within one batch is left alone until the next.
MAX_BREAKS = 5
SINK_HOST = "sink"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _address(value: str) -> str:
    try:
        envelope_address(value)
    except BadAddress as error:
        raise ValueError(str(error)) from None
    return value


Address = Annotated[str, AfterValidator(_address)]


class SmtpSettings(BaseModel):
    """Without `host` mails go to the mail sink of one-machine use (`host: sink`).

    The password comes from the environment variable `password_env`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(default=SINK_HOST, min_length=1, max_length=255)
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["none", "starttls", "tls"] | None = Field(
        default=None, description="starttls if unset; none for a server on this machine"
    )
    verify_certificate: bool = True
    username: str = ""
    password_env: str = Field(default="", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$|^$")
    from_email: Address = Field(default_factory=lambda: project.DEFAULT_FROM_EMAIL, description="DEFAULT_FROM_EMAIL")
    from_name: str = Field(default="", max_length=200)
    reply_to: Address | None = None
    return_path: Address | None = Field(default=None, description="where bounces go; from_email if unset")
    imprint: str = Field(default="", max_length=2000, description="who sends, as the law asks for (Impressum)")
    connections: int = Field(default=10, ge=1, le=100)
    timeout: float = Field(default=10.0, ge=1, le=60, description="seconds for one message, all in all")

    def endpoint(self) -> Endpoint:
        """Where to connect; raises Broken when the local sink is asked for and there is none."""
        host, port = self.host, self.port
        security = self.security or ("none" if host in LOOPBACK else "starttls")
        if host == SINK_HOST:
            if not project.SINK_SMTP:
                raise Broken("host 'sink' needs SINK_SMTP in the environment")
            host, _, number = project.SINK_SMTP.rpartition(":")
            port, security = int(number), "none"
        password = os.environ.get(self.password_env, "") if self.password_env else ""
        return Endpoint(host, port, security, self.username, password, self.verify_certificate, _hello())


@lru_cache(maxsize=1)
def _hello() -> str:
    """Our name in EHLO; an address literal where the machine has no full name."""
    name = socket.getfqdn()
    return name if "." in name and not name.endswith(".arpa") else "[127.0.0.1]"


@lru_cache(maxsize=256)
def _skeleton(from_email: str, from_name: str, reply_to: str) -> Skeleton:
    return Skeleton(
        from_email=from_email, from_name=from_name, reply_to=reply_to, boundary=f"=_{secrets.token_hex(16)}"
    )


class _Pool:
    """The sessions of this process to one server: at most `connections` at work, the idle ones kept."""

    def __init__(self, connections: int) -> None:
        self.idle: list[Connection] = []
        self.permits = asyncio.Semaphore(connections)

    def take(self) -> Connection | None:
        """An idle connection that still looks alive."""
        oldest = asyncio.get_running_loop().time() - IDLE_SECONDS
        while self.idle:
            connection = self.idle.pop()
            if connection.usable and connection.last_used > oldest:
                return connection
            connection.close()
        return None

    def give_back(self, connection: Connection) -> None:
        connection.last_used = asyncio.get_running_loop().time()
        self.idle.append(connection)


_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[Endpoint, int], _Pool]] = WeakKeyDictionary()


def _pool(endpoint: Endpoint, connections: int) -> _Pool:
    pools = _pools.setdefault(asyncio.get_running_loop(), {})
    return pools.setdefault((endpoint, connections), _Pool(connections))


@providers.register("email_smtp")
class EmailSmtp:
    """Hands over on up to `connections` sessions at once."""

    channel = "email"
    settings: type[BaseModel] = SmtpSettings
    idempotency_window = None

    async def send(self, account: Account, messages: Sequence[OutgoingEmail]) -> list[Outcome]:
        """One outcome per message, in order; see `smtp_transfer` for what means what."""
        settings: SmtpSettings = account.settings
        results: list[Outcome | None] = [None] * len(messages)
        queue = _parcels(settings, messages, results)
        try:
            endpoint = settings.endpoint()
        except Broken as error:
            return [result or of_session(error) for result in results]
        pool = _pool(endpoint, settings.connections)
        lines = min(settings.connections, len(queue))
        errors = await asyncio.gather(*(_line(pool, endpoint, queue, results, settings.timeout) for _ in range(lines)))
        # What is left found no session: nothing of it was handed over.
        left = next((of_session(error) for error in errors if error), outcomes.retry("no connection", after=30.0))
        return [result or left for result in results]


def _parcels(settings: SmtpSettings, messages: Sequence[OutgoingEmail], results: list[Outcome | None]) -> deque[Parcel]:
    skeleton = _skeleton(settings.from_email, settings.from_name, settings.reply_to or "")
    return_path = settings.return_path or settings.from_email
    queue: deque[Parcel] = deque()
    for place, message in enumerate(messages):
        try:
            to = envelope_address(message.to)
        except BadAddress as error:
            results[place] = outcomes.failed("5.1.3", str(error), dead_address=True)
            continue
        queue.append(Parcel(place, return_path, to, partial(_build, skeleton, message)))
    return queue


def _build(skeleton: Skeleton, message: OutgoingEmail, eight_bit: bool) -> bytes:
    return on_the_wire(skeleton.fill(message, eight_bit=eight_bit))


async def _line(
    pool: _Pool, endpoint: Endpoint, queue: deque[Parcel], results: list[Outcome | None], timeout: float
) -> Broken | Refused | None:
    """Work the queue over one connection, and over a new one when it breaks. Ends with the error when no session comes
    about, for then the other lines do what they can."""
    broke = 0
    async with pool.permits:
        while queue and broke < MAX_BREAKS:
            try:
                connection = pool.take() or await Connection.open(endpoint)
            except (Broken, Refused) as error:
                return error
            try:
                await transfer(connection, queue, results, total_seconds=timeout)
            except Broken:
                broke += 1
                connection.close()
            except BaseException:
                connection.close()
                raise
            else:
                pool.give_back(connection)
    return None
