"""Commands that move between modes."""

from cli import modes
from cli.session import Path, Place
from cli.tokens import Keyword, Line
from cli.tree import Command, Does, Moves


def _enable(_path: Path) -> Path:
    return (Place(modes.PRIVILEGED),)


def _disable(_path: Path) -> Path:
    return (Place(modes.USER),)


def _configure(path: Path) -> Path:
    return (*path, Place(modes.CONFIG))


def _exit(path: Path) -> Path:
    return path[:-1]


def _end(path: Path) -> Path:
    return path[:1]


_ENABLE = Moves(pattern=(Keyword(text="enable", help="Turn on privileged commands"),), move=_enable)
_LOGOUT = Moves(pattern=(Keyword(text="exit", help="Leave the shell"),), move=_exit)

USER: tuple[Command, ...] = (_ENABLE, _LOGOUT)

PRIVILEGED: tuple[Command, ...] = (
    _ENABLE,
    Moves(pattern=(Keyword(text="disable", help="Turn off privileged commands"),), move=_disable),
    Moves(
        pattern=(
            Keyword(text="configure", help="Enter configuration mode"),
            Keyword(text="terminal", help="Configure from the terminal"),
        ),
        move=_configure,
        says="Enter configuration commands, one per line.  End with CNTL/Z.\n",
    ),
    _LOGOUT,
)

CONFIGURATION: tuple[Command, ...] = (
    Does(
        pattern=(
            Keyword(text="do", help="Run an exec command"),
            Line(key="line", help="Exec command"),
        )
    ),
    Moves(pattern=(Keyword(text="end", help="Leave configuration mode"),), move=_end),
    Moves(pattern=(Keyword(text="exit", help="Leave this mode"),), move=_exit),
)
"""In every configuration mode."""
