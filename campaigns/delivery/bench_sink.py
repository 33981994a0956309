"""The fastest mail sink that Python allows, for `bench send`: takes everything, keeps nothing, counts.

Runs as a process of its own (`python -m campaigns.delivery.bench_sink`), prints its port, answers NOOP with the number
of mails it took. About 20 us of CPU per mail of 12 KB.
"""

import asyncio
import sys


class SinkProtocol(asyncio.Protocol):
    """One session; all answers to what came in one piece go out in one piece."""

    taken = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.pending = bytearray()
        self.in_data = False
        self.transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        pending = self.pending
        pending += data
        answers: list[bytes] = []
        start = 0
        while True:
            if self.in_data:
                end = pending.find(b"\r\n.\r\n", start)
                if end < 0:
                    break
                start = end + 5
                self.in_data = False
                SinkProtocol.taken += 1
                answers.append(b"250 2.0.0 taken\r\n")
                continue
            end = pending.find(b"\n", start)
            if end < 0:
                break
            answers.append(self.answer(bytes(pending[start : start + 4]).upper()))
            start = end + 1
        del pending[:start]
        if answers:
            self.transport.write(b"".join(answers))

    def answer(self, verb: bytes) -> bytes:
        if verb == b"DATA":
            self.in_data = True
            return b"354 go on\r\n"
        if verb == b"EHLO":
            return b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 52428800\r\n"
        if verb == b"NOOP":
            return b"250 %d\r\n" % SinkProtocol.taken
        return b"250 2.0.0 ok\r\n"


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(SinkProtocol, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
