"""An SMTP server that can be told to misbehave, in the event loop of the test."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Script = Callable[["Session", str], bytes | None]


@dataclass
class Server:
    """`features` after EHLO; `script(session, line)` may answer a command in place of the server, `body` the final dot.

    An answer of b"" says nothing at all, DROP cuts the connection.
    """

    features: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SIZE 1000000")
    script: Script | None = None
    on_body: Callable[["Session", bytes], bytes] | None = None
    mails: list[tuple[str, bytes]] = field(default_factory=list)
    sessions: int = 0
    commands: list[str] = field(default_factory=list)
    port: int = 0


DROP = b"DROP"


class Session:
    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.recipient = ""
        self.refused = False
        self.number = server.sessions
        server.sessions += 1

    async def run(self) -> None:
        self.writer.write(b"220 here\r\n")
        while line := await self.reader.readline():
            text = line.decode().rstrip()
            self.server.commands.append(text)
            answer = self.server.script(self, text) if self.server.script else None
            if answer is None:
                answer = self.answer(text)
            elif text.startswith(("MAIL", "RCPT")):
                self.refused = True
            if not await self.say(answer):
                return
            if answer.startswith(b"354") and not await self.take_body():
                return

    async def take_body(self) -> bool:
        body = b""
        while (line := await self.reader.readline()) != b".\r\n":
            if not line:
                return False
            body += line
        answer = b"250 2.0.0 taken\r\n"
        if self.server.on_body:
            answer = self.server.on_body(self, body)
        if answer.startswith(b"2"):
            self.server.mails.append((self.recipient, body))
        return await self.say(answer)

    def answer(self, text: str) -> bytes:
        verb = text.split(" ")[0].upper()
        if verb in ("MAIL", "RSET", "EHLO"):
            self.refused = False
        elif self.refused:
            return b"503 5.5.1 out of order\r\n"
        if verb == "EHLO":
            lines = ["here", *self.server.features]
            return b"".join(
                f"250{'-' if place < len(lines) - 1 else ' '}{line}\r\n".encode() for place, line in enumerate(lines)
            )
        if verb == "RCPT":
            self.recipient = text.partition("<")[2].partition(">")[0]
        return b"354 go\r\n" if verb == "DATA" else b"250 2.0.0 ok\r\n"

    async def say(self, answer: bytes) -> bool:
        if answer == DROP:
            self.writer.transport.abort()
            return False
        self.writer.write(answer)
        await self.writer.drain()
        return True


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[Server]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            await Session(server, reader, writer).run()
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**20)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
