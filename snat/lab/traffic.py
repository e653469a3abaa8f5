"""Real traffic: ``python -m snat.lab.traffic server|client``, run in the namespaces of a laboratory.

The client opens TCP connections that carry numbered bytes both ways for as long as they live, and sends
UDP probes that the server echoes with the address it saw; it may also ping, and download by HTTP. Both obey
JSON lines on standard input and answer with JSON lines on standard output; they end when standard input
does, or after ``--seconds``.

Times are CLOCK_MONOTONIC, which all processes of a machine share.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from struct import Struct
from typing import Any, Final, cast

from snat.lab.download import Body, DownloadServer, download
from snat.lab.ends import FlowEnd
from snat.lab.ping import Pinger
from snat.lab.stream import MAXIMUM_FLOWS, Direction, StreamCheck, numbered

CHUNK: Final = 256
"""Bytes a flow sends at a time."""
PACE: Final = 0.0025
"""Seconds between two chunks of all flows together: 400 packets a second each way, however many flows."""
PROBE_INTERVAL: Final = 0.01
PROBES_KEPT: Final = 60_000
"""Ten minutes of probes; a laboratory that is left running for longer is not measured any more."""
CONNECT_TIMEOUT: Final = 10.0

_HELLO: Final = Struct(">H")
_PROBE: Final = Struct(">Q")

Answer = dict[str, Any]


def _text(address: Any) -> str:
    return f"{address[0]}:{address[1]}" if address else ""


class NumberedFlow(asyncio.Protocol):
    """One end of a TCP connection that sends numbered bytes and checks those that arrive."""

    def __init__(self, *, outward: Direction, inward: Direction, interval: float, flow: int = 0) -> None:
        self._outward = outward
        self._interval = interval
        self._sent = 0
        self._paused = False
        self._hello = b""
        self._local = self._remote = ""
        self._closed = ""
        self._transport: asyncio.Transport | None = None
        self._check = StreamCheck(flow=flow, direction=inward)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say which flow this is (the client only), and begin to send."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._local = _text(transport.get_extra_info("sockname"))
        self._remote = _text(transport.get_extra_info("peername"))
        if self._outward is Direction.UP:
            transport.write(_HELLO.pack(self._check.flow))
            self._send()

    def data_received(self, data: bytes) -> None:
        """Check what arrived; the server first learns which flow it is."""
        if self._outward is Direction.DOWN and len(self._hello) < _HELLO.size:
            missing = _HELLO.size - len(self._hello)
            self._hello, data = self._hello + data[:missing], data[missing:]
            if len(self._hello) < _HELLO.size:
                return
            (self._check.flow,) = _HELLO.unpack(self._hello)
            self._send()
        self._check.receive(data)

    def pause_writing(self) -> None:
        """The path is stuck: number no more bytes than it takes."""
        self._paused = True

    def resume_writing(self) -> None:
        """The path takes bytes again."""
        self._paused = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Remember why: a flow that ends before its laboratory does is lost."""
        self._closed = str(exc) if exc else "closed by the other end"

    def refuse(self, reason: str) -> None:
        """The connection never came to be."""
        self._closed = reason

    def end(self) -> FlowEnd:
        """This end, now."""
        return FlowEnd(
            flow=self._check.flow,
            local=self._local,
            remote=self._remote,
            received=self._check.position,
            missing=self._check.missing,
            fault=self._check.fault,
            closed=self._closed,
        )

    def _send(self) -> None:
        if self._closed or self._transport is None:
            return
        if not self._paused:
            self._transport.write(numbered(self._check.flow, self._outward, self._sent, CHUNK))
            self._sent += CHUNK
        asyncio.get_running_loop().call_later(self._interval, self._send)


class Echo(asyncio.DatagramProtocol):
    """The server of the probes: sends each back with the address and port it came from."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to answer."""
        self._transport = cast("asyncio.DatagramTransport", transport)  # in 3.11 a sibling of that class

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Echo one probe."""
        self._transport.sendto(data[: _PROBE.size] + _text(addr).encode(), addr)


class Prober(asyncio.DatagramProtocol):
    """Sends a numbered probe every 10 ms and notes when each answer came, and what address it names."""

    def __init__(self) -> None:
        self._sent = 0
        self._answered: dict[int, float] = {}
        self._outside: list[str] = []
        self._local = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to probe."""
        self._transport = cast("asyncio.DatagramTransport", transport)  # in 3.11 a sibling of that class
        self._local = _text(transport.get_extra_info("sockname"))
        self._next = asyncio.get_running_loop().time()
        self._send()

    def datagram_received(self, data: bytes, addr: Any) -> None:  # noqa: ARG002
        """Note the first answer to a probe."""
        if len(data) < _PROBE.size:
            return
        (number,) = _PROBE.unpack_from(data)
        self._answered.setdefault(number, time.monotonic())
        if (seen := data[_PROBE.size :].decode("ascii", "replace")) not in self._outside:
            self._outside.append(seen)

    def error_received(self, exc: Exception) -> None:
        """An ICMP error in answer to a probe: the probe is unanswered, the next is sent as always."""

    def answer(self) -> Answer:
        """What is known of the probes: times of answers, outside addresses seen, in the order seen."""
        return {
            "sent": self._sent,
            "arrivals": list(self._answered.values()),
            "outside": self._outside,
            "local": self._local,
        }

    def _send(self) -> None:
        if self._sent >= PROBES_KEPT or self._transport.is_closing():
            return
        self._transport.sendto(_PROBE.pack(self._sent))
        self._sent += 1
        self._next += PROBE_INTERVAL
        asyncio.get_running_loop().call_at(self._next, self._send)


class Server:
    """The outside host."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._flows: list[NumberedFlow] = []
        self._download = DownloadServer()

    async def start(self) -> Answer:
        """Listen; the answer names the ports."""
        loop = asyncio.get_running_loop()
        host, port = self._options.address, self._options.port
        listener = await loop.create_server(self._accept, host, port, backlog=1024)
        echo, _ = await loop.create_datagram_endpoint(Echo, (host, port))
        tcp = listener.sockets[0].getsockname()[1]
        http = await self._download.start(host, self._options.http_port)
        return {"tcp": tcp, "udp": echo.get_extra_info("sockname")[1], "http": http}

    def _accept(self) -> NumberedFlow:
        interval = max(1, self._options.flows) * PACE
        flow = NumberedFlow(outward=Direction.DOWN, inward=Direction.UP, interval=interval)
        self._flows.append(flow)
        return flow

    def flows(self) -> list[NumberedFlow]:
        """All connections that ever arrived."""
        return self._flows

    def answers(self) -> Mapping[str, Callable[..., Answer]]:
        """The questions that only the server answers."""
        return {"finish": self._download.finish, "download": lambda: self._download.body.answer()}


class Client:
    """The inside host."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._flows: list[NumberedFlow] = []
        self._prober = Prober()
        self._pinger = Pinger(options.address) if options.ping else None
        self._body = Body()
        self._download: asyncio.Task[None] | None = None
        self._opening: asyncio.Task[None] | None = None

    async def start(self) -> Answer:
        """Connect all flows at once, then probe; the answer comes when each has connected or failed."""
        options = self._options
        await self._open(options.flows)
        await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self._prober, remote_addr=(options.address, options.udp_port or options.port)
        )
        if options.http_port:
            self._download = asyncio.create_task(download(options.address, options.http_port, self._body))
        if self._pinger is not None:
            self._pinger.start()
        return {"connected": sum(not flow.end().closed for flow in self._flows)}

    async def _open(self, count: int) -> None:
        first = len(self._flows)
        await asyncio.gather(*(self._connect(first + place) for place in range(count)))

    async def _connect(self, place: int) -> None:
        options = self._options
        number = options.first_flow + place
        flow = NumberedFlow(
            outward=Direction.UP, inward=Direction.DOWN, interval=options.flows * PACE, flow=number
        )
        self._flows.append(flow)
        source = ("0.0.0.0", options.first_port + place) if options.first_port else None  # noqa: S104
        connecting = asyncio.get_running_loop().create_connection(
            lambda: flow, options.address, options.port, local_addr=source
        )
        try:
            await asyncio.wait_for(connecting, CONNECT_TIMEOUT)
        except (OSError, TimeoutError) as error:
            flow.refuse(f"never connected: {error or 'no answer'}")

    def _open_more(self, count: int = 0) -> Answer:
        """Begin to open more connections; whether they come to be is in the answer to ``flows``."""
        self._opening = asyncio.create_task(self._open(count))
        return {"opening": count}

    def flows(self) -> list[NumberedFlow]:
        """All flows, connected or not."""
        return self._flows

    def answers(self) -> Mapping[str, Callable[..., Answer]]:
        """The questions that only the client answers."""
        return {
            "probes": self._prober.answer,
            "download": self._body.answer,
            "open": self._open_more,
            **({"ping": self._pinger.answer} if self._pinger is not None else {}),
        }


async def _converse(host: Server | Client, seconds: float) -> None:
    """Start, then answer questions until standard input ends or the time is up."""
    _tell(await host.start())
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    answers: dict[str, Callable[..., Answer]] = {
        "flows": lambda: {"flows": [asdict(flow.end()) for flow in host.flows()]},
        **host.answers(),
    }
    async with asyncio.timeout(seconds):
        while line := await reader.readline():
            asked = json.loads(line)
            _tell(answers[asked.pop("ask")](**asked))


def _tell(answer: Answer) -> None:
    print(json.dumps(answer), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="snat.lab.traffic", description="Traffic of the laboratory.")
    parser.add_argument("host", choices=("server", "client"))
    parser.add_argument("--address", required=True, help="the server's address")
    parser.add_argument("--port", type=int, default=0, help="the server's TCP (and UDP) port")
    parser.add_argument("--udp-port", type=int, default=0, help="the server's UDP port, if another")
    parser.add_argument("--first-flow", type=int, default=1, help="the number of the client's first flow")
    parser.add_argument("--http-port", type=int, default=0, help="the server's HTTP port; client: 0: none")
    parser.add_argument("--ping", action="store_true", help="the client pings, too (needs root)")
    parser.add_argument("--flows", type=int, default=20, help="TCP connections")
    parser.add_argument("--first-port", type=int, default=0, help="the client's first source port; 0: any")
    parser.add_argument("--seconds", type=float, default=120.0, help="end after so long, whatever happens")
    options = parser.parse_args()
    if not 1 <= options.flows <= MAXIMUM_FLOWS:
        parser.error(f"--flows must be 1 to {MAXIMUM_FLOWS}")
    return options


def main() -> None:
    """Be the client or the server until told, or until the time is up."""
    options = _options()
    host = Server(options) if options.host == "server" else Client(options)
    try:
        asyncio.run(_converse(host, options.seconds))
    except TimeoutError:
        sys.exit(f"{options.host}: {options.seconds:g} seconds are up")


if __name__ == "__main__":
    main()
