"""``snat-cli [--control PATH] [-c COMMAND]...``: the terminal of the shell that runs in the daemon."""

import argparse
import io
import os
import sys
from collections.abc import Sequence

from cli.terminal.client import Connection
from cli.terminal.frames import ControlError
from cli.terminal.script import run_script

DEFAULT_CONTROL = "/run/snat/control.sock"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program. Returns 0, 1 when a command failed, 2 when the daemon cannot be used."""
    options = _options().parse_args(arguments)
    try:
        if options.command is None and sys.stdin is not None and sys.stdin.isatty():
            from cli.terminal.interactive import converse  # takes longer to import than all the rest

            return converse(options.control)
        connection = Connection(options.control)
        try:
            return _run(connection, options.command)
        finally:
            connection.close()
    except ControlError as error:
        print(f"snat-cli: {str(error).strip()}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="snat-cli",
        description="The IOS-style shell of a running snat router.",
        epilog="Without -c, lines are read from the terminal, or as a script from standard input. "
        "Commands stop at the first that fails; the exit status is then 1, and 2 without a daemon.",
    )
    parser.add_argument(
        "--control", metavar="PATH", default=DEFAULT_CONTROL, help=f"control socket ({DEFAULT_CONTROL})"
    )
    parser.add_argument(
        "-c", dest="command", metavar="COMMAND", action="append", help="run a command; may be repeated"
    )
    return parser


def _run(connection: Connection, commands: Sequence[str] | None) -> int:
    if commands is not None:
        return run_script(connection, commands)
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # the daemon tells what is no text, and where
    return run_script(connection, sys.stdin or ())


if __name__ == "__main__":
    sys.exit(main())
