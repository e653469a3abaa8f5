"""A router without packets and neighbors, with N entries and a control socket, in a process of its own.

``python -m tests.bench.shell_router SOCKET N``. Says ``ready`` when it listens; answers a line of input with
the longest time that its reactor was kept from its other work since the last, in milliseconds.
"""

import sys
import time
from pathlib import Path
from typing import Any

from twisted.internet import reactor, stdio
from twisted.internet.task import LoopingCall
from twisted.protocols.basic import LineOnlyReceiver

from cli.shell import Shell
from snat.config.model import Configuration
from snat.net.control import ControlSocket
from snat.net.files import StateDirectory
from snat.net.service import RouterService
from tests.bench.codec import record
from tests.bench.router import NoPackets

TICK = 0.001
_BATCH = 10_000


class Watch(LineOnlyReceiver):
    """How late a tick comes, at most, since the last line of input; each line is answered by it."""

    delimiter = b"\n"

    def __init__(self) -> None:
        self._due = time.monotonic() + TICK
        self._worst = 0.0

    def connectionMade(self) -> None:
        """Begin."""
        LoopingCall(self._tick).start(TICK)
        self.sendLine(b"ready")

    def lineReceived(self, line: bytes) -> None:
        """Tell, and begin anew."""
        self.sendLine(f"{self._worst * 1000:.3f}".encode())
        self._worst = 0.0

    def connectionLost(self, reason: object = None) -> None:
        """End."""
        live: Any = reactor
        if live.running:
            live.stop()

    def _tick(self) -> None:
        now = time.monotonic()
        self._worst = max(self._worst, now - self._due)
        self._due = now + TICK


def main() -> None:
    """Run until the input ends."""
    live: Any = reactor
    path = Path(sys.argv[1])
    router = RouterService(
        Configuration(hostname="R1"),
        live,
        StateDirectory(None),
        ttl_step=1,
        datapath=lambda *_: NoPackets(),
    )
    count = int(sys.argv[2])
    for first in range(0, count, _BATCH):
        router.device.table.add([record(number) for number in range(first, min(count, first + _BATCH))])
    router.startService()
    ControlSocket(live, path, lambda _visitor: Shell(router, privileged=True)).startService()
    stdio.StandardIO(Watch())
    live.run()


if __name__ == "__main__":
    main()
