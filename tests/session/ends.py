"""A session, or two joined by a link without delay, for tests."""

from collections.abc import Sequence
from typing import Final

from snat.session.events import Event
from snat.session.session import Session
from snat.wire.actions import Authenticate, Unit
from snat.wire.framing import Framing
from snat.wire.header import MAXIMUM_MESSAGE, Feed, Message, Position, Term, encode
from snat.wire.items import authenticate

HOLD_TIME: Final = 3.0


def hello(nat_id: int, **others: int) -> Authenticate:
    """What the device of a NAT ID says of itself."""
    fields = {
        "incarnation": 100 + nat_id % 100,
        "run": 7,
        "keepalive": 1000,
        "maximum_message": MAXIMUM_MESSAGE,
        "capabilities": 0,
        "record_formats": 1,
    }
    return Authenticate(nat_id, **fields | others)


def unit(mapping_id: int = 10) -> Unit:
    """A unit that a device is a member of."""
    return Unit(Feed(0, mapping_id), Position(Term(3, 1), 4), 1, 2, 0x5555, 0x1122334455667788)


def session(
    nat_id: int, neighbor: int, *, units: Sequence[Unit] = (unit(),), hold_time: float = HOLD_TIME
) -> Session:
    """The side of ``nat_id``."""
    return Session(local=hello(nat_id), units=units, neighbor_nat_id=neighbor, hold_time=hold_time)


def opened(now: float = 0.0) -> Session:
    """R1's side, open, its authenticate on its way; what R2 says is next."""
    one = session(1, 2)
    one.open(now)
    one.data_to_send()
    return one


def established(now: float = 0.0) -> Session:
    """R1's side of an established link, its events drained."""
    one = opened(now)
    one.receive_data(greeting(2), now)
    one.events()
    return one


def greeting(nat_id: int, **others: int) -> bytes:
    """The authenticate message of a NAT ID."""
    return encode(authenticate(hello(nat_id, **others), [unit()]), flags=0)


def messages(data: bytes) -> list[Message]:
    """What a session sent."""
    framing = Framing()
    framing.feed(data)
    found = list(framing.messages())
    assert framing.pending == 0
    return found


class Pair:
    """R1 dialled R2; what one has to send reaches the other at :meth:`exchange`."""

    def __init__(self, dialler: Session | None = None, listener: Session | None = None) -> None:
        self.dialler = dialler or session(1, 2)
        self.listener = listener or session(2, 1)
        self.said: dict[int, list[Event]] = {1: [], 2: []}
        """Events of the dialler and of the listener."""
        self.dialler.dial(0.0)
        self.dialler.open(0.0)
        self.listener.open(0.0)

    def exchange(self, now: float = 0.0, piece: int = 1 << 16) -> None:
        """Carry bytes both ways, in pieces, until there are none."""
        carried = True
        while carried:
            to_listener, to_dialler = self.dialler.data_to_send(), self.listener.data_to_send()
            carried = bool(to_listener or to_dialler)
            for at in range(0, max(len(to_listener), len(to_dialler)), piece):
                self._give(self.listener, to_listener[at : at + piece], now)
                self._give(self.dialler, to_dialler[at : at + piece], now)
            self.said[1] += self.dialler.events()
            self.said[2] += self.listener.events()

    @staticmethod
    def _give(side: Session, data: bytes, now: float) -> None:
        if data:
            side.receive_data(data, now)
