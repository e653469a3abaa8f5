"""Network namespaces for live tests: made with a name of their own, and removed whatever happens."""

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pyroute2.netns import setns

PREFIX = "snt-"


@dataclass
class Namespace:
    """One host of a live test."""

    name: str
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def ip(self, *arguments: str) -> str:
        """Run ``ip`` in it."""
        return _run("ip", "-n", self.name, *arguments)

    def run(self, *command: str) -> str:
        """Run a command in it and return what it printed; raises if it fails."""
        return _run("ip", "netns", "exec", self.name, *command)

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a process in it that speaks lines; it is killed at the latest with the namespace."""
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.name, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.processes.append(process)
        return process

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be in it with this thread: sockets opened now belong to it for good, as do TUNs."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            setns(self.name, flags=0)
            yield
        finally:
            setns(home)
            os.close(home)

    def sysctl(self, name: str) -> str:
        """A sysctl by its path below ``net``."""
        with self.entered():
            return (Path("/proc/sys/net") / name).read_text().strip()


@contextmanager
def namespaces(*hosts: str) -> Iterator[list[Namespace]]:
    """New namespaces, one per host, with loopback up."""
    token = secrets.token_hex(3)
    with ExitStack() as undo:
        made = []
        for host in hosts:
            namespace = Namespace(f"{PREFIX}{token}-{host}")
            _run("ip", "netns", "add", namespace.name)
            undo.callback(_remove, namespace)
            namespace.ip("link", "set", "lo", "up")
            made.append(namespace)
        yield made


def cable(one: Namespace, interface: str, other: Namespace, other_interface: str) -> None:
    """Join two namespaces by a veth pair, up."""
    peer = ("peer", "name", other_interface, "netns", other.name)
    one.ip("link", "add", interface, "type", "veth", *peer)
    one.ip("link", "set", interface, "up")
    other.ip("link", "set", other_interface, "up")


def _remove(namespace: Namespace) -> None:
    for process in namespace.processes:
        process.kill()
        process.communicate()
    _run("ip", "netns", "del", namespace.name)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.stderr or done.stdout}")
    return done.stdout
