"""``show logging``, ``clear logging`` and ``terminal monitor`` (ios-cli.md 3)."""

from typing import Final

from cli import render_log
from cli.commands.clear import CLEAR
from cli.commands.show import SHOW
from cli.commands.storing import confirmed
from cli.grammar import Values
from cli.pipes import PIPE
from cli.session import Conversation, Session
from cli.tokens import Keyword
from cli.tree import Command, Runs, Shows


def _monitor(session: Session, values: Values) -> Conversation:
    session.terminal.monitor = "no" not in values
    yield ""


def _clear(session: Session, _values: Values) -> Conversation:
    if (yield from confirmed("Clear logging buffer [confirm]")):
        session.router.log.clear()


_TERMINAL: Final = Keyword(text="terminal", help="Say what this terminal is like, for this session")
_MONITOR: Final = Keyword(text="monitor", help="Whether messages of the log appear here")

PRIVILEGED: Final[tuple[Command, ...]] = (
    Runs(pattern=(_TERMINAL, _MONITOR), run=_monitor),
    Runs(
        pattern=(_TERMINAL, Keyword(text="no", key="no", help="As it was at the beginning"), _MONITOR),
        run=_monitor,
    ),
    Runs(pattern=(CLEAR, Keyword(text="logging", help="The buffer of the log")), run=_clear),
    Shows(
        pattern=(SHOW, Keyword(text="logging", help="The log, and where messages go"), PIPE),
        read=lambda router, _values: router.log.status(),
        render=lambda status, _values: render_log.log(status),
    ),
)
