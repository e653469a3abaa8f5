"""What the shell shows of this machine: its clock, its names, its memory, and what runs here."""

import ctypes
import os
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from snat import __version__
from snat.config.model import Configuration
from snat.net.processes import Processes
from snat.status import Clock, Memory, Processor, Resolver, User, Version
from twisted import __version__ as twisted_version

_TIME_ERROR: Final = 5
"""What adjtimex(2) returns for a clock that nothing keeps right."""
_TIMEX: Final = 512
"""Bytes that hold a ``struct timex`` of any machine; all zero it only asks."""
_LONGEST: Final = 65536
"""Bytes read of a file of the system."""


class Machine:
    """Satisfies :class:`cli.router.Machine`."""

    def __init__(
        self,
        seconds: Callable[[], float],
        *,
        wall: Callable[[], float] = time.time,
        reload_reason: str = "",
        processes: Processes | None = None,
        root: Path = Path("/"),
    ) -> None:
        """``seconds`` is a clock that never jumps; ``root`` is where ``etc`` and ``proc`` are."""
        self._seconds = seconds
        self._began = seconds()
        self._wall = wall
        self._reason = reload_reason
        self._root = root
        self.processes = processes or Processes(seconds)
        self.sessions: Callable[[], tuple[User, ...]] = tuple
        """Who is there; the control socket knows it."""

    def clock(self, later: float = 0.0) -> Clock:
        """The wall clock; see :class:`cli.router.Machine`."""
        seconds = self._wall() + later
        at = datetime.fromtimestamp(seconds, UTC).astimezone()
        offset = at.utcoffset()
        return Clock(
            seconds=seconds,
            zone=at.tzname() or "UTC",
            offset=round(offset.total_seconds()) if offset else 0,
            synchronised=_synchronised(),
        )

    def version(self, configuration: Configuration) -> Version:
        """What runs here."""
        return Version(
            version=__version__,
            hostname=configuration.hostname,
            uptime=self._seconds() - self._began,
            reload_reason=self._reason,
            image=f"snatd-{__version__}",
            board=self._board(),
            interfaces=len(configuration.interfaces),
            kernel=f"{platform.system()} {platform.release()}",
            python=platform.python_version(),
            twisted=twisted_version,
        )

    def users(self) -> tuple[User, ...]:
        """Sessions, by line."""
        return self.sessions()

    def processor(self) -> Processor:
        """What the daemon uses of the processors."""
        return self.processes.processor()

    def memory(self) -> Memory:
        """What the daemon uses of the memory."""
        machine, process = self._amounts("proc/meminfo"), self._amounts("proc/self/status")
        return Memory(
            total=machine.get("MemTotal", 0),
            available=machine.get("MemAvailable", 0),
            process=os.getpid(),
            resident=process.get("VmRSS", 0),
            peak=max(process.get("VmHWM", 0), process.get("VmRSS", 0)),
        )

    def resolver(self) -> Resolver:
        """What resolv.conf(5) says; the last domain in it counts."""
        words = [line.split() for line in self._read("etc/resolv.conf").splitlines()]
        domains = [word[1] for word in words if len(word) > 1 and word[0] in ("domain", "search")]
        servers = [word[1] for word in words if len(word) > 1 and word[0] == "nameserver"]
        return Resolver(domain=domains[-1] if domains else "", servers=tuple(servers))

    def _board(self) -> int:
        """Of the machine ID, which is to stay unknown (machine-id(5)), a digest."""
        identity = self._read("etc/machine-id").strip()
        return int.from_bytes(sha256(f"snat {identity}".encode()).digest()[:4]) if identity else 0

    def _amounts(self, path: str) -> dict[str, int]:
        """Lines ``Name:  123 kB``, in bytes."""
        words = [line.split() for line in self._read(path).splitlines()]
        return {word[0].rstrip(":"): int(word[1]) * 1024 for word in words if word[2:] == ["kB"]}

    def _read(self, path: str) -> str:
        """A file of the system; empty where there is none."""
        try:
            with (self._root / path).open("rb") as file:
                return file.read(_LONGEST).decode(errors="replace")
        except OSError:
            return ""


def _synchronised() -> bool:
    return bool(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX)) not in (_TIME_ERROR, -1))
