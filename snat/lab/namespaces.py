"""Network namespaces of a laboratory: made, and removed whatever happens.

A laboratory is a directory ``/run/snat-lab/<id>`` whose lock file its process holds; its namespaces are
named ``snt-<id>-<host>``. The kernel drops the lock with the process, so a lock that can be had belongs
to a dead laboratory, and what is left of that one is removed before the next is built.
"""

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from snat.lab.errors import LabError
from snat.lab.process import wait_for
from snat.lab.topology import Port, Topology

RUNS: Final = Path("/run/snat-lab")
NAMESPACES: Final = Path("/run/netns")
PREFIX: Final = "snt-"
_WHOLE: Final = "br0"
_PARTED: Final = "br1"
"""In the namespace of every bridged segment, for the hosts that a partition cuts off."""
_SIGNALS: Final = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


@contextmanager
def claimed(root: Path = RUNS) -> Iterator[Path]:
    """A directory for one laboratory, named by its id; gone afterwards, with its namespaces."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory, lock = _claim(root)
    try:
        yield directory
    finally:
        with _undisturbed():
            _remove(directory)
            os.close(lock)


def remove_leftovers(root: Path = RUNS) -> list[str]:
    """Remove what dead laboratories left; their ids. A running laboratory is not touched."""
    removed = []
    for directory in sorted(root.iterdir()) if root.exists() else ():
        if (lock := _lock(directory)) is not None:
            _remove(directory)
            os.close(lock)
            removed.append(directory.name)
    return removed


def _claim(root: Path) -> tuple[Path, int]:
    """A new directory and its held lock."""
    while True:
        directory = root / secrets.token_hex(3)
        try:
            directory.mkdir(mode=0o700)
        except FileExistsError:
            continue
        if (lock := _lock(directory)) is not None:
            return directory, lock


def _lock(directory: Path) -> int | None:
    """Hold the lock of ``directory``; None if another does, or if the directory has just gone."""
    try:
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if (directory / "lock").stat().st_ino == os.fstat(lock).st_ino:
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass  # held by its laboratory, or removed between open and lock by another that starts
    os.close(lock)
    return None


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold back Ctrl-C and its like, so that a second one does not interrupt the cleaning up."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _remove(directory: Path) -> None:
    """Remove a laboratory's processes, namespaces and files, whichever of them exist."""
    for namespace in NAMESPACES.glob(f"{PREFIX}{directory.name}-*"):
        _empty(namespace.name)
        _ip("netns", "del", namespace.name)
    shutil.rmtree(directory)


def _empty(namespace: str) -> None:
    """Kill what runs in a namespace, and wait until it is gone."""

    def killed() -> bool | None:
        pids = [int(pid) for pid in _ip("netns", "pids", namespace).split()]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return None if pids else True

    wait_for(killed, seconds=5, failure=lambda: f"processes in {namespace} survive kill -9")


def _ip(*arguments: str, stdin: str = "") -> str:
    """Run iproute2; :class:`LabError` with its complaint if it fails."""
    command = ["ip", *arguments]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise LabError("the laboratory needs `ip`: apt-get install iproute2") from None
    if done.returncode:
        raise LabError(f"{' '.join(command)} failed: {done.stderr.strip()}\n{stdin}".rstrip())
    return done.stdout


class Network:
    """The namespaces, links and addresses of one topology. Who claimed the directory removes them."""

    def __init__(self, topology: Topology, directory: Path) -> None:
        """``directory`` is the laboratory's; its name is the laboratory's id."""
        self.topology = topology
        self.directory = directory
        self._identity = directory.name

    def namespace(self, host: str) -> str:
        """The name of a host's (or a bridge's) namespace."""
        return f"{PREFIX}{self._identity}-{host}"

    def inside(self, host: str) -> tuple[str, ...]:
        """The beginning of a command that is to run on ``host``."""
        return ("ip", "netns", "exec", self.namespace(host))

    def build(self) -> None:
        """Make namespaces and links, then give every host its addresses and routes."""
        _ip("-batch", "-", stdin=_lines(self._links()))
        for name in self.topology.bridges:
            self._configure(name, self._bridge(name))
        for host in self.topology.hosts:
            self._configure(host, self._addresses(host))
            self._quieten(host)

    def set(self, host: str, setting: str) -> None:
        """A sysctl of a host, ``name=value``."""
        _ip("netns", "exec", self.namespace(host), "sysctl", "-qw", setting)

    def link(self, host: str, interface: str, *, up: bool) -> None:
        """Take a host's interface down, or up."""
        self._configure(host, [f"link set {interface} {'up' if up else 'down'}"])

    def part(self, segment: str, hosts: Iterable[str]) -> None:
        """Part a bridged segment: ``hosts`` reach each other and nobody else. No carrier is lost."""
        self._configure(segment, [f"link set {host} master {_PARTED}" for host in hosts])

    def heal(self, segment: str) -> None:
        """Make a segment whole that was parted."""
        self._configure(segment, [f"link set {port.host} master {_WHOLE}" for port in self._on(segment)])

    def _on(self, segment: str) -> tuple[Port, ...]:
        return self.topology.segments[segment]

    def _links(self) -> Iterator[str]:
        for host in (*self.topology.hosts, *self.topology.bridges):
            yield f"netns add {self.namespace(host)}"
        for name, ports in self.topology.segments.items():
            if name in self.topology.bridges:
                for port in ports:
                    yield self._cable(port.interface, port.host, port.host, name)
            else:
                near, far = ports
                yield self._cable(near.interface, near.host, far.interface, far.host)

    def _cable(self, interface: str, host: str, far_interface: str, far_host: str) -> str:
        return (
            f"link add {interface} netns {self.namespace(host)} type veth "
            f"peer name {far_interface} netns {self.namespace(far_host)}"
        )

    def _bridge(self, name: str) -> Iterator[str]:
        for bridge in (_WHOLE, _PARTED):
            yield f"link add {bridge} type bridge"
            yield f"link set {bridge} up"
        for port in self._on(name):
            yield f"link set {port.host} master {_WHOLE} up"

    def _addresses(self, host: str) -> Iterator[str]:
        yield "link set lo up"
        for port in self._ports(host):
            yield f"address add {port.address} dev {port.interface}"
            yield f"link set {port.interface} up"
        if gateway := self.topology.default_routes.get(host):
            yield f"route add default via {gateway}"

    def _ports(self, host: str) -> Iterator[Port]:
        return (port for ports in self.topology.segments.values() for port in ports if port.host == host)

    def _quieten(self, host: str) -> None:
        """No IPv6 (its discovery is noise in captures); routers forward."""
        settings = ["net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"]
        if host in self.topology.routers:
            settings.append("net.ipv4.ip_forward=1")
        _ip("netns", "exec", self.namespace(host), "sysctl", "-qw", *settings)

    def _configure(self, host: str, lines: Iterable[str]) -> None:
        _ip("-netns", self.namespace(host), "-batch", "-", stdin=_lines(lines))


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
