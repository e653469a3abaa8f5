"""A large HTTP download: one response that goes on until it is told to end, and the checksum of all of it."""

import asyncio
from dataclasses import dataclass, field
from hashlib import sha256, shake_256
from typing import Any, Final

BLOCK: Final = 16_384
"""Bytes sent at a time. No two blocks are alike, so none can be lost or repeated unseen."""
INTERVAL: Final = 0.04
"""Seconds between two blocks: 400 kB a second."""
CONNECT_TIMEOUT: Final = 10.0

_REQUEST: Final = b"GET /large HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n"
_RESPONSE: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nConnection: close\r\n\r\n"
_BLANK: Final = b"\r\n\r\n"


def block(number: int) -> bytes:
    """The block of that number: the same on every machine."""
    return shake_256(number.to_bytes(8)).digest(BLOCK)


@dataclass(slots=True)
class Body:
    """What one side has of a response's body."""

    length: int = 0
    closed: str = ""
    """Why it ended; empty: it goes on."""
    _sum: Any = field(default_factory=sha256)

    def add(self, data: bytes) -> None:
        """More of it."""
        self.length += len(data)
        self._sum.update(data)

    def answer(self) -> dict[str, Any]:
        """Bytes, their SHA-256 in hexadecimal, and why it ended."""
        return {"bytes": self.length, "sha256": self._sum.hexdigest(), "closed": self.closed}


class DownloadServer:
    """Answers every request with blocks until :meth:`finish`; the body is that of the last request."""

    def __init__(self) -> None:
        self.body = Body()
        self._finished = asyncio.Event()

    async def start(self, host: str, port: int) -> int:
        """Listen; the port."""
        listener = await asyncio.start_server(self._respond, host, port)
        return int(listener.sockets[0].getsockname()[1])

    def finish(self) -> dict[str, Any]:
        """Send no more blocks, and say what was sent."""
        self._finished.set()
        return self.body.answer()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = self.body = Body()
        try:
            await reader.readuntil(_BLANK)
            writer.write(_RESPONSE)
            number = 0
            while not self._finished.is_set():
                body.add(data := block(number))
                writer.write(data)
                await writer.drain()
                await asyncio.sleep(INTERVAL)
                number += 1
            body.closed = "finished"
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            body.closed = str(error)
        finally:
            writer.close()


async def download(host: str, port: int, body: Body) -> None:
    """Get it, into ``body``, until the server ends it or something else does."""
    writer = None
    try:
        connecting = asyncio.open_connection(host, port)
        reader, writer = await asyncio.wait_for(connecting, CONNECT_TIMEOUT)
        writer.write(_REQUEST)
        head = await reader.readuntil(_BLANK)
        if not head.startswith(b"HTTP/1.1 200 "):
            body.closed = f"the server answered {head.splitlines()[0].decode('ascii', 'replace')}"
            return
        while data := await reader.read(1 << 16):
            body.add(data)
        body.closed = "finished"
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        body.closed = str(error) or "no answer"
    finally:
        if writer is not None:
            writer.close()
