"""Commands of ``-c`` or of standard input: no prompt, no pages; the first that fails ends them."""

import sys
from collections.abc import Iterable, Iterator

from cli.terminal.client import Connection
from cli.terminal.frames import ControlError, End, Question, Redirect
from cli.terminal.target import Target


def run_script(connection: Connection, lines: Iterable[str]) -> int:
    """Run lines until one fails or leaves; returns the exit status.

    A command that asks gets the next line as its answer; without one it is interrupted.
    """
    rest = iter(lines)
    for line in rest:
        end = _run_line(connection, line.rstrip("\r\n"), rest)
        if not end.ok:
            return 1
        if end.closed:
            break
    return 0


def _run_line(connection: Connection, line: str, rest: Iterator[str]) -> End:
    """Run a line. The answer to a bad one goes to standard error, below the line its caret points into."""
    prompt = connection.prompt
    held = ""
    target = Target(sys.stdout)
    for said in connection.run(line):
        match said:
            case End(ok=True):
                target.write(held)
                target.close()
                sys.stdout.flush()
                return said
            case End():
                target.close()
                sys.stdout.flush()
                sys.stderr.write(f"{prompt}{line}\n{held}")
                return said
            case Question():
                target.write(held)
                held = ""
                _answer(connection, said, rest)
            case Redirect():
                target.redirect(said)
            case str():
                target.write(held)
                held = said
    raise ControlError("The daemon has closed the connection.")


def _answer(connection: Connection, question: Question, rest: Iterator[str]) -> None:
    answer = next(rest, None)
    if answer is None:
        sys.stderr.write(f"snat-cli: nothing answers: {question.text.strip() or 'more lines are expected'}\n")
        connection.interrupt()
    else:
        connection.answer(answer.rstrip("\r\n"))
