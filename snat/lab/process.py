"""The programs a laboratory starts, and waiting for what they say."""

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from snat.lab.ends import FlowEnd, flow_ends
from snat.lab.errors import LabError

ANSWER_TIMEOUT: Final = 15.0
"""Seconds a traffic program may take; connecting through a router in trouble takes 10."""
STOP_TIMEOUT: Final = 3.0
"""Seconds a program gets to end by itself before it is killed."""
LOG_TAIL: Final = 15
"""Last log lines shown when a laboratory fails."""
POLL_INTERVAL: Final = 0.05

PYTHON: Final = (sys.executable, "-P")
"""-P: the directory a laboratory is started from is not searched for modules."""

T = TypeVar("T")


def wait_for(question: Callable[[], T | None], *, seconds: float, failure: Callable[[], str]) -> T:
    """Ask until the answer is not None; after ``seconds`` raise :class:`LabError` with ``failure()``."""
    deadline = time.monotonic() + seconds
    while (answer := question()) is None:
        if time.monotonic() > deadline:
            raise LabError(failure())
        time.sleep(POLL_INTERVAL)
    return answer


def dying_with_us(command: Sequence[str]) -> list[str]:
    """``command``, to be killed by the kernel when the laboratory dies without a chance to clean up."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", *command] if setpriv else list(command)


class Program:
    """A child process with its standard error (or all its output) in a log file."""

    def __init__(self, name: str, command: Sequence[str], *, log: Path, conversing: bool = False) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                dying_with_us(command),
                stdin=subprocess.PIPE if conversing else subprocess.DEVNULL,
                stdout=subprocess.PIPE if conversing else file,
                stderr=file,
                cwd=log.parent,
                start_new_session=True,  # a Ctrl-C is for the laboratory, which then stops its programs
            )

    @property
    def pid(self) -> int:
        """Of its process, which leads a session and a process group of its own."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """Kill -9, and wait until it is gone."""
        self._process.kill()
        self._process.wait()
        self._close_pipes()

    def stop(self) -> None:
        """Ask it to end; kill it when it does not."""
        self._close_pipes()
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()

    def tail(self) -> str:
        """The end of its log, each line with its name before it."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(f"{self.name}: {line}" for line in lines[-LOG_TAIL:] or ["(no log)"])

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


class Traffic(Program):
    """A traffic program: see :mod:`snat.lab.traffic`."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        log: Path,
        prefix: Sequence[str] = (),
        module: str = "snat.lab.traffic",
    ) -> None:
        command = [*prefix, *PYTHON, "-m", module, *arguments]
        super().__init__(name, command, log=log, conversing=True)
        self._unread = b""
        self.started: Mapping[str, Any] = {}

    def await_start(self) -> Mapping[str, Any]:
        """What it says of itself once it has started."""
        self.started = self._answer()
        return self.started

    def flows(self) -> list[FlowEnd]:
        """This end of every flow, now."""
        return flow_ends(self.ask("flows"))

    def probes(self) -> Mapping[str, Any]:
        """What is known of the probes, now."""
        return self.ask("probes")

    def ask(self, question: str, **with_what: int) -> Mapping[str, Any]:
        """Its answer to a question: ``ping``, ``download``, ``finish``, ``open`` with a ``count``."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"ask": question, **with_what}).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise LabError(f"traffic {self.name} has ended\n{self.tail()}") from None
        return self._answer()

    def _answer(self) -> Mapping[str, Any]:
        """One JSON line, waited for at most ANSWER_TIMEOUT."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        deadline = time.monotonic() + ANSWER_TIMEOUT
        while b"\n" not in self._unread:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(descriptor, 1 << 16) if ready else b""
            if not data:
                why = "has ended" if ready else f"did not answer in {ANSWER_TIMEOUT:g} s"
                raise LabError(f"traffic {self.name} {why}\n{self.tail()}")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        answer: Mapping[str, Any] = json.loads(line)
        return answer
