"""What each thread of this process uses of the processors, over the last five seconds to five minutes."""

import os
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from snat.status import Processor, ProcessorTime, Thread

INTERVAL: Final = 5.0
"""Seconds between two samples."""
_SPANS: Final = (5.0, 60.0, 300.0)
MAX_THREADS: Final = 256
"""That are looked at."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class _Used(NamedTuple):
    """What a thread used since it began: seconds in all, and of them in the kernel."""

    seconds: float
    system: float
    name: str


class Processes:
    """Samples are taken from outside, by :meth:`sample`, every :data:`INTERVAL`."""

    def __init__(self, seconds: Callable[[], float], tasks: Path = Path("/proc/self/task")) -> None:
        self._seconds = seconds
        self._tasks = tasks
        self._samples: deque[tuple[float, Mapping[int, _Used]]] = deque(maxlen=int(_SPANS[-1] / INTERVAL) + 1)
        self.sample()

    def sample(self) -> None:
        """Remember what was used so far."""
        self._samples.append((self._seconds(), self._look()))

    def processor(self) -> Processor:
        """What was used lately; over less time, while there was not more."""
        now, used = self._seconds(), self._look()
        shares = {number: self._shares(now, number, at.seconds) for number, at in used.items()}
        since = self._at(now, _SPANS[0])
        span = max(now - since[0], 0.001)
        system = sum(at.system - since[1].get(number, _NOTHING).system for number, at in used.items())
        return Processor(
            use=ProcessorTime(
                five_seconds=sum(share.five_seconds for share in shares.values()),
                one_minute=sum(share.one_minute for share in shares.values()),
                five_minutes=sum(share.five_minutes for share in shares.values()),
            ),
            system=100 * system / span,
            threads=tuple(
                Thread(
                    number=number,
                    name=at.name,
                    milliseconds=round(at.seconds * 1000),
                    switches=self._switches(number),
                    use=shares[number],
                )
                for number, at in sorted(used.items())
            ),
        )

    def _shares(self, now: float, number: int, seconds: float) -> ProcessorTime:
        five, one, long = (self._share(now, number, seconds, span) for span in _SPANS)
        return ProcessorTime(five_seconds=five, one_minute=one, five_minutes=long)

    def _share(self, now: float, number: int, seconds: float, span: float) -> float:
        since, before = self._at(now, span)
        return 100 * (seconds - before.get(number, _NOTHING).seconds) / max(now - since, 0.001)

    def _at(self, now: float, span: float) -> tuple[float, Mapping[int, _Used]]:
        """The latest sample that is at least so old, or else the oldest."""
        old = [sample for sample in self._samples if sample[0] <= now - span]
        return old[-1] if old else self._samples[0]

    def _look(self) -> Mapping[int, _Used]:
        numbers = sorted(int(task.name) for task in self._tasks.iterdir())[:MAX_THREADS]
        found = ((number, self._used(number)) for number in numbers)
        return {number: used for number, used in found if used is not None}

    def _used(self, number: int) -> _Used | None:
        """proc_pid_stat(5): the name in parentheses, then the state as field 3; 14 and 15 are the times."""
        begin, _, rest = self._read(number, "stat").rpartition(")")
        fields = rest.split()
        if len(fields) < 13:
            return None
        user, system = int(fields[11]) / _TICKS, int(fields[12]) / _TICKS
        return _Used(user + system, system, begin.partition("(")[2])

    def _switches(self, number: int) -> int:
        lines = self._read(number, "status").splitlines()
        return sum(int(line.split()[1]) for line in lines if "voluntary_ctxt_switches:" in line)

    def _read(self, number: int, name: str) -> str:
        """A file about a thread; empty when it has ended."""
        try:
            return (self._tasks / str(number) / name).read_text(errors="replace")
        except OSError:
            return ""


_NOTHING: Final = _Used(0.0, 0.0, "")
