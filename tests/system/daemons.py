"""Real ``twistd`` daemons on loopback, started as the laboratory starts its routers."""

import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from snat.lab.capture import bundled_capture
from snat.lab.configuration import Member, router_text
from snat.lab.loopback import LOOPBACK, free_ports
from snat.lab.process import PYTHON, wait_for
from snat.lab.router import Router, ready

ENDING = 5.0
"""Seconds a daemon may take to end when it is asked to."""


class Daemon(Router):
    """A router whose end and whose shell can be looked at closely."""

    def log(self) -> list[str]:
        """Its log lines, without their dates."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return [line.partition("] ")[2] for line in lines]

    def terminate(self) -> int:
        """SIGTERM, as systemd sends it; the exit status."""
        assert self._program is not None
        process = self._program._process
        process.terminate()
        return process.wait(ENDING)

    def hang_up(self) -> None:
        """SIGHUP: read the certificates again."""
        assert self._program is not None
        self._program._process.send_signal(signal.SIGHUP)

    def cli(self, *commands: str) -> "subprocess.CompletedProcess[str]":
        """What ``snat-cli -c COMMAND...`` does."""
        options = [option for command in commands for option in ("-c", command)]
        shell = [*PYTHON, "-m", "cli.terminal", "--control", str(self.control), *options]
        return subprocess.run(shell, capture_output=True, text=True, timeout=10, check=False, cwd="/")

    def counters(self) -> dict[str, dict[str, int]]:
        """``show ip nat statistics``; empty while it does not answer."""
        rows = self.show("show ip nat statistics")
        return rows_by_subject(rows) if rows else {}


def rows_by_subject(rows: Any) -> dict[str, dict[str, int]]:
    """The counters of ``show ip nat statistics | json``."""
    said: dict[str, dict[str, int]] = rows["counters"] if isinstance(rows, dict) else rows[0]["counters"]
    return said


def members(roles: Sequence[tuple[str, int, str]]) -> list[Member]:
    """Members with free ports on loopback: host, NAT ID and role of each."""
    ports = free_ports(len(roles))
    return [
        Member(host=host, nat_id=nat_id, role=role, address=LOOPBACK, port=port)
        for (host, nat_id, role), port in zip(roles, ports, strict=True)
    ]


@contextmanager
def running(*daemons: Daemon) -> Iterator[None]:
    """Start them; whatever happens, they end."""
    with ExitStack() as ends:
        for daemon in daemons:
            ends.callback(daemon.stop)
            daemon.start()
        yield


def made(
    member: Member,
    others: Sequence[Member],
    certificates: Path,
    directory: Path,
    kind: type[Daemon] = Daemon,
) -> Daemon:
    """A daemon of a member that knows the others; it replays the bundled capture while it manages."""
    text = router_text(member, [member, *others], certificates=certificates, virtual_address=False)
    inside = directory / f"{member.host}-{member.nat_id}-in.pcap"
    inside.write_bytes(bundled_capture())
    return kind(
        member.host, text, directory=directory, captures=(inside, inside.with_name(f"{inside.stem}-out.pcap"))
    )


def poll(question: Callable[[], bool], *, seconds: float, of: Sequence[Daemon]) -> None:
    """Ask until it is so; fails with the daemons' last words."""
    wait_for(
        lambda: question() or None,
        seconds=seconds,
        failure=lambda: "\n".join(daemon.tail() for daemon in of),
    )


def stands(daemon: Daemon, standing: str) -> bool:
    """Whether it is ready in this standing; see :func:`snat.lab.router.ready`."""
    group = daemon.group()
    return group is not None and ready(group, standing=standing)
