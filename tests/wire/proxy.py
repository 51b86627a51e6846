"""A TCP proxy that spoils what passes: in front of S3, Globus, PostgreSQL or Redis. A process of its own.

    python -m tests.wire.proxy <host> <port>        (host "/folder": PostgreSQL's socket there)

It tells its port on the first line of its output; each line of JSON on its input plants a fault, or ends all of them. A
request is what a client sends before the next answer; a fault takes the first request in which its `match`, a regular expression, is found.
"""

import asyncio
import json
import random
import re
import socket
import struct
import sys
from dataclasses import dataclass, field
from typing import Any

PIECE = 1 << 16
KINDS = ("drop", "truncate", "cut", "half_close", "delay", "instead", "after_effect")
ASK_LATER = "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nConnection: close\r\n{more}\r\n"
SERVER_ERROR = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass
class Fault:
    """What happens to a request, or to its answer.

    drop          the answer ends after `after` bytes of it, by a reset (0: the effect happened, the answer is lost)
    truncate      the same, by an orderly end
    cut           the request ends after `after` bytes of it, by a reset
    half_close    the server is told that nothing more comes after `after` bytes of the request
    delay         each piece of the answer waits for `seconds`
    instead       `answer` is said instead, the server hears nothing
    after_effect  the server does it, and `answer` is said instead of what it answers
    """

    kind: str
    match: str = ""
    times: int | None = 1
    skip: int = 0
    after: int = 0
    seconds: float = 0.0
    answer: str = SERVER_ERROR

    def takes(self, request: bytes) -> bool:
        """Whether this request is its next one."""
        if self.times == 0 or not re.search(self.match.encode(), request):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times = None if self.times is None else self.times - 1
        return True


@dataclass
class Weather:
    """Random faults: each request meets one with probability `rate`."""

    seed: int
    rate: float
    kinds: list[str]
    seconds: float = 0.05
    farthest: int = 3_000
    """No answer or request gets farther than so many bytes before it ends."""
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    def fault(self) -> Fault | None:
        """The next request's."""
        if self.dice.random() >= self.rate:
            return None
        kind, answer = self.dice.choice(self.kinds), SERVER_ERROR
        if kind == "instead":
            answer = ASK_LATER.format(more=self.dice.choice(["", "Retry-After: 1\r\n"]))
        return Fault(kind, after=self.dice.randrange(self.farthest), seconds=self.seconds, answer=answer)


class Proxy:
    """What is planted, and what was done."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.faults: list[Fault] = []
        self.weather: Weather | None = None
        self.hits: dict[str, int] = {}

    def command(self, said: dict[str, Any]) -> dict[str, int]:
        """One line of the input; answers with how often each kind struck so far."""
        if "plant" in said:
            self.faults.append(Fault(**said["plant"]))
        if "weather" in said:
            self.weather = Weather(**said["weather"])
        if said.get("heal"):
            self.faults, self.weather = [], None
        return self.hits

    def fault_for(self, request: bytes) -> Fault | None:
        """What this request meets."""
        found = next((fault for fault in self.faults if fault.takes(request)), None)
        if found is None and self.weather is not None:
            found = self.weather.fault()
        if found is not None:
            self.hits[found.kind] = self.hits.get(found.kind, 0) + 1
        return found

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            if self.host.startswith("/"):
                up = await asyncio.open_unix_connection(f"{self.host}/.s.PGSQL.{self.port}")
            else:
                up = await asyncio.open_connection(self.host, self.port)
        except OSError:
            reset(writer)
            return
        link = Link(self, (reader, writer), up)
        both = [asyncio.ensure_future(one) for one in (link.upwards(), link.downwards())]
        await asyncio.wait(both, return_when=asyncio.FIRST_EXCEPTION)
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        for end in (writer, up[1]):
            end.close()


class Ended(Exception):
    """A fault has ended the connection."""


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Link:
    """A client and the server, and which fault the request under way has met."""

    def __init__(self, proxy: Proxy, client: Streams, server: Streams) -> None:
        self.proxy, self.client, self.server = proxy, client, server
        self.fault: Fault | None = None
        self.asking, self.asked, self.answered = False, 0, 0

    async def upwards(self) -> None:
        """From the client to the server."""
        while data := await self.client[0].read(PIECE):
            if not self.asking:
                self.asking, self.asked, self.answered = True, 0, 0
                self.fault = self.proxy.fault_for(data)
            fault = self.fault
            if fault is not None and fault.kind == "instead":
                await self.say(fault.answer)
            if fault is not None and fault.kind in {"cut", "half_close"} and self.asked + len(data) > fault.after:
                await pass_on(self.server[1], data[: max(0, fault.after - self.asked)])
                await self.end_of(fault)
                continue
            self.asked += len(data)
            await pass_on(self.server[1], data)
        self.server[1].write_eof()

    async def end_of(self, fault: Fault) -> None:
        """The server hears no more of this client."""
        if fault.kind == "cut":
            reset(self.server[1])
            reset(self.client[1])
            raise Ended
        if self.server[1].can_write_eof() and not self.server[1].is_closing():
            self.server[1].write_eof()
        fault.after = sys.maxsize
        while await self.client[0].read(PIECE):
            pass

    async def downwards(self) -> None:
        """From the server to the client."""
        while data := await self.server[0].read(PIECE):
            self.asking = False
            fault = self.fault
            if fault is not None:
                data = await self.spoiled(fault, data)
            self.answered += len(data)
            await pass_on(self.client[1], data)
        self.client[1].close()
        raise Ended

    async def spoiled(self, fault: Fault, data: bytes) -> bytes:
        """What the client gets of a piece of the answer."""
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        if fault.kind == "after_effect":
            await self.say(fault.answer)
        if fault.kind in {"drop", "truncate"} and self.answered + len(data) > fault.after:
            await pass_on(self.client[1], data[: max(0, fault.after - self.answered)])
            if fault.kind == "drop":
                reset(self.client[1])
            raise Ended
        return data

    async def say(self, answer: str) -> None:
        """Answer in the server's place, and end."""
        await pass_on(self.client[1], answer.encode())
        self.client[1].close()
        raise Ended


async def pass_on(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Write all of it."""
    writer.write(data)
    await writer.drain()


def reset(writer: asyncio.StreamWriter) -> None:
    """End by RST, not by FIN."""
    found = writer.get_extra_info("socket")
    if found is not None and found.family == socket.AF_INET:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def main() -> None:
    """See the module."""
    proxy = Proxy(sys.argv[1], int(sys.argv[2]))
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        sys.stdout.write(json.dumps(proxy.command(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
