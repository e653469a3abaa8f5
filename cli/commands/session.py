"""Commands of a session: privilege, leaving, history, terminal (ios-cli.md 3)."""

from collections import deque
from typing import Final

from cli import modes
from cli.grammar import Either, Optional, Values
from cli.secret import verifies
from cli.session import HISTORY, LENGTH, WIDTH, Conversation, Path, Pause, Place, Question, Session, Terminal
from cli.tokens import Keyword, Line, Number
from cli.tree import Command, Does, Moves, Rejected, Runs

TRIES: Final = 3
"""Passwords that ``enable`` asks for."""
PENALTY: Final = 1.0
"""Seconds that a wrong password costs; without it, guessing would keep the daemon from its packets."""


def _enable(session: Session, _values: Values) -> Conversation:
    """Privileged EXEC mode: for who knows the secret; without a secret, for who is trusted anyway."""
    secret = session.router.running_configuration().system.enable_secret
    if session.privileged:
        return
    if secret:
        yield from _authenticate(secret)
    elif not session.trusted:
        raise Rejected("% No password set")
    session.path = (Place(modes.PRIVILEGED),)


def _authenticate(secret: str) -> Conversation:
    for _ in range(TRIES):
        if verifies((yield Question("Password: ", echo=False)) or "", secret):
            return
        yield Pause(PENALTY)
    raise Rejected("% Bad secrets")


def _disable(_path: Path) -> Path:
    return (Place(modes.USER),)


def _exit(path: Path) -> Path:
    return path[:-1]


def _logout(_path: Path) -> Path:
    return ()


def _end(path: Path) -> Path:
    return path[:1]


def _terminal(session: Session, values: Values) -> Conversation:
    terminal, default = session.terminal, Terminal()
    if "length" in values:
        terminal.length = values.get("lines", default.length)
    elif "width" in values:
        terminal.width = values.get("columns", default.width)
    else:
        terminal.history_size = values.get("size", default.history_size)
        session.history = deque(session.history, maxlen=terminal.history_size)
    yield ""


_TERMINAL = Keyword(text="terminal", help="Say what this terminal is like, for this session")
_LENGTH = Keyword(text="length", key="length", help="Lines of a page")
_WIDTH = Keyword(text="width", key="width", help="Characters of a line")
_HISTORY = (
    Keyword(text="history", help="Lines that are kept for show history"),
    Keyword(text="size", help="How many lines are kept"),
)

USER: tuple[Command, ...] = (
    Runs(
        pattern=(
            Keyword(text="enable", help="Turn on privileged commands"),
            Optional(Keyword(text="15", help="The level of all commands, the only one")),
        ),
        run=_enable,
    ),
    Moves(pattern=(Keyword(text="disable", help="Turn off privileged commands"),), move=_disable),
    Moves(pattern=(Keyword(text="exit", help="Leave the shell"),), move=_logout),
    Moves(pattern=(Keyword(text="logout", help="Leave the shell"),), move=_logout),
    Moves(pattern=(Keyword(text="quit", help="Leave the shell"),), move=_logout),
    Runs(
        pattern=(
            _TERMINAL,
            Either(
                (_LENGTH, Number(key="lines", low=0, high=512, help="Lines; 0: do not page")),
                (_WIDTH, Number(key="columns", low=0, high=512, help="Characters; 0: do not wrap")),
                (*_HISTORY, Number(key="size", low=0, high=256, help="Lines")),
            ),
        ),
        run=_terminal,
    ),
    Runs(
        pattern=(
            _TERMINAL,
            Keyword(text="no", help=f"Go back to {LENGTH} lines, {WIDTH} characters, a history of {HISTORY}"),
            Either((_LENGTH,), (_WIDTH,), _HISTORY),
        ),
        run=_terminal,
    ),
)

PRIVILEGED = USER

CONFIGURATION: tuple[Command, ...] = (
    Does(
        pattern=(
            Keyword(text="do", help="Run an exec command"),
            Line(key="line", help="Exec command"),
        )
    ),
    Moves(pattern=(Keyword(text="end", help="Leave configuration mode"),), move=_end),
    Moves(pattern=(Keyword(text="exit", help="Leave this mode"),), move=_exit),
    Moves(pattern=(Keyword(text="quit", help="Leave this mode"),), move=_exit),
)
"""In every configuration mode."""
