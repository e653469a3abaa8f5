"""The declared tree: modes, the commands of each, and what follows from the declaration.

A command is declared once, with one pattern. From it come matching, abbreviation, errors, ``?`` help,
completion, the ``no`` form and the lines of the running configuration.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cli.grammar import (
    Fault,
    LineError,
    Pattern,
    State,
    Values,
    following,
    match,
    split,
    tail_keys,
    walk,
    without_tails,
    written,
)
from cli.router import Router
from cli.session import Conversation, Mode, Path, Place, Session
from cli.tokens import Keyword, Token
from snat.config.model import Configuration

Lines = Iterator[str | None]
"""Lines of output; None: the next one takes a while, and others may be served before."""


class Rejected(Exception):
    """A line that is well formed and cannot be: its text is the answer to the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What every command has."""

    pattern: Pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Configures(Command):
    """A line of the configuration. Its functions take the configuration and the subject of the place."""

    stored: Callable[[Configuration, Any], Iterable[Values]]
    """The values of every such line that the running configuration has, in its order."""
    set: Callable[[Configuration, Any, Values], Configuration]
    """The configuration with the line; may raise :class:`Rejected`."""
    unset: Callable[[Configuration, Any, Values], Configuration] | None = None
    """The configuration without it; None: there is no ``no`` form."""
    normal: Callable[[Values], Values] = field(default=lambda values: values)
    """Typed values in the form in which they are stored: ``host A`` becomes ``A``."""
    enters: Callable[[Values], Place] | None = None
    """The sub-mode that the line opens."""
    separated: bool = False
    """Whether the running configuration prints ``!`` after it."""
    negatable: bool = False
    """Whether the ``no`` form says something of its own, and is not the absence of the line: ``no shutdown``.
    ``stored`` then yields it with the value True of the key ``no``; ``unset`` gets what was typed as it is.
    """
    default: Callable[[Configuration, Any, Values], Configuration] | None = None
    """What ``default LINE`` does; None: the same as ``no LINE``."""
    hidden: Callable[[Configuration, Any], Iterable[Values]] | None = None
    """The values of such lines that are in force by default, and printed by ``show running-config all``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shows(Command):
    """A command that reads the router; the data are rendered, or printed by ``| json``."""

    read: Callable[[Router, Values], Any]
    """The data: frozen dataclasses, or an iterator of rows, which is walked lazily and may yield None where
    the next row takes a while; or a :class:`cli.render.Eventual`."""
    render: Callable[[Any, Values], Lines]
    """The lines of the data, without line ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowsSession(Command):
    """As :class:`Shows`, but it reads the session: its history, or what is its own among others'."""

    read: Callable[[Session, Values], Any]
    render: Callable[[Any, Values], Iterator[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs(Command):
    """A command that concerns the session, or asks something: it converses with the user."""

    run: Callable[[Session, Values], Conversation]
    """May raise :class:`snat.device.refused.CommandRefused`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acts(Command):
    """A command that makes the router do something; it prints nothing, or why it was refused."""

    act: Callable[[Router, Values], None]
    """May raise :class:`snat.device.refused.CommandRefused`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves(Command):
    """A command that goes to another mode, and does nothing else."""

    move: Callable[[Path], Path]
    says: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuses(Command):
    """Lines of the configuration that IOS has and this router has not, also after ``no`` and ``default``.

    Every way through the pattern comes upon a :class:`cli.tokens.Unsupported`.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Does(Command):
    """``do LINE``: an exec command from a configuration mode. The rest of the line has the key ``line``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sense:
    """A command as typed: plainly, after ``no`` or after ``default``."""

    command: Command
    negated: bool = False
    default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A line that was understood."""

    command: Command
    negated: bool
    """After ``no`` or ``default``."""
    default: bool = False
    values: Values
    columns: Mapping[str, int]
    """The column of each value in the line."""
    path: Path
    """The place whose mode has the command: that of the session, or one around it."""


class Help(NamedTuple):
    """What ``?`` shows: words that begin so, or the tokens that may come next with their help."""

    heading: str
    """Empty unless the line is."""
    entries: tuple[tuple[str, str], ...]
    """Token and help text."""
    begun: bool
    """Whether ``?`` stood directly after the beginning of a word: only words are shown."""


NO = Keyword(text="no", help="Remove a line, or go back to the default")
DEFAULT = Keyword(text="default", help="Go back to the default")


class Tree:
    """All modes with their commands."""

    def __init__(self, modes: Mapping[Mode, Sequence[Command]]) -> None:
        self.modes = modes
        self._states = {mode.name: _states(commands) for mode, commands in modes.items()}

    def match(self, path: Path, line: str) -> Match:
        """What a line means at a place. Raises :class:`LineError`.

        A line that the mode does not know is looked for in the modes around it.
        """
        faults = []
        for around in _outward(path):
            try:
                state = match(self._states[around[-1].mode.name], line)
            except LineError as fault:
                if fault.fault is not Fault.INVALID:
                    raise
                faults.append(fault)
                continue
            sense = state.command
            return Match(
                command=sense.command,
                negated=sense.negated,
                default=sense.default,
                values=state.values,
                columns=state.columns,
                path=around,
            )
        raise max(faults, key=lambda fault: fault.column)

    def help(self, path: Path, line: str) -> Help:
        """What may follow a line that is being typed. Raises :class:`LineError` where it is wrong already."""
        expected, may_end, begun, place = self._following(path, line)
        keywords = [token for token in expected if isinstance(token, Keyword) and _may_be(token, begun)]
        shown = keywords if begun and keywords else [token for token in expected if _may_be(token, begun)]
        entries = [(token.name, token.help) for token in shown]
        if may_end and not begun:
            entries.append(("<cr>", ""))
        if begun and not entries:
            raise LineError(Fault.INVALID, len(line) - len(begun), f"nothing begins with '{begun}'")
        heading = "" if line.strip() else place.mode.heading
        return Help(heading=heading, entries=tuple(entries), begun=bool(begun))

    def complete(self, path: Path, line: str, configuration: Configuration) -> tuple[str, ...]:
        """The words that may stand in the place of the last one, which may be empty."""
        try:
            expected, _, begun, _ = self._following(path, line)
        except LineError:
            return ()
        return tuple(word for token in expected for word in token.complete(begun, configuration))

    def _following(self, path: Path, line: str) -> tuple[list[Token], bool, str, Place]:
        """Expected tokens, whether the line may end, the word begun, and the place they belong to."""
        finished, begun = _finished(line)
        faults = []
        for around in _outward(path):
            try:
                reached = walk(self._states[around[-1].mode.name], line, finished)
            except LineError as fault:
                faults.append(fault)
                continue
            if finished and isinstance(reached[0].command.command, Does):
                return self._following(path[:1], line.lstrip()[len(finished[0][1]) :].lstrip())
            expected, may_end = following(reached)
            fits = any(_may_be(token, begun) for token in expected) or (may_end and not begun)
            if fits or len(around) <= 2:
                return expected, may_end, begun, around[-1]
        raise max(faults, key=lambda fault: fault.column)

    def edit(self, found: Match, configuration: Configuration) -> Configuration:
        """The configuration after a line of it. Raises :class:`Rejected`."""
        command, subject = found.command, found.path[-1].subject
        assert isinstance(command, Configures)
        if not found.negated:
            return command.set(configuration, subject, command.normal(found.values))
        assert command.unset is not None
        if found.default and command.default is not None:
            return command.default(configuration, subject, command.normal(found.values))
        if command.negatable:
            return command.unset(configuration, subject, command.normal(found.values))
        for values in _named(command, configuration, subject, found.values):
            configuration = command.unset(configuration, subject, values)
        return configuration


def lines_below(
    modes: Mapping[Mode, Sequence[Command]],
    configuration: Configuration,
    place: Place,
    *,
    hidden: bool = False,
) -> Iterator[str]:
    """The lines of a configuration that belong to a place, with those of the sub-modes they open.

    With ``hidden`` also those that are in force by default.
    """
    for command in modes[place.mode]:
        if not isinstance(command, Configures):
            continue
        for values in _values(command, configuration, place.subject, hidden):
            yield from (" " * place.mode.indent + _line(command, values)).split("\n")
            if command.enters:
                yield from lines_below(modes, configuration, command.enters(values), hidden=hidden)
            if command.separated:
                yield "!"


def _values(
    command: Configures, configuration: Configuration, subject: Any, hidden: bool
) -> Iterator[Values]:
    yield from command.stored(configuration, subject)
    if hidden and command.hidden:
        yield from command.hidden(configuration, subject)


def _line(command: Configures, values: Values) -> str:
    if values.get("no"):
        return f"no {written(without_tails(command.pattern), values)}"
    return written(command.pattern, values)


def destination(found: Match) -> Path:
    """Where a session is after a line of the configuration, which may open a sub-mode."""
    command = found.command
    if isinstance(command, Configures) and command.enters and not found.negated:
        return (*found.path, command.enters(found.values))
    return found.path


def canonical(found: Match) -> str:
    """A matched line of the configuration as the running configuration prints it, without indent."""
    command = found.command
    assert isinstance(command, Configures)
    values = command.normal(found.values)
    if found.negated:
        word = "default" if found.default else "no"
        return f"{word} {written(without_tails(command.pattern), values)}"
    return written(command.pattern, values)


def _states(commands: Sequence[Command]) -> tuple[State[Sense], ...]:
    plain = [State(command=Sense(command=command), rest=command.pattern) for command in commands]
    negated = [
        State(command=sense, rest=(word, *without_tails(command.pattern)))
        for command in commands
        if isinstance(command, Refuses) or (isinstance(command, Configures) and command.unset)
        for word, sense in (
            (NO, Sense(command=command, negated=True)),
            (DEFAULT, Sense(command=command, negated=True, default=True)),
        )
    ]
    return (*plain, *negated)


def _outward(path: Path) -> Iterator[Path]:
    """The place, then the places around it; exec commands need ``do`` and are not among them."""
    for depth in range(len(path), min(len(path), 2) - 1, -1):
        yield path[:depth]


def _finished(line: str) -> tuple[list[tuple[int, str]], str]:
    """The words that are finished, and the one that is not."""
    words = split(line)
    begun = words.pop()[1] if words and not line[-1].isspace() else ""
    return words, begun


def _may_be(token: Token, begun: str) -> bool:
    return not isinstance(token, Keyword) or token.text.lower().startswith(begun.lower())


def _named(command: Configures, configuration: Configuration, subject: Any, typed: Values) -> list[Values]:
    """The lines that a ``no`` form names. Raises :class:`Rejected` where it describes them wrongly."""
    described = tail_keys(command.pattern)
    values = command.normal(typed)
    name = {key: value for key, value in values.items() if key not in described}
    named = [stored for stored in command.stored(configuration, subject) if _agree(stored, name)]
    exact = [stored for stored in named if _agree(stored, values)]
    if named and not exact:
        raise Rejected(f"% The configured line differs: {written(command.pattern, named[0])}")
    return exact


def _agree(stored: Values, typed: Values) -> bool:
    return all(stored.get(key) == value for key, value in typed.items())
