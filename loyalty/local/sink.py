"""The mail sink: a real SMTP server on 127.0.0.1 that delivers nothing and forgets nothing.

`python -m loyalty.local.sink --directory DIR --port N`. It speaks SMTP with PIPELINING, 8BITMIME, SMTPUTF8 and SIZE,
and answers 250 only after the mail is written. Own protocol code, because it must not be what limits a measured sender:
it takes more than 25,000 mails/s of 9 KB, the usual SMTP libraries about 1,000.
"""

import argparse
import asyncio
import random
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from loyalty.local.sinklog import Mail, SinkLog

MAX_SIZE = 32 * 1024**2
MAX_LINE = 4096
_PATH = re.compile(rb"^(?:MAIL FROM|RCPT TO):\s*<([^>]*)>", re.IGNORECASE)


@dataclass(frozen=True)
class Faults:
    """What goes wrong on purpose, each for a share (0..1) of mails; `seed` makes a run repeatable."""

    reject: float = 0.0  # answer `reject_code` after DATA, keep nothing
    reject_code: int = 451
    drop: float = 0.0  # keep the mail, then close the connection without an answer
    drop_unkept: float = 0.0  # close the connection without an answer and keep nothing
    delay: float = 0.0  # seconds before every answer to DATA
    seed: int = 1


class Sink:
    """Collects what one turn of the event loop brings and writes it at once."""

    def __init__(self, log: SinkLog, faults: Faults) -> None:
        self.log = log
        self.faults = faults
        self.chance = random.Random(faults.seed)  # noqa: S311
        self._waiting: list[tuple[Mail, Callable[[bytes], None]]] = []

    def keep(self, mail: Mail, answer: Callable[[bytes], None]) -> None:
        """Write the mail soon and call `answer` then."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        self._waiting.append((mail, answer))

    def flush(self) -> None:
        """Write all that waits, then answer."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            self.log.append([mail for mail, _ in waiting])
        except OSError as error:
            reply = f"452 4.3.1 cannot write: {error.strerror}\r\n".encode()
        else:
            reply = b"250 2.0.0 kept\r\n"
        for _, answer in waiting:
            answer(reply)


class Session(asyncio.Protocol):
    """One SMTP connection."""

    transport: asyncio.Transport

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.buffer = bytearray()
        self.greeted = False
        self.in_data = False
        self.busy = False  # an answer to DATA is due, so later commands wait
        self.searched = 0
        self._reset()

    def _reset(self) -> None:
        self.mail_from: str | None = None
        self.rcpt: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.transport.write(b"220 sink.localhost ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self._work()

    def _work(self) -> None:
        replies: list[bytes] = []
        while not self.busy and not self.transport.is_closing():
            if self.in_data:
                if not self._take_data(replies):
                    break
            else:
                end = self.buffer.find(b"\n")
                if end < 0:
                    if len(self.buffer) > MAX_LINE:
                        replies.append(b"500 5.5.2 line too long\r\n")
                        self.buffer.clear()
                    break
                line = bytes(self.buffer[:end]).rstrip(b"\r")
                del self.buffer[: end + 1]
                replies.append(self._command(line))
                if line[:4].upper() == b"QUIT":
                    self.transport.write(b"".join(replies))
                    self.transport.close()
                    return
        if replies:
            self.transport.write(b"".join(replies))

    def _command(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        if verb == b"EHLO":
            self.greeted = True
            self._reset()
            extensions = (b"PIPELINING", b"8BITMIME", b"SMTPUTF8", b"SIZE %d" % MAX_SIZE)
            return b"250-sink.localhost\r\n250-" + b"\r\n250-".join(extensions) + b"\r\n250 ENHANCEDSTATUSCODES\r\n"
        if verb == b"HELO":
            self.greeted = True
            self._reset()
            return b"250 sink.localhost\r\n"
        if verb == b"MAIL":
            return self._mail(line)
        if verb == b"RCPT":
            found = _PATH.match(line)
            if self.mail_from is None:
                return b"503 5.5.1 MAIL first\r\n"
            if not found or not found[1]:
                return b"501 5.1.3 bad address\r\n"
            self.rcpt.append(found[1].decode("utf-8", "replace"))
            return b"250 2.1.5 ok\r\n"
        if verb == b"DATA":
            if not self.rcpt:
                return b"503 5.5.1 RCPT first\r\n"
            self.in_data, self.searched = True, 0
            return b"354 go ahead\r\n"
        if verb == b"RSET":
            self._reset()
            return b"250 2.0.0 ok\r\n"
        if verb in (b"NOOP", b"VRFY"):
            return b"252 2.0.0 ok\r\n" if verb == b"VRFY" else b"250 2.0.0 ok\r\n"
        return b"221 2.0.0 bye\r\n" if verb == b"QUIT" else b"502 5.5.1 not known here\r\n"

    def _mail(self, line: bytes) -> bytes:
        found = _PATH.match(line)
        if not self.greeted:
            return b"503 5.5.1 EHLO first\r\n"
        if self.mail_from is not None:
            return b"503 5.5.1 one at a time\r\n"
        if not found:
            return b"501 5.1.7 bad address\r\n"
        self.mail_from = found[1].decode("utf-8", "replace")
        return b"250 2.1.0 ok\r\n"

    def _take_data(self, replies: list[bytes]) -> bool:
        """Take one whole mail out of the buffer; False when more has to come."""
        buffer = self.buffer
        if buffer[:3] == b".\r\n":
            raw, rest = b"", 3
        else:
            end = buffer.find(b"\r\n.\r\n", max(0, self.searched - 4))
            if end < 0:
                self.searched = len(buffer)
                if len(buffer) > MAX_SIZE:
                    self.transport.write(b"552 5.3.4 too big\r\n")
                    self.transport.close()
                return False
            raw, rest = bytes(buffer[: end + 2]), end + 5
        del buffer[:rest]
        if raw[:1] == b".":
            raw = raw[1:]
        raw = raw.replace(b"\r\n.", b"\r\n")
        if replies:
            self.transport.write(b"".join(replies))
            replies.clear()
        self.in_data, self.busy = False, True
        self._decide(raw)
        return True

    def _decide(self, raw: bytes) -> None:
        faults, chance = self.sink.faults, self.sink.chance
        mail = Mail(self.mail_from or "", self.rcpt, raw)
        self._reset()
        if faults.reject and chance.random() < faults.reject:
            self._answer(b"%d %d.3.0 refused on purpose\r\n" % (faults.reject_code, faults.reject_code // 100))
        elif faults.drop_unkept and chance.random() < faults.drop_unkept:
            self.transport.abort()
        elif faults.drop and chance.random() < faults.drop:
            self.sink.keep(Mail(mail.mail_from, mail.rcpt, raw, fault="dropped"), lambda _: self.transport.abort())
        else:
            self.sink.keep(mail, self._answer)

    def _answer(self, reply: bytes) -> None:
        if self.sink.faults.delay:
            asyncio.get_running_loop().call_later(self.sink.faults.delay, self._answer_now, reply)
        else:
            self._answer_now(reply)

    def _answer_now(self, reply: bytes) -> None:
        self.busy = False
        if not self.transport.is_closing():
            self.transport.write(reply)
            if self.buffer:
                self._work()


async def serve(directory: Path, host: str, port: int, faults: Faults, *, quiet: bool = False) -> None:
    """Run until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    log = SinkLog(directory)
    sink = Sink(log, faults)
    server = await loop.create_server(lambda: Session(sink), host, port, backlog=512)
    address = server.sockets[0].getsockname()
    if not quiet:
        print(f"mail sink on {address[0]}:{address[1]}, {log.count} mails in {directory}", flush=True)  # noqa: T201
    await stopped.wait()
    server.close()
    sink.flush()
    log.close()


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the program and of `manage.py sink`."""
    parser.add_argument("--directory", type=Path, required=True, help="where mails and their log are kept")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=1025, help="0 takes a free one")
    parser.add_argument("--reject", type=float, default=0.0, metavar="SHARE", help="refuse this share of mails")
    parser.add_argument("--reject-code", type=int, default=451, choices=(421, 450, 451, 452, 550, 552, 554))
    parser.add_argument(
        "--drop", type=float, default=0.0, metavar="SHARE", help="keep this share, but hang up unanswered"
    )
    parser.add_argument(
        "--drop-unkept", type=float, default=0.0, metavar="SHARE", help="hang up unanswered, keep nothing"
    )
    parser.add_argument("--delay", type=float, default=0.0, metavar="SECONDS", help="wait before answering DATA")
    parser.add_argument("--quiet", action="store_true", help="print no address")
    parser.add_argument("--seed", type=int, default=1, help="makes the faults repeatable")


def run(options: argparse.Namespace) -> None:
    """Serve with parsed options."""
    faults = Faults(options.reject, options.reject_code, options.drop, options.drop_unkept, options.delay, options.seed)
    try:
        asyncio.run(serve(options.directory, options.host, options.port, faults, quiet=options.quiet))
    except BlockingIOError:
        raise SystemExit(f"error: another sink writes to {options.directory}") from None
    except OSError as error:
        raise SystemExit(f"error: cannot serve on {options.host}:{options.port}: {error.strerror}") from None


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    add_options(arguments)
    run(arguments.parse_args())
