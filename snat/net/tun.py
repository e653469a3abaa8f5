"""TUN devices with the virtio header, so that super-packets of 64 KiB pass with one rewrite.

A packet is read with 10 bytes before it (``struct virtio_net_hdr``, native byte order): flags,
gso_type, hdr_len, gso_size, csum_start, csum_offset. With the flag NEEDS_CSUM the transport checksum
holds the folded pseudo-header sum only; the header is written back as it was read.

A TUN is not persistent: when its process ends, however it ends, the interface, its addresses and its
routes are gone, and the blackholes of :mod:`snat.net.kernel` take over.
"""

import errno
import fcntl
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from snat.net.log import MESSAGES
from snat.net.refused import KernelRefused
from snat.translate.offload import plain

VNET_HEADER: Final = 10
"""Bytes before each packet."""
MAX_PACKET: Final = 65535
"""The longest IPv4 packet, and the longest super-packet the kernel makes."""
BUFFER: Final = VNET_HEADER + MAX_PACKET + 1 + 4096
"""Bytes of a read buffer: the longest packet, and room for a translator to make one longer in place.
A shorter buffer would truncate silently."""
READS_PER_TURN: Final = 64
"""Packets read before the reactor looks at anything else."""
MOST_WAITING: Final = 4096
"""Packets that are read where all that wait are meant: somewhat more than the queue of a TUN has room for."""

DEVICE: Final = "/dev/net/tun"
TUNSETIFF: Final = 0x400454CA
TUNSETOFFLOAD: Final = 0x400454D0
TUNSETVNETHDRSZ: Final = 0x400454D8
IFF_TUN: Final = 0x0001
IFF_NO_PI: Final = 0x1000
IFF_VNET_HDR: Final = 0x4000
IFF_TUN_EXCL: Final = 0x8000
"""Fail if the interface exists: a second daemon in one namespace must not share ours."""
TUN_F_CSUM: Final = 0x01
TUN_F_TSO: Final = 0x02 | 0x04 | 0x08
"""TSO4, TSO6 and TSO_ECN."""
TUN_F_USO: Final = 0x20 | 0x40
"""USO4 and USO6, which the kernel accepts only together, from Linux 6.2."""
_IFREQ: Final = struct.Struct("16sH22x")
IFNAMSIZ: Final = 15
"""Longest interface name, in bytes."""

_TRANSMIT_DROPS: Final = 11
"""The column of ``/proc/net/dev``, counted from 0: eight of receiving, then bytes, packets, errs, drop."""
_FULL: Final = frozenset((errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM))
_DOWN: Final = frozenset((errno.EIO, errno.EBADF, errno.EBADFD))


class Offload(StrEnum):
    """``offload auto|off``: whether the kernel may hand us super-packets."""

    AUTO = "auto"
    """All the kernel offers: TCP and UDP segmentation, else TCP, else none."""
    OFF = "off"
    """Single packets with complete checksums."""


_MASKS: Final = {
    Offload.AUTO: (TUN_F_CSUM | TUN_F_TSO | TUN_F_USO, TUN_F_CSUM | TUN_F_TSO, 0),
    Offload.OFF: (0,),
}


def open_tun(name: str, offload: Offload = Offload.AUTO) -> int:
    """Create the TUN interface ``name``, down and without addresses; returns its non-blocking descriptor.

    Raises :class:`KernelRefused` if the name is too long or taken (by another daemon, too), if there is no
    ``/dev/net/tun``, or if we may not.
    """
    if not 0 < len(name.encode()) <= IFNAMSIZ:
        raise KernelRefused(
            "not the name of an interface", where=name or "''", remedy=f"use 1 to {IFNAMSIZ} bytes"
        )
    descriptor = -1
    try:
        descriptor = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK)
        flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL
        fcntl.ioctl(descriptor, TUNSETIFF, _IFREQ.pack(name.encode(), flags))
        fcntl.ioctl(descriptor, TUNSETVNETHDRSZ, struct.pack("i", VNET_HEADER))
        set_offload(descriptor, offload)
    except OSError as error:
        if descriptor >= 0:
            os.close(descriptor)
        raise KernelRefused(f"cannot open the TUN {name}", where=DEVICE, remedy=_remedy(error)) from error
    return descriptor


def set_offload(
    descriptor: int, offload: Offload, ioctl: Callable[[int, int, int], object] = fcntl.ioctl
) -> int:
    """Ask for the most this kernel offers; returns the mask it accepted (0: plain packets)."""
    masks = _MASKS[offload]
    for mask in masks[:-1]:
        try:
            ioctl(descriptor, TUNSETOFFLOAD, mask)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        else:
            return mask
    ioctl(descriptor, TUNSETOFFLOAD, masks[-1])
    return masks[-1]


def _remedy(error: OSError) -> str:
    match error.errno:
        case errno.EBUSY:
            return "an interface of this name exists: end the other snat, or `ip link del` what is in the way"
        case errno.EPERM | errno.EACCES:
            return "run as root, or with CAP_NET_ADMIN and access to the device"
        case errno.ENOENT | errno.ENODEV | errno.ENXIO:
            return "the kernel has no TUN driver here: `modprobe tun`, or give the container the device"
    return f"the kernel says: {error.strerror}"


@dataclass(slots=True)
class TunCounters:
    """What passed a TUN. Packets are counted as read and written: a super-packet is one."""

    packets_in: int = 0
    packets_out: int = 0
    bytes_in: int = 0
    """With the 10 bytes of each virtio header."""
    bytes_out: int = 0
    dropped_full: int = 0
    """Not written: the kernel had no room. We never wait for it."""
    dropped_refused: int = 0
    """Not written: the kernel found the packet or its virtio header malformed."""
    dropped_down: int = 0
    """Not written: the interface is down or gone."""
    dropped_queue: int = 0
    """Not read: they came faster than we read, and the queue of the TUN was full (:func:`queue_drops`)."""
    dropped_stale: int = 0
    """Read and not looked at: this router was paused, and may have lost its role since."""
    cut: int = 0
    """Written as plain packets, because the kernel refused their virtio header."""


def queue_drops(devices: Path = Path("/proc/thread-self/net/dev")) -> dict[str, int]:
    """What the kernel dropped on the way out of each interface: of a TUN, what its queue had no room for."""
    _, _, *lines = devices.read_text().splitlines()
    parted = (line.partition(":") for line in lines)
    return {name.strip(): int(numbers.split()[_TRANSMIT_DROPS]) for name, _, numbers in parted}


@implementer(IReadDescriptor)
class Tun:
    """One TUN in the reactor. Reads in batches into one buffer of its own; writes at once or drops.

    ``received(buffer, length)`` is called for each packet read: ``buffer[0:10]`` is the virtio header,
    ``buffer[10:length]`` the packet. The callee translates in place and writes a ``memoryview`` of it to
    the other TUN before it returns; the buffer is then used again. It must not raise: the reactor would
    drop the device. ``batch_done()`` is called once after each batch. ``lost()`` is called if somebody
    deletes the interface under us, with the descriptor already closed.

    A packet whose virtio header the kernel refuses on writing (EINVAL, seen with some kernels and short last
    segments) is completed and cut by us, and written as plain packets.
    """

    log = Logger(observer=MESSAGES)

    def __init__(
        self,
        fd: int,
        name: str,
        reactor: IReactorFDSet,
        received: Callable[[bytearray, int], None],
        batch_done: Callable[[], None],
        lost: Callable[[], None] | None = None,
        late: Callable[[], bool] = lambda: False,
    ) -> None:
        """``late()`` says, once before each batch, whether what waits is too old to be looked at."""
        self.name = name
        self.counters = TunCounters()
        self._fd = fd
        self._reactor = reactor
        self._received = received
        self._batch_done = batch_done
        self._lost = lost
        self._late = late
        self._buffer = bytearray(BUFFER)

    def start(self) -> None:
        """Begin to read."""
        self._reactor.addReader(self)

    def stop(self) -> None:
        """Stop reading; packets wait in the kernel's queue and overflow there. Writing still works."""
        self._reactor.removeReader(self)

    def offload(self, wanted: Offload) -> None:
        """From now on take super-packets, or none; those that wait already come as they are.

        Of a closed TUN nothing is asked. Raises :class:`KernelRefused`.
        """
        if self._fd < 0:
            return
        try:
            set_offload(self._fd, wanted)
        except OSError as error:
            raise KernelRefused(
                f"cannot change the offload of the TUN {self.name}", where=DEVICE, remedy=_remedy(error)
            ) from error

    def close(self) -> None:
        """Stop, and let the interface vanish with all its addresses and routes; no error if it has."""
        self.stop()
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def write(self, view: memoryview | bytearray | bytes) -> None:
        """Write one packet with its virtio header; drops and counts what the kernel will not take."""
        counters = self.counters
        try:
            counters.bytes_out += os.write(self._fd, view)
        except OSError as error:
            if error.errno == errno.EINVAL and any(view[:2]):  # flags and gso_type
                self._write_plain(bytes(view))
            else:
                self._count_drop(error.errno)
        else:
            counters.packets_out += 1

    def _write_plain(self, data: bytes) -> None:
        """Write what the packet stands for without a virtio header; what then fails is counted."""
        packets = plain(data)
        if not packets:
            self.counters.dropped_refused += 1
            return
        self.counters.cut += 1
        for packet in packets:
            self.write(packet)

    def _count_drop(self, number: int | None) -> None:
        if number in _FULL:
            self.counters.dropped_full += 1
        elif number in _DOWN:
            self.counters.dropped_down += 1
        else:
            self.counters.dropped_refused += 1

    def doRead(self) -> Failure | None:
        """Read what waits, 64 packets at most; the reactor comes again for the rest."""
        if self._late():
            self.counters.dropped_stale += self._read(MOST_WAITING, _unseen)[0]
            self._batch_done()
            return None
        packets, failure = self._read(READS_PER_TURN, self._received)
        if packets:
            self._batch_done()
        return failure

    def serve(self) -> None:
        """Read all that waits now, before something changes for what comes."""
        self._read(MOST_WAITING, self._received)  # if it fails, the reactor will meet that

    def _read(self, most: int, received: Callable[[bytearray, int], None]) -> tuple[int, Failure | None]:
        """How many packets there were, and what went wrong."""
        fd, buffer, readv = self._fd, self._buffer, os.readv
        vector = [buffer]
        packets = octets = 0
        failure: Failure | None = None
        for _ in range(most):
            try:
                length = readv(fd, vector)
            except BlockingIOError:
                break
            except OSError as error:
                failure = Failure(ConnectionLost(str(error)))
                break
            packets += 1
            octets += length
            received(buffer, length)
        self.counters.packets_in += packets
        self.counters.bytes_in += octets
        return packets, failure

    def connectionLost(self, reason: Failure) -> None:
        """The reactor gave the device up: the interface was deleted, or the reactor stops."""
        if self._fd < 0:
            return
        self.log.error(
            "{tun} is gone: {reason}",
            tun=self.name,
            reason=reason.getErrorMessage(),
            mnemonic="SNAT-2-INTERFACE",
        )
        self.close()
        if self._lost is not None:
            self._lost()

    def fileno(self) -> int:
        """The descriptor; -1 once closed."""
        return self._fd

    def logPrefix(self) -> str:
        """How the reactor names us in its log."""
        return f"tun {self.name}"


def _unseen(_buffer: bytearray, _length: int) -> None:
    """What is done with a packet that is not looked at."""
