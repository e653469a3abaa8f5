"""Transport states and what time-out they have."""

from collections.abc import Mapping
from typing import Final

from snat.nat.entry import FLAGS, NEVER, STATE, TIMEOUT_CLASS, Flag, State, TimeoutClass

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
ACK: Final = 0x10

TCP: Final = 6
UDP: Final = 17
ICMP: Final = 1
GRE: Final = 47
_NO_PORT: Final = bytes(2)

CLASSES: Final[Mapping[int, TimeoutClass]] = {
    TCP: TimeoutClass.TCP,
    UDP: TimeoutClass.UDP,
    ICMP: TimeoutClass.ICMP,
}


_EXTENDED: Final = int(Flag.EXTENDED)
_BEGUN: Final = int(Flag.EXTENDED | Flag.INBOUND)
"""Of the flags: EXTENDED alone where an inside host began the flow, so that the outside port is a service."""


class Closing:
    """How far a TCP connection has closed: each side's FIN, and whether the other acknowledged it."""

    __slots__ = ("_acknowledged", "_fins")

    def __init__(self) -> None:
        self._fins: dict[bool, int] = {}
        """By side (from outside?): the sequence number after the FIN."""
        self._acknowledged: set[bool] = set()

    @property
    def begun(self) -> bool:
        """A side has sent a FIN."""
        return bool(self._fins)

    @property
    def both(self) -> bool:
        """Both sides have sent a FIN."""
        return len(self._fins) == 2

    @property
    def over(self) -> bool:
        """Both FINs are acknowledged: nothing but retransmissions will come."""
        return len(self._acknowledged) == 2

    def see(self, from_outside: bool, flags: int, after: int, acknowledged: int) -> bool:
        """A segment; ``after`` is the sequence number that follows it, ``acknowledged`` its ACK number.

        Whether it brought the first word of a FIN, or the first that one arrived.
        """
        before = len(self._fins) + len(self._acknowledged)
        if flags & FIN:
            self._fins[from_outside] = after
        if flags & ACK and self._fins.get(not from_outside) == acknowledged:
            self._acknowledged.add(not from_outside)
        return len(self._fins) + len(self._acknowledged) > before


def next_state(state: int, flags: int, from_outside: bool, payload: int, closing: Closing | None) -> int:
    """The state after a TCP segment (RFC 7857 section 2); one that a newer member invented stays.

    Established once a SYN was answered, whoever began: the answer has an ACK, also when both sides open at
    once (RFC 9293 Fig. 7). A SYN alone from outside establishes and reopens nothing, however often it comes.
    """
    if flags & RST:
        return State.CLOSING
    if flags & SYN:
        if flags & ACK:
            return State.ESTABLISHED
        return State.TRANSITORY if state == State.CLOSING and not from_outside else state
    if closing is not None and closing.both:
        return State.CLOSING
    # Data after a RST proves that it was not the end (section 2.2); after FINs it is a retransmission.
    if state == State.CLOSING and payload > 0 and (closing is None or not closing.begun):
        return State.ESTABLISHED
    return state


class Timeouts:
    """Idle seconds by class and state; infinite: never."""

    def __init__(
        self,
        *,
        udp: float,
        tcp: float,
        syn: float,
        closing: float,
        finrst: float,
        icmp: float,
        other: float = 86400,
        pptp: float = 86400,
        ports: Mapping[bytes, float] | None = None,
    ) -> None:
        """``ports``: of UDP flows and established TCP connections, by protocol and outside port, 3 bytes."""
        self.finrst = float(finrst)
        self._pptp = float(pptp)
        self.ports = dict(ports or {})
        self._seconds: dict[tuple[int, int], float] = {
            (TimeoutClass.UDP, State.OPEN): udp,
            (TimeoutClass.ICMP, State.OPEN): icmp,
            (TimeoutClass.OTHER, State.OPEN): other,
            (TimeoutClass.TCP, State.TRANSITORY): syn,
            (TimeoutClass.TCP, State.ESTABLISHED): tcp,
            (TimeoutClass.TCP, State.CLOSING): closing,
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timeouts) and self._all() == other._all()

    __hash__ = None  # type: ignore[assignment]  # what can be compared and not be a key

    def _all(self) -> tuple[object, ...]:
        return self.finrst, self._pptp, self._seconds, self.ports

    def of_record(self, record: bytes) -> float:
        """The idle time-out of an entry, as far as the entry says it."""
        state = record[STATE]
        if record[22] == GRE and (record[20:22] != _NO_PORT or record[33:35] != _NO_PORT):
            return self._pptp  # it has a call ID
        if self.ports and state in (State.OPEN, State.ESTABLISHED) and record[FLAGS] & _BEGUN == _EXTENDED:
            seconds = self.ports.get(record[22:23] + record[39:41])
            if seconds is not None:
                return seconds
        return self.of(record[TIMEOUT_CLASS], state)

    def of(self, timeout_class: int, state: int) -> float:
        """The idle time-out; infinite for what does not age, or for a class a newer member invented."""
        return float(self._seconds.get((timeout_class, state), "inf"))


def in_record(timeout: float) -> int:
    """An idle time-out as a record has it: whole seconds, NEVER for an infinite one."""
    return NEVER if timeout == float("inf") else int(timeout)
