"""One router of a pair in a process of its own: real TLS on loopback, no packets; driven by lines of JSON.

``python -m tests.bench.router NAT_ID PORT OTHER_IDS OTHER_PORTS PKI [ADDRESS OTHER_ADDRESS]``, of several
others with commas. Reads commands from standard input: ``load N`` puts N entries into the table, ``add N
RATE`` adds N at RATE a second, one by one as a translator would, ``tell`` answers at once: each with one JSON
object of what the process has used so far. ``stamp FIRST N`` notes when each of the N entries from number
FIRST on is in the table, ``stamps`` answers with the times.
"""

import json
import resource
import sys
import time
from array import array
from collections.abc import Iterable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from twisted.internet import reactor, stdio
from twisted.internet.task import LoopingCall
from twisted.protocols.basic import LineOnlyReceiver

from snat.config.model import Configuration, ConfiguredRole, Group, Peer, Stateful, Trustpoint
from snat.net.files import StateDirectory
from snat.net.service import RouterService
from tests.bench.codec import FEED, record

ADDRESS = "127.0.0.1"


class NoPackets:
    """A data path without packets."""

    def start(self) -> None:
        """Nothing comes."""

    def stop(self) -> None:
        """Nothing came."""

    def claim(self, groups: Iterable[Group]) -> None:
        """Nobody asks."""

    def configure(self, configuration: Configuration, managed: Iterable[Group]) -> None:
        """Nothing depends on it."""

    def flush(self) -> None:
        """Nothing waits."""

    def take(self, link: str, addresses: tuple[IPv4Address, ...]) -> None:
        """Nobody asks."""

    def leave(self, link: str) -> None:
        """Nobody asked."""

    def counters(self) -> dict[str, dict[str, int]]:
        """None."""
        return {}


def configuration(
    nat_id: int, port: int, others: dict[int, int], pki: Path, near: str = ADDRESS, far: str = ADDRESS
) -> Configuration:
    """A member of a group, on loopback if no addresses are given; the ports of the others by id."""
    name = f"r{nat_id}.example"
    group = Group(
        role=ConfiguredRole.PRIMARY if nat_id == 1 else ConfiguredRole.BACKUP,
        address=IPv4Address(near),
        port=port,
        peers=tuple(
            Peer(address=IPv4Address(far), nat_id=other, name=f"r{other}.example", port=other_port)
            for other, other_port in others.items()
        ),
        mapping_ids=(FEED.mapping_id,),
        keepalive=1.0,
        hold_time=30.0,
    )
    files = [str(pki / one) for one in ("ca.pem", f"{name}.pem", f"{name}.key")]
    trustpoint = Trustpoint(name="T", ca_certificate=files[0], certificate=files[1], private_key=files[2])
    return Configuration(stateful=Stateful(nat_id=nat_id, groups=(group,)), trustpoint=trustpoint)


class Stamps:
    """A listener of the table: when entries of some numbers came, on the clock that all processes share."""

    def __init__(self, first: int, count: int) -> None:
        self._first = first
        self.times = array("q", bytes(8 * count))
        """Nanoseconds; 0: it has not come."""

    def changed(self, removed: list[bytes], added: list[bytes]) -> None:
        """They came; all others are not ours."""
        for one in added:
            at = int.from_bytes(one[4:12], "big") - self._first
            if 0 <= at < len(self.times):
                self.times[at] = time.monotonic_ns()


class Commands(LineOnlyReceiver):
    """Standard input and output."""

    delimiter = b"\n"

    def __init__(self, router: RouterService) -> None:
        self._router = router
        self._loaded = 0
        self._stamps = Stamps(0, 0)

    def lineReceived(self, line: bytes) -> None:
        """One command."""
        word, *numbers = line.split()
        if word == b"load":
            self._load(int(numbers[0]))
            self.tell()
        elif word == b"add":
            self._add(int(numbers[0]), int(numbers[1]))
        elif word == b"stamp":
            self._stamps = Stamps(int(numbers[0]), int(numbers[1]))
            self._router.device.table.listen(self._stamps)
            self.tell()
        elif word == b"stamps":
            self._router.device.table.unlisten(self._stamps)
            self.sendLine(json.dumps({"times": list(self._stamps.times)}).encode())
        else:
            self.tell()

    def connectionLost(self, reason: object = None) -> None:
        """The benchmark ended."""
        live: Any = reactor
        if live.running:
            live.stop()

    def tell(self, **more: float) -> None:
        """What is so now, and what the command has found."""
        (group,) = self._router.device.groups
        usage = resource.getrusage(resource.RUSAGE_SELF)
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
        links = [link for neighbor in group.neighbors for link in neighbor.links()]
        said = {
            "now": time.monotonic(),
            "loaded": self._loaded,
            "standing": group.standing.name,
            "synchronised": group.synchronised and group.manager != 0,
            "entries": len(self._router.device.table),
            "cpu": usage.ru_utime + usage.ru_stime,
            "resident": resident,
            "bytes_out": sum(link.bytes_out for link in links),
            **more,
        }
        self.sendLine(json.dumps(said).encode())

    def _load(self, count: int) -> None:
        table = self._router.device.table
        for _ in range(0, count, 1000):
            table.add([record(self._loaded + n) for n in range(1000)])
            self._loaded += 1000
        self._router.pump()

    def _add(self, count: int, rate: int) -> None:
        """In steps of a millisecond or more, as packets that were read at once."""
        records = [record(self._loaded + n) for n in range(count)]
        table, begin, done = self._router.device.table, time.monotonic(), 0
        self._loaded += count

        def step() -> None:
            nonlocal done
            due = min(count, int((time.monotonic() - begin) * rate))
            for one in records[done:due]:
                table.insert(one)
            done = due
            self._router.heed()
            if done == count:
                loop.stop()
                self.tell(took=time.monotonic() - begin)

        loop = LoopingCall(step)
        loop.start(0.001)


def main() -> None:
    """Run until standard input ends."""
    nat_id, port = map(int, sys.argv[1:3])
    others = dict(zip(*(map(int, word.split(",")) for word in sys.argv[3:5]), strict=True))
    live: Any = reactor
    router = RouterService(
        configuration(nat_id, port, others, Path(sys.argv[5]), *sys.argv[6:8]),
        live,
        StateDirectory(None),
        ttl_step=1,
        datapath=lambda device, done: NoPackets(),
    )
    live.callWhenRunning(router.startService)
    live.addSystemEventTrigger("before", "shutdown", router.stopService)
    stdio.StandardIO(Commands(router))
    live.run()


if __name__ == "__main__":
    main()
