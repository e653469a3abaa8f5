"""A capture replayed in the TUNs' place."""

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from snat.net.capture_frame import CapturedPacket, CaptureError
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
        from_outside: Callable[[bytes], bool],
    ) -> None:
        """Replay from ``reader`` to ``writer`` once started.

        ``received(buffer, length, from_outside)`` is told the bytes in the buffer, virtio header
        included, and answers whether the packet goes on. ``from_outside`` decides by the 4 bytes of the
        destination address: one of a pool's comes from outside.
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
        self._buffer = bytearray(BUFFER)
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
            self._replay_batch()
            if self._reader.ended:
                self._writer.flush()
        except (CaptureError, OSError):
            self.finished.errback(Failure())
            return
        if self._reader.ended:
            self.finished.callback(None)
        else:
            self._call = self._reactor.callLater(0, self._turn)

    def _replay_batch(self) -> None:
        """Records, not packets, are counted: a capture full of ARP takes no longer turns."""
        try:
            for packet in self._reader.batch(READS_PER_TURN):
                self._replay(packet)
        finally:
            self._batch_done()

    def _replay(self, packet: CapturedPacket) -> None:
        buffer = self._buffer
        _, _, data, _, start, end, total = packet
        length = VNET_HEADER + total
        buffer[:VNET_HEADER] = _NO_HEADER
        buffer[VNET_HEADER : VNET_HEADER + end - start] = data[start:end]
        if not self._received(buffer, length, self._from_outside(data[start + 16 : start + 20])):
            self.counters.dropped += 1
            return
        now = buffer[VNET_HEADER + 2] << 8 | buffer[VNET_HEADER + 3]
        there = now - (total - (end - start))
        self._writer.translated(packet, buffer[VNET_HEADER : VNET_HEADER + there], now)
        self.counters.written += 1
