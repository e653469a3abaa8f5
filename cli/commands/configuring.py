"""``configure``, in its forms."""

from typing import Final

from cli.commands import storing
from cli.grammar import Optional, Values
from cli.modes import CONFIG
from cli.session import Conversation, Path, Place, Question, Session
from cli.tokens import Keyword, Unsupported
from cli.tree import Command, Moves, Rejected, Runs

HOW_TO_LEAVE: Final = "Enter configuration commands, one per line.  End with CNTL/Z.\n"


def _terminal(path: Path) -> Path:
    return (*path, Place(CONFIG))


def _ask(session: Session, _values: Values) -> Conversation:
    said = (yield Question("Configuring from terminal, memory, or network [terminal]? ")) or ""
    word = said.strip().lower()
    if "terminal".startswith(word):  # nothing at all, too
        yield HOW_TO_LEAVE
        session.path = _terminal(session.path)
    elif "memory".startswith(word):
        yield from storing.merge(session)
    elif "network".startswith(word):
        raise Rejected("% Not supported by snat: network")
    else:
        raise Rejected(f"% Neither terminal nor memory: {word}")


_CONFIGURE = Keyword(text="configure", help="Enter configuration mode")

PRIVILEGED: tuple[Command, ...] = (
    Moves(
        pattern=(_CONFIGURE, Keyword(text="terminal", help="Configure from the terminal")),
        move=_terminal,
        says=HOW_TO_LEAVE,
    ),
    Runs(
        pattern=(_CONFIGURE, Keyword(text="memory", help="Add the lines of the start-up file")),
        run=lambda session, _values: storing.merge(session),
    ),
    Runs(
        pattern=(_CONFIGURE, Optional(Unsupported(text="network")), Optional(Unsupported(text="replace"))),
        run=_ask,
    ),
)
