"""``snat pcap``: its files, what it says while it works, and what it says at the end."""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from json import dumps
from pathlib import Path
from typing import BinaryIO, Final, TextIO

from cli.configuration_file import decoded, format_problems, read_bounded, read_configuration
from snat.config.model import Configuration
from snat.counters import as_dict
from snat.net.capture_frame import CaptureCounters, CaptureError
from snat.net.offline import Translation, translate

STANDARD: Final = "-"
_WIDTH: Final = 30
"""Columns of the bar."""
_INTERVAL: Final = 0.2
"""Seconds between two of its pictures."""


def translate_capture(config: Path, source: str, target: str, *, json: bool) -> int:
    """Translate the capture ``source`` to ``target``; the exit status. Says on standard error what is wrong.

    The summary goes to standard output, or, if that is the capture's, to standard error.
    """
    said = sys.stderr if target == STANDARD else sys.stdout
    try:
        configuration = _configuration(config)
        if configuration is None:
            return 1
        if source != STANDARD and target != STANDARD and _same(Path(source), Path(target)):
            return _refuse(f"{target}: is the capture that is read; give another file")
        with ExitStack() as files:
            opened = sys.stdin.buffer if source == STANDARD else files.enter_context(Path(source).open("rb"))
            written = (
                sys.stdout.buffer if target == STANDARD else files.enter_context(Path(target).open("wb"))
            )
            bar = Bar(opened, sys.stderr, time.monotonic)
            try:
                done = translate(configuration, opened, written, bar.show)
            finally:
                bar.end()
    except BrokenPipeError:
        return _refuse(f"{target}: nobody reads it any more")
    except OSError as error:
        return _refuse(f"{error.filename or source}: {(error.strerror or str(error)).lower()}")
    except CaptureError as error:
        return _refuse(error)
    print(_as_json(done) if json else _as_text(done), file=said)
    return 0


class Bar:
    """How far a capture is, on a terminal; silent elsewhere."""

    def __init__(self, source: BinaryIO, terminal: TextIO, clock: Callable[[], float]) -> None:
        self._source = source
        self._terminal = terminal
        self._clock = clock
        self._began = self._shown = clock()
        self._wanted = terminal.isatty()
        self._size = _size(source) if self._wanted else 0

    def show(self, counters: CaptureCounters) -> None:
        """Draw it anew, if it is time to."""
        now = self._clock()
        if not self._wanted or now - self._shown < _INTERVAL:
            return
        self._shown = now
        rate = counters.records / max(now - self._began, 0.001)
        what = f"{counters.records:,} records, {rate:,.0f}/s"
        if self._size:
            part = min(1.0, self._source.tell() / self._size)
            what = f"|{'#' * round(part * _WIDTH):<{_WIDTH}}| {part:4.0%}  {what}"
        print(f"\r{what}\033[K", end="", file=self._terminal, flush=True)

    def end(self) -> None:
        """Take it away."""
        if self._wanted:
            print("\r\033[K", end="", file=self._terminal, flush=True)


def _size(file: BinaryIO) -> int:
    """Bytes of a file; 0 for a pipe."""
    if not file.seekable():
        return 0
    here = file.tell()
    size = file.seek(0, 2)
    file.seek(here)
    return size


def _same(source: Path, target: Path) -> bool:
    return target.exists() and source.exists() and target.samefile(source)


def _configuration(file: Path) -> Configuration | None:
    """The configuration of a file; None, when what is wrong in it was said. Raises OSError."""
    try:
        text = decoded(read_bounded(file))
    except ValueError as error:
        _refuse(f"{file}: {error}; give a configuration, as show running-config prints it")
        return None
    configuration, problems = read_configuration(text, str(file))
    if problems:
        print(format_problems(problems), end="", file=sys.stderr)
        return None
    return configuration


def _as_json(done: Translation) -> str:
    counters = {"capture": as_dict(done.capture), "translate": as_dict(done.translate)}
    return dumps({**counters, "entries": done.entries})


def _as_text(done: Translation) -> str:
    capture = done.capture
    lines = [f"{capture.records} records, {capture.packets} packets, {capture.written} written"]
    for counters in (capture, done.translate):
        told = {name: count for name, count in as_dict(counters).items() if count}
        lines += [f"  {name.replace('_', ' ')} = {count}" for name, count in told.items()]
    return "\n".join([*lines, f"  entries = {done.entries}"])


def _refuse(reason: object) -> int:
    print(f"snat: {reason}", file=sys.stderr)
    return 1
