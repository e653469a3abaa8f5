"""A capture replayed in the TUNs' place."""

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from snat.net.capture_frame import SECOND, CapturedPacket, CaptureError
from snat.net.capture_read import CaptureReader
from snat.net.capture_write import CaptureWriter, NgWriter
from snat.net.tun import BUFFER, READS_PER_TURN, VNET_HEADER

READY_INTERVAL: Final = 0.05
"""Seconds between two questions whether the device is ready."""
_NO_HEADER: Final = bytes(VNET_HEADER)
"""A virtio header that says: one packet, its checksum complete."""


class CapturePort:
    """Replays a capture in the TUNs' place, a batch in each turn of the reactor.

    It waits while the device does not hold the role. Each packet stands in one buffer as a TUN would put it
    there, behind a virtio header of zeroes; what ``received`` passes is written out, from the same buffer.
    """

    def __init__(
        self,
        reader: CaptureReader,
        writer: CaptureWriter | NgWriter,
        reactor: IReactorTime,
        received: Callable[[bytearray, int, bool], bool],
        batch_done: Callable[[], None],
        ready: Callable[[], bool],
        *,
        from_outside: Callable[[CapturedPacket], bool],
        more: Callable[[], Iterable[bytes]] = tuple,
        realtime: bool = False,
    ) -> None:
        """Replay from ``reader`` to ``writer`` once started.

        ``received(buffer, length, from_outside)`` is told the bytes in the buffer, virtio header
        included, and answers whether the packet goes on. ``more`` is asked after each packet for others to
        be written after it, each behind a virtio header: fragments that waited for it. ``realtime``: each
        packet comes as long after the first one as it did when it was captured; otherwise at once.
        """
        self.finished: Deferred[None] = Deferred()
        """Fires when all is replayed and written; fails with :class:`CaptureError` or :class:`OSError`."""
        self.counters = reader.counters
        self._reader = reader
        self._writer = writer
        self._reactor = reactor
        self._received = received
        self._batch_done = batch_done
        self._ready = ready
        self._from_outside = from_outside
        self._more = more
        self._buffer = bytearray(BUFFER)
        self._realtime = realtime
        self._waiting: deque[CapturedPacket] = deque()
        """Read, and not replayed yet."""
        self._began: float | None = None
        """What is to be added to the time of a packet for the reactor's time at which it is due."""
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        """Begin, or go on after :meth:`stop`, in the reactor's next turn."""
        if self._call is None and not self.finished.called:
            self._call = self._reactor.callLater(0, self._turn)

    def stop(self) -> None:
        """Replay no more; what was translated so far is in the file. :attr:`finished` does not fire."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
            self._writer.flush()

    def _turn(self) -> None:
        self._call = None
        if not self._ready():
            self._call = self._reactor.callLater(READY_INTERVAL, self._turn)
            return
        try:
            delay = self._replay_batch()
            ended = self._reader.ended and not self._waiting
            if ended:
                self._writer.flush()
        except (CaptureError, OSError):
            failure = Failure()
            with suppress(OSError):  # what went wrong first is what is told
                self._writer.flush()
            self.finished.errback(failure)
            return
        if ended:
            self.finished.callback(None)
        else:
            self._call = self._reactor.callLater(delay, self._turn)

    def _replay_batch(self) -> float:
        """Records, not packets, are counted: a capture full of ARP takes no longer turns.

        Returns the seconds until the next packet is due.
        """
        try:
            if not self._waiting:
                self._waiting += self._reader.batch(READS_PER_TURN)
            while self._waiting:
                delay = self._due_in(self._waiting[0].time_ns) if self._realtime else 0.0
                if delay > 0:
                    self._writer.flush()  # somebody may look at the output meanwhile
                    return delay
                self._replay(self._waiting.popleft())
        finally:
            self._batch_done()
        return 0.0

    def _due_in(self, time_ns: int) -> float:
        if self._began is None:
            self._began = self._reactor.seconds() - time_ns / SECOND
        return self._began + time_ns / SECOND - self._reactor.seconds()

    def _replay(self, packet: CapturedPacket) -> None:
        buffer = self._buffer
        _, _, data, _, start, end, total = packet
        length = VNET_HEADER + total
        buffer[:VNET_HEADER] = _NO_HEADER
        buffer[VNET_HEADER : VNET_HEADER + end - start] = data[start:end]
        if not self._received(buffer, length, self._from_outside(packet)):
            self.counters.dropped += 1
        else:
            now = buffer[VNET_HEADER + 2] << 8 | buffer[VNET_HEADER + 3]
            there = now - (total - (end - start))
            self._writer.translated(packet, buffer[VNET_HEADER : VNET_HEADER + there], now)
            self.counters.written += 1
        for other in self._more():
            self._writer.translated(packet, other[VNET_HEADER:], len(other) - VNET_HEADER)
            self.counters.written += 1
