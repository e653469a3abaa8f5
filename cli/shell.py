"""A session of the shell, without I/O: lines in, text out, lazily.

Lines of the configuration are verified first and applied second. A line that contradicts others is rejected
and changes nothing. A line that only lacks others (a rule before its access list) is held by the session
and comes into force with the line that completes it; what is still held when the session leaves the
configuration mode is told and dropped. So the router only ever gets a configuration without problems, and
the running configuration can be pasted in its own order.
"""

from collections.abc import Generator, Iterable, Iterator

from cli import render
from cli.commands import TREE
from cli.commands.banner import greeting
from cli.configuration_file import MAX_LINE, MAX_TEXT
from cli.grammar import Fault, LineError
from cli.modes import PRIVILEGED, USER
from cli.pipes import Pipe, RegexError, pipe, redirect
from cli.router import CommandRefused, ConfigurationRefused, Router
from cli.secret import without_secrets
from cli.session import Conversation, Path, Place, Question, Said, Session
from cli.tokens import unfinished
from cli.tree import (
    Acts,
    Configures,
    Does,
    Lines,
    Match,
    Moves,
    Rejected,
    Runs,
    Shows,
    ShowsSession,
    Tree,
    canonical,
    destination,
)
from snat.config.model import Configuration
from snat.config.verify import Problem, verify

LINES_PER_CHUNK = 64
"""Of output: few enough to be made in a fraction of a millisecond, so a million rows block nobody."""
PROMPT_HOSTNAME = 20
"""Characters of the host name that the prompt of a configuration mode has (ios-cli.md 3)."""


class Shell:
    """One user's session: where it is, and whether the last command went well.

    ``privileged`` is who is so without knowing the secret.
    """

    def __init__(
        self, router: Router, *, privileged: bool = False, user: str = "", line: int = 0, tree: Tree = TREE
    ) -> None:
        self.ok = True
        """Whether the last command did what it should. False while it runs and if it was interrupted."""
        self._router = router
        self._tree = tree
        place = Place(PRIVILEGED if privileged else USER)
        self.session = Session(router=router, path=(place,), user=user, line=line, trusted=privileged)
        self._held: list[Match] = []
        self._told: set[Problem] = set()
        self._draft: tuple[Configuration, Configuration] | None = None
        """The running configuration that the held lines were added to last, and the result."""

    @property
    def prompt(self) -> str:
        """``R1#``, ``R1(config-if)#``; empty when the session is closed."""
        path = self.session.path
        if not path:
            return ""
        hostname = self._router.running_configuration().hostname
        if len(path) > 1:
            hostname = hostname[:PROMPT_HOSTNAME]
        return hostname + path[-1].mode.prompt

    @property
    def closed(self) -> bool:
        """Whether the user left (``exit``)."""
        return not self.session.path

    @property
    def banner(self) -> str:
        """What a user sees before the first prompt: whole lines, perhaps none."""
        return greeting(self._router.running_configuration().system.banners)

    @property
    def exec_timeout(self) -> int:
        """Seconds without a request after which this session is to end; 0: never."""
        return self._router.running_configuration().system.exec_timeout(self.session.line)

    def run(self, line: str) -> Conversation:
        """Run a line; its output in chunks of whole lines, some of them empty while a filter passes nothing.

        Nothing happens before the first chunk is asked for. Closing the iterator interrupts the command.
        """
        self.ok = False
        line = line.rstrip("\r\n")
        if line.strip():
            self.session.history.append(without_secrets(line.strip()))
        if line.strip() and not line.lstrip().startswith("!"):
            yield from self._answer(line)
        else:
            self.ok = True

    def help(self, line: str) -> str:
        """What ``?`` at the end of a line prints."""
        try:
            return render.help_text(self._tree.help(self.session.path, line))
        except LineError as fault:
            if fault.fault is Fault.AMBIGUOUS:
                return render.fault(fault, line, self.prompt)
            return "% Unrecognized command\n"

    def complete(self, line: str) -> tuple[str, ...]:
        """The words that may stand in the place of the last, unfinished one."""
        return self._tree.complete(self.session.path, line, self._router.running_configuration())

    def _answer(self, line: str) -> Conversation:
        """Run one line with the errors of IOS; sets ``ok`` when all of it went well."""
        prompt = self.prompt
        try:
            _bound(line)
            found = self._tree.match(self.session.path, line)
            if delimiter := unfinished(found.values.values()):
                found = yield from self._read_on(line, delimiter)
            yield from self._execute(found)
        except LineError as fault:
            yield render.fault(fault, line, prompt)
        except (Rejected, ConfigurationRefused, CommandRefused) as rejected:
            yield _percent(str(rejected))
        except RegexError as reason:
            yield f"% Failed to compile regular expression: {reason}\n"
        else:
            self.ok = True

    def _read_on(self, line: str, delimiter: str) -> Generator[Said, str | None, Match]:
        """A text over several lines, to the line that ends it."""
        yield f"Enter TEXT message.  End with the character '{delimiter}'.\n"
        more = ""
        while delimiter not in more:
            more = (yield Question("")) or ""
            _bound(more)
            line = f"{line}\n{more}"
            if len(line) > MAX_TEXT:
                raise Rejected(f"% The text has more than {MAX_TEXT} characters")
        return self._tree.match(self.session.path, line)

    def _execute(self, found: Match) -> Conversation:
        match found.command:
            case Shows() | ShowsSession() as command:
                yield from self._show(command, found)
            case Runs() as command:
                yield from command.run(self.session, found.values)
            case Acts() as command:
                command.act(self._router, found.values)
            case Configures():
                yield from self._configure(found)
            case Moves() as command:
                yield command.says
                self._go(command.move(self.session.path))
            case Does():
                line = " " * found.columns["line"] + found.values["line"]  # so that carets stay in place
                yield from self._execute(self._tree.match(self.session.path[:1], line))

    def _show(self, command: Shows | ShowsSession, found: Match) -> Conversation:
        through = pipe(found.values)
        if isinstance(command, Shows):
            data = command.read(self._router, found.values)
        else:
            data = command.read(self.session, found.values)
        if target := redirect(found.values):
            yield target
        json = "json" in found.values
        yield from _chunks(render.json_lines(data) if json else command.render(data, found.values), through)

    def _configure(self, found: Match) -> Conversation:
        running = self._router.running_configuration()
        wanted = self._tree.edit(found, self._with_held(running))
        problems = verify(wanted)
        contradictions = [problem for problem in problems if not problem.missing]
        if contradictions:
            raise Rejected("\n".join(f"% {problem}" for problem in contradictions))
        if problems:
            self._hold(found, running, wanted)
            yield _not_yet(problem for problem in problems if problem not in self._told)
            self._told = set(problems)
        else:
            if wanted != running:
                self._router.apply(wanted)
                self._router.startup.changed(self.session.user)
            self._release()
        self.session.path = destination(found)

    def _hold(self, found: Match, running: Configuration, wanted: Configuration) -> None:
        self._held.append(found)
        self._draft = running, wanted

    def _release(self) -> list[Match]:
        """Hold nothing any more; returns what was held."""
        held, self._held = self._held, []
        self._told, self._draft = set(), None
        return held

    def _with_held(self, configuration: Configuration) -> Configuration:
        """The configuration in force now, by whomever, with what this session holds."""
        if self._draft and self._draft[0] == configuration:
            return self._draft[1]
        for match in self._held:
            configuration = self._tree.edit(match, configuration)
        return configuration

    def _go(self, path: Path) -> None:
        """Go to another mode; what is held does not outlive the configuration mode."""
        left = len(path) < 2 <= len(self.session.path)
        self.session.path = path
        if left:
            self._router.note("SYS-5-CONFIG_I", f"Configured from console by {self.session.name}")
        if len(path) > 1 or not self._held:
            return
        lines = "\n".join(f"%   {canonical(match)}" for match in self._release())
        raise Rejected(f"% Not in force and dropped, because other lines were missing:\n{lines}")


def _not_yet(problems: Iterable[Problem]) -> str:
    return "".join(f"Not in force yet: {problem}\n" for problem in problems)


def _percent(text: str) -> str:
    return f"{text if text.startswith('%') else '% ' + text}\n"


def _bound(line: str) -> None:
    """Raise :class:`LineError` for what no terminal sends: endless lines, control characters."""
    for column, character in enumerate(line[: MAX_LINE + 1]):
        if column == MAX_LINE or not (character.isprintable() or character == "\t"):
            raise LineError(Fault.INVALID, column, "not a line of text")


def _chunks(lines: Lines, through: Pipe) -> Conversation:
    """Lines through a pipe, joined; one chunk for every batch of lines, however few pass."""
    for batch in _batches(lines):
        yield _text(through.feed(batch))
    yield _text(through.finish())


def _batches(lines: Lines) -> Iterator[list[str]]:
    """Some lines at a time; fewer, or none, where the next one takes a while."""
    batch: list[str] = []
    for line in lines:
        if line is not None:
            batch.append(line)
        if line is None or len(batch) == LINES_PER_CHUNK:
            yield batch
            batch = []
    if batch:
        yield batch


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
