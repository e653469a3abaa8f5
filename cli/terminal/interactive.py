"""The line mode of a person at a terminal, with prompt-toolkit."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from cli.terminal.client import Connection, End

HISTORY = ".snat_cli_history"
"""In the home directory."""


def converse(connection: Connection, session: PromptSession[str] | None = None) -> None:
    """Read and run lines until the user leaves: ``exit``, or Ctrl-D. Ctrl-C drops a line, or stops output."""
    lines: PromptSession[str] = session or PromptSession(history=_history())
    while True:
        try:
            line = lines.prompt(connection.prompt)
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if run(connection, line).closed:
            return


def run(connection: Connection, line: str) -> End:
    """Run a line and print its output. Ctrl-C asks the daemon to stop it, whose answer then ends it."""
    previous = signal.signal(signal.SIGINT, lambda _signal, _frame: connection.interrupt())
    try:
        return _print(connection.run(line))
    finally:
        signal.signal(signal.SIGINT, previous)


def _print(output: Iterator[str | End]) -> End:
    for item in output:
        if isinstance(item, End):
            return item
        print(item, end="", flush=True)
    raise AssertionError("output ends with an End")


def _history() -> History:
    """Kept between sessions where the home directory can be written."""
    path = Path.home() / HISTORY
    writable = os.access(path if path.exists() else path.parent, os.W_OK)
    return FileHistory(str(path)) if writable else InMemoryHistory()
