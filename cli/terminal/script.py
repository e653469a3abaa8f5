"""Commands of ``-c`` or of standard input: no prompt, no pages; the first that fails ends them."""

import sys
from collections.abc import Iterable, Iterator

from cli.terminal.client import Connection
from cli.terminal.frames import End, LostError, Question, Redirect
from cli.terminal.target import Target, TargetError


def run_script(connection: Connection, lines: Iterable[str]) -> int:
    """Run lines until one fails or leaves; returns the exit status.

    A command that asks gets the next line as its answer; without one it is interrupted.
    """
    rest = iter(lines)
    for line in rest:
        command = _Command(connection, line.rstrip("\r\n"), rest)
        try:
            end = command.run()
        except TargetError as error:
            sys.stdout.flush()
            sys.stderr.write(f"snat-cli: {error}\n")
            return 1
        if not end.ok:
            return 1
        if end.closed:
            break
    return 0


class _Command:
    """One line that runs. The answer to a bad one goes to standard error, below the line its caret is for."""

    def __init__(self, connection: Connection, line: str, rest: Iterator[str]) -> None:
        self._connection = connection
        self._heading = f"{connection.prompt}{line}\n"
        self._line = line
        self._rest = rest
        self._target = Target()
        self._held = ""
        """The last text: where it goes depends on how the command ends."""

    def run(self) -> End:
        """To its end. Raises :class:`TargetError` and :class:`ControlError`."""
        for said in self._connection.run(self._line):
            match said:
                case End():
                    return self._end(said)
                case Question():
                    self._release()
                    self._answer(said)
                case Redirect():
                    self._target.redirect(said)
                case str():
                    self._release()
                    self._held = said
        raise LostError

    def _release(self) -> None:
        held, self._held = self._held, ""
        self._target.store(held)
        if self._target.shown:
            sys.stdout.write(held)

    def _end(self, end: End) -> End:
        if end.ok:
            self._release()
        self._target.close()
        sys.stdout.flush()
        if not end.ok:
            sys.stderr.write(self._heading + self._held)
        return end

    def _answer(self, question: Question) -> None:
        answer = next(self._rest, None)
        if answer is None:
            asked = question.text.strip() or "more lines are expected"
            sys.stderr.write(f"snat-cli: nothing answers: {asked}\n")
            self._connection.interrupt()
        else:
            self._connection.answer(answer.rstrip("\r\n"))
