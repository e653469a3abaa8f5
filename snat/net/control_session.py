"""The control socket: users and programs talk to the shell over a UNIX socket. This page is its protocol.

A frame is one JSON object on one line, UTF-8, ended by a line feed. Each connection has its own shell
session. A request is at most 16384 bytes long.

The daemon begins with ``{"type": "hello", "protocol": 1, "prompt": "R1#", "banner": "..."}``; the banner is
whole lines to be shown before the first prompt, perhaps none. Requests have an integer ``id``,
which the answers repeat:

=============================================== =======================================================
request                                         answers
=============================================== =======================================================
``{"id": 1, "request": "run", "line": "..."}``  any number of ``{"type": "text", "id": 1, "text": ...}``,
                                                then ``{"type": "end", "id": 1, "ok": true, "prompt": ...,
                                                "closed": false, "interrupted": false}``
``{"id": 2, "request": "complete", "line":...}`` ``{"type": "candidates", "id": 2, "words": [...]}``: what
                                                may stand in the place of the last word of the line
``{"id": 3, "request": "help", "line": ...}``   ``{"type": "help", "id": 3, "text": ...}``: what ``?``
                                                at the end of the line prints
``{"id": 4, "request": "interrupt"}``           none of its own: a running command ends at once, with
                                                ``ok`` false and ``interrupted`` true
``{"id": 5, "request": "answer", "line":...}``  none of its own: the running command goes on
=============================================== =======================================================

A running command may ask: ``{"type": "question", "id": 1, "text": "Password: ", "echo": false}``; it waits
for the answer. ``{"type": "redirect", "id": 1, "path": ..., "append": false, "tee": false}`` says that the
texts that follow belong into a file, which the client writes with its user's rights. ``hello`` and ``end``
have the terminal as the session knows it: ``"terminal": {"length": 24, "width": 80, "monitor": false,
"history_size": 10}``. While it monitors, ``{"type": "log", "text": ...}`` may come at any time.

Texts are whole lines, to be printed as they are. ``ok`` is whether the command did what it should; after
``closed`` the daemon closes the connection. One command runs at a time: a request that comes meanwhile is
answered ``{"type": "refused", "id": ..., "reason": ...}``. So is a malformed one, with ``id`` null, and then
the connection is closed. A client ignores frames of a type that it does not know.

A user who sends nothing for the exec-timeout of the line is told ``{"type": "bye", "text": ...}``, a whole
line, and the connection is closed; a command that runs, and does not wait for an answer, is let run.

Who may connect is decided by the file system: the socket has mode 0660. Who has privilege at once is decided
by the kernel's word about the client: root, and the user that the daemon runs as. Others need ``enable``.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from cli.session import Conversation, Pause, Question, Redirect, Said, Session
from snat.net.visitor import Visitor, account_of, user_name
from snat.status import User

VERSION = 1
MAX_REQUEST = 16384
"""Bytes of a request."""
LOOK = 60.0
"""Seconds after which the exec-timeout of a session is looked at, at the latest: it may have changed."""
LONGEST_PAUSE = 5.0
"""Seconds that a command may pause at a time."""
SLICE = 0.002
"""Seconds that a command may produce output before the reactor gets its turn."""


class ControlledShell(Protocol):
    """A shell session as this module needs it; ``cli.shell.Shell`` is one."""

    ok: bool
    session: Session

    @property
    def prompt(self) -> str:
        """What to print before the next line is typed."""
        ...

    @property
    def banner(self) -> str:
        """What to print before the first prompt: whole lines."""
        ...

    @property
    def exec_timeout(self) -> float:
        """Seconds without a request after which the session is to end; 0: never."""
        ...

    @property
    def closed(self) -> bool:
        """Whether the user left."""
        ...

    def run(self, line: str) -> Conversation:
        """The output of a line, in chunks that take well under :data:`SLICE` each."""
        ...

    def complete(self, line: str) -> Sequence[str]:
        """Words for the place of the last one."""
        ...

    def help(self, line: str) -> str:
        """What ``?`` prints."""
        ...


class BadRequestError(Exception):
    """A request that is not of this protocol; its text is the reason."""


def parse_request(line: bytes) -> tuple[int, str, str]:
    """The id, the kind and the line of a request. Raises :class:`BadRequestError`."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise BadRequestError("a request is a JSON object on one line") from None
    match request:
        case {"id": int(number), "request": "interrupt"}:
            return number, "interrupt", ""
        case {
            "id": int(number),
            "request": "run" | "answer" | "complete" | "help" as kind,
            "line": str(text),
        }:
            return number, kind, text
    raise BadRequestError("a request has an integer id, a known request, and a line")


@implementer(IPushProducer)
class ControlSession(LineOnlyReceiver):
    """One connection with its shell. It produces the output of the running command, as fast as it is read."""

    delimiter = b"\n"
    MAX_LENGTH = MAX_REQUEST

    _shell: ControlledShell

    def __init__(
        self,
        clock: IReactorTime,
        line: int,
        shells: Callable[[Visitor], ControlledShell],
        left: Callable[["ControlSession"], None],
        account: Callable[[Any], int] | None = None,
    ) -> None:
        """``account`` tells the user ID of who is at the other end of a transport."""
        self._clock = clock
        self.line = line
        self._shells = shells
        self._left = left
        self._account = account or account_of
        self._user = ""
        self._active = clock.seconds()
        """When the user last did something."""
        self._watch: IDelayedCall | None = None
        self._pause = 0.0
        """Seconds that the command wants to wait before it goes on."""
        self._output: Conversation | None = None
        self._asking = False
        """Whether the command waits for an answer."""
        self._answer: str | None = None
        """What the command is to be sent next."""
        self._number = 0
        self._paused = False
        self._produces = False
        """Whether the transport tells us when the user reads too slowly."""
        self._call: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """See who it is, and greet."""
        try:
            account = self._account(self.transport)
        except OSError:  # gone already, and nobody knows who it was
            self._transport().abortConnection()
            return
        self._user = user_name(account)
        privileged = account in (0, os.geteuid())
        self._shell = self._shells(Visitor(user=self._user, privileged=privileged, line=self.line))
        self._send(
            type="hello",
            protocol=VERSION,
            prompt=self._shell.prompt,
            banner=self._shell.banner,
            terminal=asdict(self._shell.session.terminal),
        )
        self._look()

    def connectionLost(self, reason: Failure | None = None) -> None:  # noqa: ARG002 - a user may leave
        """Forget what runs."""
        self.stopProducing()
        if self._watch:
            self._watch.cancel()
            self._watch = None
        self._left(self)

    def seen(self) -> User:
        """As ``show users`` has it."""
        return User(line=self.line, user=self._user, idle=self._clock.seconds() - self._active)

    def lineReceived(self, line: bytes) -> None:
        """One request."""
        self._active = self._clock.seconds()
        try:
            number, kind, text = parse_request(line)
        except BadRequestError as bad:
            self._refuse_all(str(bad))
            return
        if kind == "interrupt":
            self._interrupt()
        elif kind == "answer":
            self._answered(number, text)
        elif self.busy:
            self._send(type="refused", id=number, reason="a command is running")
        elif kind == "run":
            self._run(number, text)
        elif kind == "complete":
            self._send(type="candidates", id=number, words=list(self._shell.complete(text)))
        else:
            self._send(type="help", id=number, text=self._shell.help(text))

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: ARG002 - too long to look at
        """A request that has no end."""
        self._refuse_all(f"a request is at most {MAX_REQUEST} bytes long")

    @property
    def busy(self) -> bool:
        """Whether a command runs, or waits for an answer."""
        return self._output is not None

    def hang_up(self) -> None:
        """The daemon stops: no answer is waited for."""
        self._transport().abortConnection()

    def pauseProducing(self) -> None:
        """The user reads more slowly than we write."""
        self._paused = True

    def resumeProducing(self) -> None:
        """The user has caught up."""
        self._paused = False
        self._schedule()

    def stopProducing(self) -> None:
        """Stop the command, if one runs."""
        if self._call:
            self._call.cancel()
            self._call = None
        if self._output is not None:
            self._output.close()
            self._output = None

    def _run(self, number: int, line: str) -> None:
        self._output, self._number = self._shell.run(line), number
        self._asking, self._answer, self._pause = False, None, 0.0
        self._produce_to_transport(wanted=True)
        self._schedule()

    def log(self, line: str) -> bool:
        """A line of the log; False: the user, who wants it, reads too slowly and does not get it."""
        if not self._monitors:
            return True
        if not self._paused:
            self._send(type="log", text=f"{line}\n")
        return not self._paused

    @property
    def _monitors(self) -> bool:
        """Whether lines of the log may come at any time."""
        return self._produces and self._shell.session.terminal.monitor

    def _produce_to_transport(self, *, wanted: bool) -> None:
        """Let the transport tell, or no more, when the user does not keep up."""
        if wanted and not self._produces:
            self._paused = False
            self._transport().registerProducer(self, True)
        elif self._produces and not wanted:
            self._transport().unregisterProducer()
        self._produces = wanted

    def _schedule(self) -> None:
        if self._output is not None and self._call is None and not self._paused and not self._asking:
            pause, self._pause = self._pause, 0.0
            self._call = self._clock.callLater(pause, self._slice)

    def _look(self) -> None:
        """End a session in which nothing happens; look again when that may be."""
        self._watch = None
        limit = self._shell.exec_timeout
        idle = self._clock.seconds() - self._active
        if limit and idle >= limit and (self._output is None or self._asking):
            self._produce_to_transport(wanted=False)
            self._send(type="bye", text=f"\nThis session ends: nothing was typed for {limit:.0f} seconds.\n")
            self._transport().loseConnection()
            return
        left = limit - idle if limit > idle else LOOK
        self._watch = self._clock.callLater(min(left, LOOK), self._look)

    def _slice(self) -> None:
        """Produce for a moment. A fault of the shell is logged by the reactor and ends the session."""
        self._call = None
        sound = False
        try:
            self._produce(self._clock.seconds() + SLICE)
            sound = True
        finally:
            if not sound:
                self._transport().abortConnection()
        self._schedule()

    def _produce(self, until: float) -> None:
        while self._output is not None and not (self._paused or self._asking or self._pause):
            answer, self._answer = self._answer, None
            try:
                self._say(self._output.send(answer))
            except StopIteration:
                self._end(interrupted=False)
            if self._clock.seconds() >= until:
                break

    def _say(self, said: Said) -> None:
        match said:
            case str(text):
                if text:
                    self._send(type="text", id=self._number, text=text)
            case Question():
                self._asking = True
                self._send(type="question", id=self._number, text=said.text, echo=said.echo)
            case Redirect():
                self._send(type="redirect", id=self._number, **said._asdict())
            case Pause():
                self._pause = min(said.seconds, LONGEST_PAUSE)

    def _answered(self, number: int, text: str) -> None:
        if not self._asking:
            self._send(type="refused", id=number, reason="nothing was asked")
            return
        self._asking, self._answer = False, text
        self._schedule()

    def _interrupt(self) -> None:
        if self._output is not None:
            self.stopProducing()
            self._end(interrupted=True)

    def _end(self, *, interrupted: bool) -> None:
        self._output, self._asking = None, False
        self._active = self._clock.seconds()
        shell = self._shell
        self._produce_to_transport(wanted=shell.session.terminal.monitor and not shell.closed)
        self._send(
            type="end",
            id=self._number,
            ok=shell.ok,
            prompt=shell.prompt,
            closed=shell.closed,
            interrupted=interrupted,
            terminal=asdict(shell.session.terminal),
        )
        if shell.closed:
            self._transport().loseConnection()

    def _refuse_all(self, reason: str) -> None:
        if self._output is not None:
            self.stopProducing()
        self._produce_to_transport(wanted=False)
        self._send(type="refused", id=None, reason=reason)
        self._transport().loseConnection()

    def _send(self, **frame: Any) -> None:
        self._transport().write(json.dumps(frame).encode() + b"\n")

    def _transport(self) -> Any:
        return self.transport
