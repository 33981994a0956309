"""Messages over SMTP connections, and what each answer means for its message.

| seen | outcome |
|---|---|
| no connection, greeting or login refused | retry: nothing was handed over |
| 4xx to anything | retry later |
| 5xx | failed with its enhanced status; only a dead mailbox suppresses the address, 5.7.x (policy) never |
| connection lost or silent before the final dot was written | retry |
| connection lost, silent or talking nonsense after it | in doubt |
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from campaigns.channels import outcome as outcomes
from campaigns.channels.outcome import Outcome
from campaigns.channels.smtp import READ_SECONDS, SMALL_BODY, Broken, Connection, Refused, Reply

# RFC 3463: the mailbox does not exist or takes no mail for good.
DEAD_ADDRESS = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
# How often one parcel is taken up within one batch when connections break before it is handed over.
MAX_TRIES = 2
RETRY_SECONDS = 60.0
RETRY_SESSION_SECONDS = 30.0
RETRY_LOGIN_SECONDS = 300.0


@dataclass(slots=True)
class Parcel:
    """One message ready to go: `build` makes its octets for what the server can do; `place` is its place in the
    batch."""

    place: int
    sender: str
    to: str
    build: Callable[[bool], bytes]
    tries: int = 0


async def transfer(
    connection: Connection, queue: deque[Parcel], results: list[Outcome | None], *, total_seconds: float
) -> None:
    """Send parcels of `queue` over this connection until it is empty; writes each outcome at its place in `results`.

    On Broken the parcel whose envelope had only been announced is back in the queue: nothing of it was sent.
    """
    eight_bit = connection.has("8BITMIME")
    if not connection.has("PIPELINING"):
        await _one_by_one(connection, queue, results, eight_bit, total_seconds)
        return
    parcel = _next(connection, queue, results, eight_bit)
    if parcel is None:
        return
    current, body = parcel
    connection.write(_envelope(current, eight_bit, len(body)))
    while True:
        following: tuple[Parcel, bytes] | None = None
        dot_written = False
        try:
            connection.expect_within(READ_SECONDS)
            mail, rcpt, data = await connection.read(), await connection.read(), await connection.read()
            refusal = next((reply for reply in (mail, rcpt) if not reply.ok), None)
            if refusal is None and data.code != 354:
                refusal = data
            if refusal is not None:
                results[current.place] = of_reply(refusal)
                _close_if_leaving(refusal)
                if data.code == 354:
                    # The server waits for a body although it took no recipient (RFC 2920 3.1 allows that): an empty one
                    # ends it. One that refused the sender and went on is not to be trusted with a dot.
                    if not mail.ok:
                        raise Broken("the server went on after a refusal")
                    connection.write(b".\r\n")
                    await connection.read()
                connection.write(b"RSET\r\n")
                following = _next(connection, queue, results, eight_bit)
                if following is not None:
                    connection.write(_envelope(following[0], eight_bit, len(following[1])))
                await connection.read()
            else:
                if len(body) > SMALL_BODY:
                    connection.expect_within(total_seconds)
                    connection.write(body[:-3])
                    await connection.flushed()
                    body = body[-3:]
                following = _next(connection, queue, results, eight_bit)
                announced = _envelope(following[0], eight_bit, len(following[1])) if following else b""
                dot_written = True
                connection.write(body + announced)
                connection.expect_within(total_seconds)
                reply = await connection.read()
                results[current.place] = of_final(reply)
                _close_if_leaving(reply)
        except Broken as error:
            if following is not None:
                queue.appendleft(following[0])
            _give_up(connection, queue, results, current, broken(str(error), dot_written))
            raise
        if following is None:
            connection.expect_within(None)
            return
        current, body = following


async def _one_by_one(
    connection: Connection,
    queue: deque[Parcel],
    results: list[Outcome | None],
    eight_bit: bool,
    total_seconds: float,
) -> None:
    """The same without PIPELINING: every command waits for its answer."""
    while (parcel := _next(connection, queue, results, eight_bit)) is not None:
        current, body = parcel
        dot_written = False
        try:
            refusal = None
            for line, expected in zip(
                _envelope(current, eight_bit, len(body)).splitlines(), (250, 250, 354), strict=True
            ):
                connection.expect_within(READ_SECONDS)
                reply = await connection.command(line.decode())
                if not (reply.ok if expected == 250 else reply.code == 354):
                    refusal = reply
                    break
            if refusal is not None:
                results[current.place] = of_reply(refusal)
                _close_if_leaving(refusal)
                await connection.command("RSET")
                continue
            connection.expect_within(total_seconds)
            if len(body) > SMALL_BODY:
                connection.write(body[:-3])
                await connection.flushed()
                body = body[-3:]
            dot_written = True
            connection.write(body)
            reply = await connection.read()
            results[current.place] = of_final(reply)
            _close_if_leaving(reply)
        except Broken as error:
            _give_up(connection, queue, results, current, broken(str(error), dot_written))
            raise
    connection.expect_within(None)


def _next(
    connection: Connection, queue: deque[Parcel], results: list[Outcome | None], eight_bit: bool
) -> tuple[Parcel, bytes] | None:
    """The next parcel with its octets; one that cannot be sent here gets its outcome at once."""
    while queue:
        parcel = queue.popleft()
        try:
            body = parcel.build(eight_bit)
        except Exception as error:  # a message that cannot be built harms only itself
            results[parcel.place] = outcomes.failed("5.6.0", f"the message cannot be built: {type(error).__name__}")
            continue
        if connection.size_limit and len(body) > connection.size_limit:
            results[parcel.place] = outcomes.failed(
                "5.3.4", f"{len(body)} octets are more than the {connection.size_limit} the server takes"
            )
        elif not parcel.to.isascii() and not connection.has("SMTPUTF8"):
            results[parcel.place] = outcomes.failed("5.6.7", "the server takes no addresses beyond ASCII")
        else:
            return parcel, body
    return None


def _give_up(
    connection: Connection, queue: deque[Parcel], results: list[Outcome | None], current: Parcel, fate: Outcome
) -> None:
    """What a broken connection means for the parcel under way. One that was surely not handed over gets another
    connection once: a kept connection may have been closed by the server long ago."""
    if results[current.place] is not None:
        return
    current.tries += 1
    if fate.verdict == "retry" and current.tries < MAX_TRIES and not connection.timed_out:
        queue.appendleft(current)
    else:
        results[current.place] = fate


def _envelope(parcel: Parcel, eight_bit: bool, size: int) -> bytes:
    options = " BODY=8BITMIME" if eight_bit else ""
    if not parcel.to.isascii():
        options += " SMTPUTF8"
    return f"MAIL FROM:<{parcel.sender}>{options}\r\nRCPT TO:<{parcel.to}>\r\nDATA\r\n".encode()


def _close_if_leaving(reply: Reply) -> None:
    if reply.code == 421:
        raise Broken("the server closes the session")


def _queue_id(reply: Reply) -> str | None:
    """What the server calls the message: the rest of its answer, which only means something to its operator."""
    return reply.text[:200] or None


def of_final(reply: Reply) -> Outcome:
    """What the answer to the final dot means; one that is neither yes nor no leaves a doubt."""
    if reply.ok:
        return outcomes.sent(_queue_id(reply))
    if reply.code < 400:
        return outcomes.in_doubt(f"the answer to the message was {reply.code}")
    return of_reply(reply)


def of_reply(reply: Reply) -> Outcome:
    """What a refusal before the message was complete, or a 4xx or 5xx to the whole of it, means."""
    status = reply.status
    words = f"{reply.code} {reply.text}"[:300]
    if 400 <= reply.code < 500:
        return outcomes.retry(words, after=RETRY_SECONDS, code=status or str(reply.code))
    if 500 <= reply.code < 600:
        policy = (status or "").startswith("5.7.") or reply.code in (530, 535)
        return outcomes.failed(
            status or str(reply.code), words, dead_address=status in DEAD_ADDRESS, sender_problem=policy
        )
    return outcomes.retry(f"unexpected answer {words}", after=RETRY_SECONDS, code=str(reply.code))


def of_session(error: Broken | Refused) -> Outcome:
    """No session came about: nothing was handed over."""
    if isinstance(error, Refused):
        login = error.during == "AUTH" or error.reply.code in (530, 535)
        after = RETRY_LOGIN_SECONDS if login else RETRY_SECONDS
        text = f"{error.during}: {error.reply.code} {error.reply.text}"[:300]
        return outcomes.retry(text, after=after, code=error.reply.status or str(error.reply.code), sender_problem=login)
    return outcomes.retry(str(error), after=RETRY_SESSION_SECONDS)


def broken(why: str, dot_written: bool) -> Outcome:
    """The connection broke with this message under way."""
    if dot_written:
        return outcomes.in_doubt(f"after the whole message was written: {why}")
    return outcomes.retry(f"before the message was complete: {why}", after=RETRY_SESSION_SECONDS)
