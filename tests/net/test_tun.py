"""The TUN in the reactor, on socket pairs: they keep packets apart as a TUN does."""

import errno
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from snat.net.refused import KernelRefused
from snat.net.tun import (
    BUFFER,
    MAX_PACKET,
    READS_PER_TURN,
    TUN_F_CSUM,
    TUN_F_TSO,
    TUN_F_USO,
    VNET_HEADER,
    Offload,
    Tun,
    open_tun,
    queue_drops,
    set_offload,
)
from snat.translate.offload import GSO_TCPV4, VIRTIO
from tests.packets import tcp

HEADER = bytes(VNET_HEADER)


@dataclass
class Device:
    """A Tun, the other end of its wire, and all it was told."""

    wire: socket.socket
    reactor: MemoryReactorClock
    tun: Tun = field(init=False)
    received: list[bytes] = field(default_factory=list)
    batches: int = 0
    losses: int = 0

    def on_packet(self, buffer: bytearray, length: int) -> None:
        self.received.append(bytes(buffer[:length]))

    def on_batch(self) -> None:
        self.batches += 1

    def on_loss(self) -> None:
        self.losses += 1


MakeDevice = Callable[[], Device]


@pytest.fixture
def make_device() -> Iterator[MakeDevice]:
    devices = []

    def make() -> Device:
        ours, wire = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        ours.setblocking(False)
        wire.setblocking(False)
        device = Device(wire, MemoryReactorClock())
        device.tun = Tun(
            ours.detach(), "snat-x", device.reactor, device.on_packet, device.on_batch, device.on_loss
        )
        devices.append(device)
        return device

    yield make
    for device in devices:
        device.tun.close()
        device.wire.close()


@pytest.fixture
def device(make_device: MakeDevice) -> Device:
    return make_device()


def test_is_a_read_descriptor(device: Device) -> None:
    assert verifyObject(IReadDescriptor, device.tun)
    assert device.tun.logPrefix() == "tun snat-x"


def test_delivers_each_packet_and_one_end_of_batch(device: Device) -> None:
    packets = [HEADER + bytes([0x45, number]) * 20 for number in range(3)]
    for packet in packets:
        device.wire.send(packet)
    assert device.tun.doRead() is None
    assert device.received == packets
    assert device.batches == 1
    assert device.tun.counters.packets_in == 3
    assert device.tun.counters.bytes_in == sum(map(len, packets))


def test_no_batch_without_packets(device: Device) -> None:
    assert device.tun.doRead() is None
    assert device.batches == 0


def test_leaves_the_turn_to_others_after_64_packets() -> None:
    # A socket pair queues fewer than 65 datagrams by default, hence a stream of one-byte reads from a file.
    reactor = MemoryReactorClock()
    received: list[int] = []
    with Path("/dev/zero").open("rb") as endless:
        tun = Tun(
            os.dup(endless.fileno()), "z", reactor, lambda _, length: received.append(length), lambda: None
        )
        assert tun.doRead() is None
        tun.close()
    assert received == [BUFFER] * READS_PER_TURN


def test_what_waits_is_served_at_once_and_is_no_batch(device: Device) -> None:
    packets = [HEADER + bytes([0x45, number]) for number in range(5)]
    for packet in packets:
        device.wire.send(packet)
    device.tun.serve()
    assert device.received == packets
    assert device.batches == 0
    assert device.tun.counters.packets_in == 5


def test_a_tun_that_fails_is_served_as_far_as_it_goes(device: Device) -> None:
    device.tun.close()
    device.tun.serve()
    assert device.received == []


def test_what_is_too_old_is_dropped_and_counted(device: Device) -> None:
    answers = [False, True, False]
    device.tun._late = lambda: answers.pop(0)
    for _ in range(3):
        for number in range(2):
            device.wire.send(HEADER + bytes([0x45, number]))
        assert device.tun.doRead() is None
    assert len(device.received) == 4
    assert device.tun.counters.dropped_stale == 2
    assert device.batches == 3, "the device takes a turn, and hears what happened meanwhile"


def test_the_longest_packet_fits_with_room_to_spare() -> None:
    assert BUFFER > VNET_HEADER + MAX_PACKET


def test_what_is_translated_in_place_leaves_by_the_other_tun(make_device: MakeDevice) -> None:
    inside, outside = make_device(), make_device()

    def translate(buffer: bytearray, length: int) -> None:
        buffer[VNET_HEADER] = 0x46
        outside.tun.write(memoryview(buffer)[:length])

    tun = Tun(os.dup(inside.tun.fileno()), "snat-i", inside.reactor, translate, inside.on_batch)
    inside.wire.send(HEADER + b"\x45abc")
    tun.doRead()
    tun.close()
    assert outside.wire.recv(100) == HEADER + b"\x46abc"
    assert outside.tun.counters.packets_out == 1
    assert outside.tun.counters.bytes_out == VNET_HEADER + 4


def test_a_full_queue_drops_and_counts_and_never_blocks(device: Device) -> None:
    for _ in range(10_000):
        device.tun.write(HEADER + bytes(1000))
        if device.tun.counters.dropped_full:
            break
    assert device.tun.counters.dropped_full == 1
    assert device.tun.counters.packets_out > 0


@pytest.mark.parametrize(
    ("number", "counter"),
    [
        (errno.EAGAIN, "dropped_full"),
        (errno.ENOBUFS, "dropped_full"),
        (errno.ENOMEM, "dropped_full"),
        (errno.EIO, "dropped_down"),
        (errno.EBADFD, "dropped_down"),
        (errno.EINVAL, "dropped_refused"),
        (errno.EFAULT, "dropped_refused"),
    ],
)
def test_every_failed_write_has_its_counter(
    device: Device, monkeypatch: pytest.MonkeyPatch, number: int, counter: str
) -> None:
    def fail(_fd: int, _data: bytes) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "write", fail)
    device.tun.write(HEADER)
    monkeypatch.undo()
    assert {name: value for name, value in asdict(device.tun.counters).items() if value} == {counter: 1}


SUPER_PACKET = VIRTIO.pack(1, GSO_TCPV4, 0, 100, 20, 16) + bytes(
    tcp("10.0.0.1", 5, "10.0.0.2", 80, "PA", bytes(250))
)


def refusing(answers: dict[bool, int]) -> Callable[[int, bytes], int]:
    """A kernel that refuses packets with a virtio header, or without, by these errors."""

    def write(_fd: int, data: bytes) -> int:
        if number := answers.get(any(data[:VNET_HEADER])):
            raise OSError(number, os.strerror(number))
        return len(data)

    return write


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_super_packet_the_kernel_refuses_is_cut(
    device: Device, monkeypatch: pytest.MonkeyPatch, kind: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setattr(os, "write", refusing({True: errno.EINVAL}))
    device.tun.write(kind(SUPER_PACKET))
    monkeypatch.undo()
    counters = {name: value for name, value in asdict(device.tun.counters).items() if value}
    assert counters == {"packets_out": 3, "bytes_out": 3 * 50 + 250, "cut": 1}


@pytest.mark.parametrize(
    ("data", "answers", "counted"),
    [
        (SUPER_PACKET[:100], {True: errno.EINVAL}, {"dropped_refused": 1}),
        (SUPER_PACKET, {True: errno.EINVAL, False: errno.EINVAL}, {"cut": 1, "dropped_refused": 3}),
        (SUPER_PACKET, {True: errno.EINVAL, False: errno.EAGAIN}, {"cut": 1, "dropped_full": 3}),
        (SUPER_PACKET, {True: errno.EAGAIN}, {"dropped_full": 1}),
    ],
    ids=["it is malformed", "segments are refused too", "no room for segments", "no room for it"],
)
def test_what_cannot_be_written_even_in_pieces_is_counted(
    device: Device,
    monkeypatch: pytest.MonkeyPatch,
    data: bytes,
    answers: dict[bool, int],
    counted: dict[str, int],
) -> None:
    monkeypatch.setattr(os, "write", refusing(answers))
    device.tun.write(data)
    monkeypatch.undo()
    assert {name: value for name, value in asdict(device.tun.counters).items() if value} == counted


def test_what_the_queue_had_no_room_for_is_read_from_the_kernels_own_count(tmp_path: Path) -> None:
    told = tmp_path / "dev"
    told.write_text(
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo\n"
        "    lo:       1  2    0    3    0     0   0  0  5   6    7  8    9     0  0  0\n"
        "snat-i:123456789  2    0    3    0     0   0  0  5   6    7  4000    9     0  0  0\n"
    )
    assert queue_drops(told) == {"lo": 8, "snat-i": 4000}
    assert "lo" in queue_drops()


def test_reads_only_between_start_and_stop(device: Device) -> None:
    device.tun.start()
    assert device.reactor.getReaders() == [device.tun]
    device.tun.stop()
    assert device.reactor.getReaders() == []
    device.tun.write(HEADER)
    assert device.tun.counters.packets_out == 1


def test_close_ends_everything_once(device: Device) -> None:
    device.tun.start()
    device.tun.close()
    device.tun.close()
    device.tun.write(HEADER)
    assert device.tun.fileno() == -1
    assert device.reactor.getReaders() == []
    assert device.tun.counters.dropped_down == 1
    assert device.losses == 0


def test_a_deleted_interface_is_lost_after_its_last_packets(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = [30, 40]

    def readv(_fd: int, _buffers: list[bytearray]) -> int:
        if not lengths:
            raise OSError(errno.EBADFD, "File descriptor in bad state")
        return lengths.pop()

    monkeypatch.setattr(os, "readv", readv)
    failure = device.tun.doRead()
    assert failure is not None
    assert failure.check(ConnectionLost)
    assert len(device.received) == 2
    assert device.batches == 1


def test_loss_closes_and_is_told_once(device: Device) -> None:
    device.tun.start()
    reason = Failure(ConnectionLost())
    device.tun.connectionLost(reason)
    device.tun.connectionLost(reason)
    assert device.losses == 1
    assert device.tun.fileno() == -1
    assert device.reactor.getReaders() == []


ALL = TUN_F_CSUM | TUN_F_TSO | TUN_F_USO
TCP = TUN_F_CSUM | TUN_F_TSO


@pytest.mark.parametrize(
    ("accepted", "granted"),
    [({ALL, TCP, 0}, ALL), ({TCP, 0}, TCP), ({0}, 0)],
    ids=["all", "a kernel before 6.2", "none"],
)
def test_offload_takes_the_most_the_kernel_offers(accepted: set[int], granted: int) -> None:
    def ioctl(_fd: int, _request: int, mask: int) -> int:
        if mask not in accepted:
            raise OSError(errno.EINVAL, "Invalid argument")
        return 0

    assert set_offload(7, Offload.AUTO, ioctl) == granted
    assert set_offload(7, Offload.OFF, ioctl) == 0


def test_offload_does_not_hide_other_errors() -> None:
    def ioctl(_fd: int, _request: int, _mask: int) -> int:
        raise OSError(errno.EBADFD, "File descriptor in bad state")

    with pytest.raises(OSError, match="bad state"):
        set_offload(7, Offload.AUTO, ioctl)


@pytest.mark.parametrize("name", ["", "sixteen-letters-"])
def test_a_name_no_interface_can_have_is_refused(name: str) -> None:
    with pytest.raises(KernelRefused, match="1 to 15 bytes"):
        open_tun(name)


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOENT, "modprobe tun"),
        (errno.EACCES, "run as root"),
        (errno.EMFILE, "Too many open files"),
    ],
)
def test_a_device_that_does_not_open_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    def fail(_path: str, _flags: int) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(KernelRefused, match=remedy):
        open_tun("snat-i")


def test_an_offload_that_the_kernel_refuses_is_told_and_a_closed_tun_is_not_asked(
    make_device: MakeDevice,
) -> None:
    device = make_device()  # a socket, which knows nothing of offload
    with pytest.raises(KernelRefused, match="cannot change the offload of the TUN"):
        device.tun.offload(Offload.OFF)
    device.tun.close()
    device.tun.offload(Offload.OFF)
