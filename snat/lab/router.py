"""A router of the laboratory: one ``twistd snat``, and what its shell tells of it."""

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from cli.terminal.client import Connection
from cli.terminal.frames import ControlError
from snat.lab.errors import LabError
from snat.lab.process import PYTHON, Program

SHELL_TIMEOUT: Final = 10.0
_TWISTD: Final = "from twisted.scripts.twistd import run; run()"
"""The twistd of this very interpreter, wherever its scripts are."""

_MERGED: Final = re.compile(r"mapping \d+: (\d+ entries of \S+ merged, \d+ had keys of ours)")
_NOTHING: Final = re.compile(r"0 entries .*, 0 had")

Row = Mapping[str, Any]


class Router:
    """One device, started and killed as often as the laboratory likes."""

    def __init__(
        self,
        host: str,
        configuration: str,
        *,
        directory: Path,
        prefix: Sequence[str] = (),
        captures: tuple[Path, Path] | None = None,
    ) -> None:
        """``prefix`` begins its command (its namespace); ``captures`` take the place of its TUNs."""
        self.host = host
        self.control = directory / f"{host}.control"
        self._log = directory / f"{host}.log"
        self._prefix = tuple(prefix)
        self._arguments = ["--control", str(self.control), "--state-dir", str(directory / f"{host}.state")]
        file = directory / f"{host}.conf"
        file.write_text(configuration)
        self._arguments += ["--config", str(file)]
        if captures:
            self._arguments += ["--pcap", ":".join(map(str, captures))]
        self._program: Program | None = None

    @property
    def name(self) -> str:
        """As the report calls it: ``R1``."""
        return self.host.upper()

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._program is not None and self._program.alive

    def start(self) -> None:
        """Start it; it is not ready before :meth:`standing` says so."""
        command = [*self._prefix, *PYTHON, "-c", _TWISTD, "-n", "--pidfile=", "snat", *self._arguments]
        self._program = Program(self.host, command, log=self._log)

    def kill(self) -> None:
        """Kill -9."""
        assert self._program is not None
        self._program.kill()

    def stop(self) -> None:
        """End it, if it runs."""
        if self._program is not None:
            self._program.stop()

    def tail(self) -> str:
        """Its last log lines."""
        return self._program.tail() if self._program else f"{self.host}: never started"

    def merged(self) -> str:
        """What it took over from others that had managed beside it, as its log has it; empty: nothing."""
        told: list[str] = _MERGED.findall(self._log.read_text(errors="replace"))
        return "; ".join(each for each in told if not _NOTHING.match(each))

    def show(self, command: str) -> list[Row] | None:
        """The rows of a ``show`` command; None while the router does not answer."""
        rows: list[Row] | None = self._json(command)
        return rows

    def _json(self, command: str) -> Any:
        if not self.alive:
            return None
        try:
            return json.loads(self._said(f"{command} | json"))
        except (ControlError, json.JSONDecodeError):
            return None

    def _said(self, line: str) -> str:
        """By the control socket itself: a program for each question would take the routers' processor."""
        with closing(Connection(str(self.control), bounded=True)) as connection:
            return "".join(said for said in connection.run(line) if isinstance(said, str))

    def reload(self) -> None:
        """``reload`` in ``snat-cli``, confirmed; :class:`LabError` if it is refused."""
        command = [*PYTHON, "-m", "cli.terminal", "--control", str(self.control), "-c", "reload", "-c", ""]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=SHELL_TIMEOUT, check=False, cwd="/"
            )
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.name} does not answer to reload in {SHELL_TIMEOUT:g} s") from None
        if done.returncode:
            raise LabError(f"{self.name} does not reload: {(done.stderr or done.stdout).strip()}")

    def group(self) -> Row | None:
        """Its redundancy group, as ``show ip snat distributed`` has it; None while it does not answer."""
        groups = self.show("show ip snat distributed")
        return groups[0] if groups else None

    def uptime(self) -> float | None:
        """Seconds since it began, or began anew; None while it does not answer."""
        version: Row | None = self._json("show version")
        return float(version["uptime"]) if version is not None else None

    def translations(self) -> list[Row] | None:
        """Its NAT table; None while it does not answer."""
        return self.show("show ip nat translations")


def ready(group: Row, *, standing: str) -> bool:
    """Whether a router stands so, is synchronised, hears every neighbor both ways, and is verified."""
    return (
        group["standing"] == standing
        and group["state"] == "READY"
        and bool(group["links"])
        and all(link["state"] == "Establish" for link in group["links"])
        and all(feed["synchronised"] and feed["verified_age"] is not None for feed in group["feeds"])
    )


def same_rows(one: Sequence[Row] | None, other: Sequence[Row] | None) -> bool:
    """Whether two tables have the same rows, every column compared, in any order."""
    if one is None or other is None:
        return False
    return _sorted(one) == _sorted(other)


def _sorted(rows: Sequence[Row]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def mappings(rows: Sequence[Row], protocol: int) -> dict[str, str]:
    """Inside local to inside global endpoint, as texts ``address:port``, of one protocol's entries."""
    return {
        endpoint(row["inside_local"]): endpoint(row["inside_global"])
        for row in rows
        if row["protocol"] == protocol
    }


def endpoint(value: Row) -> str:
    """``address:port`` of an endpoint in JSON."""
    return f"{value['address']}:{value['port']}"
