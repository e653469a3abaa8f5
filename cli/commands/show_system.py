"""``show`` of what is around the device: configurations, version, clock, users, processes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cli import system_text
from cli.commands.configuration import configuration_lines
from cli.commands.show import SHOW
from cli.commands.storing import heading
from cli.grammar import Element, Optional, Values
from cli.pipes import PIPE
from cli.router import Router
from cli.session import Session
from cli.tokens import InterfaceName, Keyword
from cli.tree import Command, Rejected, Shows, ShowsSession
from snat.config.model import Configuration
from snat.status import Change, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What ``show running-config`` prints."""

    configuration: Configuration
    changed: Change | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Privilege:
    """What ``show privilege`` prints."""

    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """What ``show users`` prints."""

    users: tuple[User, ...]
    line: int
    """That of the session that asks."""


def _pattern(*elements: Element) -> tuple[Element, ...]:
    return (SHOW, *elements, PIPE)


def _word(text: str, help_text: str) -> tuple[Element, ...]:
    return _pattern(Keyword(text=text, help=help_text))


def _running(router: Router, values: Values) -> Running | Configuration:
    configuration = router.running_configuration()
    if "json" in values:
        return configuration
    return Running(configuration=configuration, changed=router.startup.last_change)


def _running_lines(running: Running, values: Values) -> Iterator[str]:
    lines = configuration_lines(running.configuration, hidden="all" in values)
    if "interface" in values:
        lines = _block(lines, f"interface {values['interface']}")
    exposed = " with default configurations exposed" if "all" in values else ""
    return system_text.running_configuration(
        [*heading(running.changed), *lines], exposed=exposed, numbered="linenum" in values
    )


def _block(lines: Iterator[str], heading_line: str) -> Iterator[str]:
    """One line of the configuration with what is indented below it."""
    inside = found = False
    for line in lines:
        inside = line == heading_line or (inside and line.startswith(" "))
        found = found or inside
        if inside:
            yield line
    if not found:
        raise Rejected(f"% There is no {heading_line} in the configuration")
    yield "!"


def _history(session: Session, _values: Values) -> tuple[str, ...]:
    return tuple(session.history)


_RUNNING = Keyword(text="running-config", help="The configuration in force")

ANYBODY: tuple[Command, ...] = (
    Shows(
        pattern=_word("clock", "Date and time"),
        read=lambda router, _values: router.machine.clock(),
        render=lambda clock, _values: system_text.clock(clock),
    ),
    Shows(
        pattern=_word("version", "What runs here, and since when"),
        read=lambda router, _values: router.machine.version(router.running_configuration()),
        render=lambda version, _values: system_text.version(version),
    ),
    Shows(
        pattern=_word("hosts", "How names are resolved"),
        read=lambda router, _values: router.machine.resolver(),
        render=lambda resolver, _values: system_text.hosts(resolver),
    ),
    Shows(
        pattern=_word("reload", "The restart that is scheduled"),
        read=lambda router, _values: router.reloads.pending(),
        render=lambda pending, _values: system_text.reload(pending),
    ),
    ShowsSession(
        pattern=_word("users", "Sessions of the shell"),
        read=lambda session, _values: Users(users=session.router.machine.users(), line=session.line),
        render=lambda users, _values: system_text.users(users.users, users.line),
    ),
    ShowsSession(
        pattern=_word("history", "What was typed in this session"),
        read=_history,
        render=lambda lines, _values: (f"  {line}" for line in lines),
    ),
    ShowsSession(
        pattern=_word("privilege", "The level of this session"),
        read=lambda session, _values: Privilege(level=15 if session.privileged else 1),
        render=lambda privilege, _values: iter([f"Current privilege level is {privilege.level}"]),
    ),
)
"""Without privilege."""

_PROCESSES = Keyword(text="processes", help="What the daemon uses of the machine")


def _running_pattern(*elements: Any) -> tuple[Element, ...]:
    return _pattern(_RUNNING, *elements)


def _shows_running(pattern: tuple[Element, ...]) -> Shows:
    return Shows(pattern=pattern, read=_running, render=_running_lines)


PRIVILEGED: tuple[Command, ...] = (
    _shows_running(_running_pattern()),
    _shows_running(_running_pattern(Keyword(text="all", key="all", help="With what is in force by default"))),
    _shows_running(
        _running_pattern(
            Keyword(text="brief", help="Without certificates, which are in files of their own anyway")
        )
    ),
    _shows_running(
        _running_pattern(
            Keyword(text="interface", help="One interface"),
            InterfaceName(
                key="interface",
                help="Name of the interface",
                candidates=lambda configuration: [i.name for i in configuration.interfaces],
            ),
        )
    ),
    _shows_running(
        _running_pattern(Keyword(text="linenum", key="linenum", help="With the numbers of lines"))
    ),
    _shows_running(
        (
            Keyword(text="write", help="Store the running configuration"),
            Keyword(text="terminal", help="To the terminal: as show running-config"),
            PIPE,
        )
    ),
    Shows(
        pattern=_word("startup-config", "The configuration that the daemon starts with"),
        read=lambda router, _values: router.startup.read(),
        render=lambda stored, _values: system_text.startup(stored),
    ),
    Shows(
        pattern=_pattern(_PROCESSES, Optional(Keyword(text="cpu", help="Processors: what each thread uses"))),
        read=lambda router, _values: router.machine.processor(),
        render=lambda processor, _values: system_text.processor(processor),
    ),
    Shows(
        pattern=_pattern(_PROCESSES, Keyword(text="memory", help="Memory")),
        read=lambda router, _values: router.machine.memory(),
        render=lambda memory, _values: system_text.memory(memory),
    ),
)
"""With privilege: a configuration has secrets in it, and processes may take a moment to look at."""
