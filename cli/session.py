"""A user's session: where it is, what its terminal is like, and what a command says to the user."""

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cli.router import Router


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """A mode of the shell, and the part of the configuration that is written in it."""

    name: str
    prompt: str
    """What follows the host name: ``(config-if)#``."""
    heading: str
    """The first line of ``?`` at the start of a line."""
    indent: int = 0
    """Blanks before its lines in the running configuration."""


class Place(NamedTuple):
    """A mode, and what it is about: the name of the interface, the role and address of the group."""

    mode: Mode
    subject: Any = None


Path = tuple[Place, ...]
"""Where a session is: an exec place, then the configuration mode, then its sub-modes. Empty: logged out."""


class Question(NamedTuple):
    """Asked in the middle of a command; the command goes on with what the user typed, without line end."""

    text: str
    """Printed without a line end: ``Destination filename [startup-config]? ``."""
    echo: bool = True
    """Whether what is typed is shown; a password is not."""


class Redirect(NamedTuple):
    """The texts that follow go to a file of the user, written by the terminal with the user's own rights."""

    path: str
    append: bool = False
    tee: bool = False
    """To the terminal too."""


class Pause(NamedTuple):
    """The command goes on later: it waits for a disk, or lets a wrong password be paid for."""

    seconds: float


Said = str | Question | Redirect | Pause
"""What a command says: text of whole lines, perhaps empty; or one of these."""
Conversation = Generator[Said, str | None, None]
"""A running command. After a :class:`Question` it is sent the answer."""

HISTORY = 10
"""Lines that ``show history`` has, unless the terminal says otherwise."""
LENGTH, WIDTH = 24, 80


@dataclass(slots=True, kw_only=True)
class Terminal:
    """``terminal ...``: what a session says of its terminal, which pages and wraps by itself."""

    length: int = LENGTH
    """Lines of a page; 0: output is not paged."""
    width: int = WIDTH
    monitor: bool = False
    """Whether messages of the log appear."""
    history_size: int = HISTORY


@dataclass(slots=True, kw_only=True)
class Session:
    """What one user does. The commands that concern it may change anything here."""

    router: Router
    path: Path
    user: str = ""
    """Name of the user's account on this machine; empty: unknown."""
    line: int = 0
    """Number of its ``line vty``."""
    trusted: bool = False
    """Whether the account alone gives privilege: root, and the account of the daemon."""
    terminal: Terminal = field(default_factory=Terminal)
    history: deque[str] = field(default_factory=lambda: deque(maxlen=HISTORY))

    @property
    def name(self) -> str:
        """``admin on vty0``, for messages."""
        return f"{self.user or 'unknown'} on vty{self.line}"

    @property
    def privileged(self) -> bool:
        """Whether the session is in privileged EXEC mode or below it."""
        return bool(self.path) and self.path[0].mode.name == "exec"
