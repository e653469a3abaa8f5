"""One link between two devices, without I/O: framing, authenticate, silence.

Bytes and ``now`` in; bytes, events and a deadline out. What the neighbor does wrong closes the session with
a reason and never raises; see :mod:`snat.session.states` for the machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from snat.session.events import Closed, Established, Event, Received
from snat.session.states import Input, State, step
from snat.wire import items
from snat.wire.actions import Authenticate, Error, Unit
from snat.wire.errors import ErrorCode, WireError
from snat.wire.framing import Framing
from snat.wire.header import NO_FEED, NO_TERM, HeaderFlag, Message, encode

AUTHENTICATE_TIME: Final = 5.0
"""Seconds for the transport to come up, and from there to the neighbor's whole authenticate, however many
bytes of it came: ends slow and endless openings."""
LEAST_MESSAGE: Final = 32768
"""Bytes every member must take: twice what this version sends, for a last item with context."""


@dataclass(slots=True, kw_only=True)
class Session:
    """The Connection Management structure's machine (Fig. 7)."""

    local: Authenticate
    """What we say of ourselves."""
    units: Sequence[Unit]
    neighbor_nat_id: int
    """The NAT ID of the certificate; the neighbor must authenticate with it."""
    hold_time: float
    state: State = State.IDLE
    messages_in: int = 0
    bytes_in: int = 0
    _heard: float = 0.0
    """When a byte last came; in Connect, when that began."""
    _greeted: bool = False
    """We have said who we are."""
    _framing: Framing = field(default_factory=Framing)
    _events: list[Event] = field(default_factory=list)
    _out: list[bytes] = field(default_factory=list)

    def dial(self, now: float) -> None:
        """A connection attempt begins."""
        self.state = step(self.state, Input.DIAL)
        self._heard = now

    def open(self, now: float) -> None:
        """The transport is up and its certificate verified: say who we are."""
        self.state = step(self.state, Input.OPEN)
        self._heard = now
        self._greeted = True
        self._out.append(encode(items.authenticate(self.local, self.units), flags=0))

    def receive_data(self, data: bytes, now: float) -> None:
        """Bytes off the link."""
        if self.state is State.CLOSE:
            return
        self.bytes_in += len(data)
        self._framing.feed(data)
        try:
            for message in self._framing.messages():
                self.messages_in += 1
                self._take(message)
        except WireError as error:
            self.refuse(error.code, error.reason)
        if self.state is State.ESTABLISH:
            self._heard = now

    def refuse(self, code: ErrorCode, reason: str) -> None:
        """Close for the neighbor's fault, and tell it why."""
        if self.state is State.CLOSE:
            return
        self.state = step(self.state, Input.REFUSED)
        self._say_error(code, reason)
        self._events.append(Closed(code, reason))

    def stop(self, reason: str = "the device stops", code: ErrorCode = ErrorCode.STOPPED) -> None:
        """Close in good order, and tell the neighbor why."""
        if self.state is State.CLOSE:
            return
        self.state = step(self.state, Input.STOP)
        self._say_error(code, reason)
        self._events.append(Closed(code, reason, orderly=True))

    def lost(self, reason: str) -> None:
        """The transport ended."""
        over = self.state is State.CLOSE
        self.state = step(self.state, Input.LOST)
        if not over:
            self._events.append(Closed(ErrorCode.STOPPED, reason))

    def next_deadline(self) -> float | None:
        """When :meth:`expire` must be called, if no byte comes before."""
        if self.state is State.ESTABLISH:
            return self._heard + self.hold_time
        return self._heard + AUTHENTICATE_TIME if self.state is State.CONNECT else None

    def expire(self, now: float) -> None:
        """Judge the silence."""
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return
        missed = "byte" if self.state is State.ESTABLISH else "authenticate"
        silence = f"no {missed} for {now - self._heard:.1f} s in state {self.state.value}"
        self.state = step(self.state, Input.EXPIRED)
        self._events.append(Closed(ErrorCode.HOLD_TIME, silence))

    def forgive(self, now: float) -> None:
        """This device was paused: the silence was its own."""
        self._heard = now

    def events(self) -> list[Event]:
        """What happened since the last call."""
        drained, self._events = self._events, []
        return drained

    def data_to_send(self) -> bytes:
        """Bytes for the link since the last call."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def _take(self, message: Message) -> None:
        if self.state is State.ESTABLISH:
            if not message.flags & HeaderFlag.AUTHENTICATED:
                raise WireError(ErrorCode.UNAUTHENTICATED, "message without the authenticated flag")
            self._events.append(Received(message))
        elif message.flags & HeaderFlag.AUTHENTICATED:
            raise WireError(ErrorCode.UNAUTHENTICATED, "message before authenticate")
        else:
            self._begin(message)

    def _begin(self, message: Message) -> None:
        """The first message must be authenticate, alone."""
        match items.controls(message.body):
            case [(Authenticate() as hello, units)]:
                self._check_identity(hello)
                self.state = step(self.state, Input.AUTHENTICATED)
                self._events.append(Established(hello, units))
            case _:
                raise WireError(ErrorCode.UNAUTHENTICATED, "the first message is not authenticate")

    def _check_identity(self, hello: Authenticate) -> None:
        if hello.nat_id != self.neighbor_nat_id:
            raise WireError(
                ErrorCode.IDENTITY,
                f"authenticates as NAT ID {hello.nat_id}; its certificate says {self.neighbor_nat_id}",
            )
        if hello.maximum_message < LEAST_MESSAGE:
            raise WireError(
                ErrorCode.VERSION,
                f"takes messages of at most {hello.maximum_message} bytes; {LEAST_MESSAGE} are needed",
            )
        if not hello.record_formats & self.local.record_formats:
            raise WireError(ErrorCode.VERSION, "no record format in common")

    def _say_error(self, code: ErrorCode, reason: str) -> None:
        """The last message. It follows our authenticate, so the neighbor expects the flag."""
        if self._greeted:
            said = items.error(Error(code, NO_FEED, NO_TERM, reason))
            self._out.append(encode(said))
