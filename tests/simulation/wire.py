"""Connections of the simulated network, as TCP has them.

Bytes arrive in order, late and in pieces; what cannot get through (a partition, a reader that does not read)
waits and is not lost, until an end breaks the connection. An end that closes says so behind its bytes.
"""

from functools import partial
from typing import TYPE_CHECKING

from snat.device.links import Link

if TYPE_CHECKING:
    from tests.simulation.network import Network
    from tests.simulation.router import Router

LAST_WORD: bytes | None = None
"""What arrives behind the last byte of an end that closed."""


class End:
    """One device's side of a connection."""

    __slots__ = (
        "_arrival",
        "_broken",
        "_unacknowledged",
        "_waiting",
        "link",
        "open",
        "other",
        "router",
        "stalled",
        "under_way",
    )

    other: "End"

    def __init__(self, router: "Router") -> None:
        self.router = router
        self.link: Link | None = None
        self.open = True
        """We have not closed it, nor seen its end."""
        self.stalled = False
        """We do not read from it for now."""
        self.under_way = 0
        """Bytes written that the other end has not acknowledged."""
        self._unacknowledged = 0
        """Bytes read whose acknowledgment does not get through."""
        self._arrival = 0.0
        self._waiting: list[bytes | None] = []
        """What arrived and was not read."""
        self._broken = ""
        """Why the connection broke, if it did: nothing that waits can be read any more."""

    # Writing

    def flush(self) -> bool:
        """Write what the link has to say, as long as the window is open; whether there was anything."""
        sent, window, link = False, self.router.network.shape.window, self.link
        while link is not None and self.open and self.under_way < window and (data := link.data_to_send()):
            self.write(data)
            sent = True
        return sent

    def write(self, data: bytes) -> None:
        """Put bytes on their way."""
        network = self.router.network
        dice, shape = network.random, network.shape
        self.under_way += len(data)
        while data:
            cut = dice.randint(1, len(data)) if dice.random() < shape.cut_pieces else len(data)
            self._carry(data[:cut])
            data = data[cut:]

    def close(self) -> None:
        """End the connection in good order, with the session's last word."""
        if self.open:
            if self.link is not None and (data := self.link.last_words()):
                self.write(data)
            self.vanish(silently=False)

    def vanish(self, *, silently: bool) -> None:
        """The process is gone: the kernel says so behind what was written, or (power loss) nobody does."""
        self.open = False
        self._waiting.clear()
        if not silently:
            self._carry(LAST_WORD)

    def _carry(self, piece: bytes | None) -> None:
        """A piece arrives at the other end after a while, behind those before it."""
        network, other = self.router.network, self.other
        at = network.now + network.random.uniform(0.0001, network.shape.delay)
        other._arrival = at = max(other._arrival, at)
        network.at(at, partial(other._arrive, piece))

    # Reading

    def not_before(self, when: float) -> None:
        """Nothing arrives before this end is there."""
        self._arrival = max(self._arrival, when)

    def cut(self, why: str = "cut") -> None:
        """Break the connection: what is under way is lost, and both ends learn that it is over."""
        self.shut(why)
        self.other.shut(why)

    def shut(self, why: str) -> None:
        """The connection broke; this end learns of it as soon as its process runs."""
        if self.open:
            self._broken = why
            self.read()

    def _arrive(self, piece: bytes | None) -> None:
        if self.open and not self._broken:
            self._waiting.append(piece)
            self.read()

    def read(self) -> None:
        """Take what arrived, if the process runs, reads, and the other's packets get through."""
        router, link = self.router, self.link
        if not self.open or link is None or not router.runs:
            return
        if self._broken:
            self._end(link, self._broken)
        elif self._waiting and not self.stalled and not router.network.silent(self.other.router, router):
            over = self._waiting[-1] is LAST_WORD
            data = b"".join(filter(None, self._waiting))
            self._waiting.clear()
            if data:
                self._acknowledge(len(data))
                router.device.received(link, data, router.clock)
            if over:
                self._end(link, "closed by the other end")
                return
            router.settle()

    def _end(self, link: Link, why: str) -> None:
        self.open = False
        self.router.wires.pop(link, None)
        self.router.device.lost(link, why, self.router.clock)
        self.router.settle()

    def _acknowledge(self, size: int) -> None:
        self._unacknowledged += size
        self.acknowledge()

    def acknowledge(self) -> None:
        """Let the other end know what was read, if our packets get through; its window may open."""
        sender, network = self.other, self.router.network
        if self._unacknowledged and not network.silent(self.router, sender.router):
            was_shut = sender.under_way >= network.shape.window
            sender.under_way -= self._unacknowledged
            self._unacknowledged = 0
            if was_shut and sender.open:
                network.at(network.now, sender.router.wake)


class Wire:
    """One connection: dialled, then accepted and open at both ends; or broken."""

    def __init__(self, network: "Network", dialler: "Router", listener: "Router") -> None:
        self.network = network
        self.dialler, self.listener = End(dialler), End(listener)
        self.dialler.other, self.listener.other = self.listener, self.dialler
        self._listening = listener.device
        self.dialler.link = link = dialler.device.dialled(listener.nat_id, dialler.clock)
        dialler.joined(link, self.dialler)
        dialler.settle()
        proved = network.now + 3 * network.random.uniform(0.0001, network.shape.delay)
        accepted = proved + network.random.uniform(0.0001, network.shape.delay)
        self.listener.not_before(accepted)
        network.at(proved, self._prove)
        network.at(accepted, self._accept)

    def _prove(self) -> None:
        """The dialler has seen the listener's certificate."""
        end = self.dialler
        if not end.open or end.link is None:
            return
        if not self._reachable():
            self.dialler.cut("not connected")
            return
        end.router.device.opened(end.link, end.router.clock)
        end.router.settle()

    def _accept(self) -> None:
        """The listener has seen the dialler's."""
        listener = self.listener
        router = listener.router
        if not self.dialler.open or router.device is not self._listening or not self._reachable():
            self.dialler.cut("not connected")
            return
        listener.link = link = router.device.accepted(self.dialler.router.nat_id, router.clock)
        router.joined(link, listener)
        router.device.opened(link, router.clock)
        router.settle()

    def _reachable(self) -> bool:
        """Whether handshakes go on: both run, and packets go both ways."""
        one, other = self.dialler.router, self.listener.router
        return (
            one.runs
            and other.runs
            and not self.network.silent(one, other)
            and not self.network.silent(other, one)
        )
