"""The target ``translator``: any bytes as packets from either side, into a translator with flows in it.

An input is a sequence of frames: a control byte, how much time passes, a length, and a packet. The control
byte says which side the packet is from and which of its lengths and checksums are mended before it is sent,
so that damage gets past the checks that would refuse it. What must hold: nothing raises; a checksum that was
right is right when the packet leaves, and a wrong one as wrong as it was; no inside address leaves, and no
packet for a pool address comes in untranslated; nothing behind the end of a packet is touched.
"""

import random
from collections.abc import Hashable, Iterator, Sequence
from ipaddress import IPv4Address
from struct import Struct
from typing import Final

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_LSRR, IPOption_RR, fragment
from scapy.packet import Packet, Raw

from snat.translate.packet import CHECKSUM_AT, FRAGMENT, MINIMUM, NEEDS_CHECKSUM, START
from snat.translate.translator import Verdict
from tests.fuzz.script import Script
from tests.packets import bare, dccp, echo, raw_echo, raw_tcp, raw_udp, tcp, timestamp, udp, udp_lite
from tests.translate.nat import A, B, Nat, P, S, T

FROM_OUTSIDE, MEND_HEADER, MEND_TRANSPORT, PARTIAL, MEND_LENGTH, TRAILER, NONE = (
    1 << bit for bit in range(7)
)
_FRAME: Final = Struct("!BBH")
_PACE: Final = (0.0, 0.0, 0.0, 0.1, 1.0, 30.0, 61.0, 301.0)
_VIRTIO: Final = Struct("=BBHHHH")
_BEHIND: Final = b"\xaa" * 64
"""What lies in the buffer behind a packet."""
_INSIDE: Final = 10
"""The first byte of every inside address."""
_POOL: Final = IPv4Address(P).packed
_ROOM: Final = START + 65535 + len(_BEHIND)
_MAY_BE_0: Final = (17, 136)
"""Protocols in which a checksum of 0 is none: UDP, and UDP-Lite, which must have one."""
PORT: Final = 5000
"""Of the flows that exist: inside hosts A and B with outside host S."""


def translator(data: bytes) -> Hashable:
    """Frames, one after the other; what became of each of the first, and all counters that moved."""
    world = _World()
    script = Script(data)
    path = []
    while script:
        control, pace = script.byte(), script.choice(_PACE)
        packet = script.take(script.integer(16))
        if pace:
            world.nat.wait(pace)
        path.append(world.send(control, packet))
    moved = frozenset(name for name, value in world.nat.outcomes().items() if value)
    return moved, tuple(path[:6])


class _World:
    """A translator with some flows, and a buffer as a TUN has it."""

    def __init__(self) -> None:
        self.nat = Nat()
        self._buffer = bytearray(_ROOM)
        s = IPv4Address(S).packed
        for number, host in enumerate((A, B)):
            near = IPv4Address(host).packed
            for packet, from_outside in (
                (raw_udp(near, PORT, s, 53), False),
                (raw_tcp(near, PORT, s, 80, 0x02), False),
                (raw_echo(near, s, PORT + number), False),
                (raw_tcp(s, 80, _POOL, PORT, 0x12), True),
                (raw_tcp(near, PORT, s, 80, 0x10), False),
            ):
                self.send(FROM_OUTSIDE if from_outside else 0, packet)

    def send(self, control: int, packet: bytes) -> Hashable:
        """Translate one packet and look at what comes out."""
        mended, virtio = _mended(control, packet)
        if control & TRAILER:
            mended += bytes(range(20))
        end = START + len(mended)
        self._buffer[: end + len(_BEHIND)] = virtio + mended + _BEHIND
        nat, from_outside = self.nat, bool(control & FROM_OUTSIDE)
        verdict = nat.translator.translate(self._buffer, end, from_outside, nat.now)
        if verdict is Verdict.DROP:
            return "drop"
        out = bytes(self._buffer[START:end])
        partial = bool(virtio[0])
        if verdict is Verdict.TO_OUTSIDE:
            assert out[12] != _INSIDE, "an inside address leaves"
        else:
            assert out[16:20] != _POOL, "nobody inside has a pool address"
        self._check_translated(mended, out, partial)
        assert self._buffer[end : end + len(_BEHIND)] == _BEHIND
        return int(verdict), out[9]

    def _check_translated(self, before: bytes, out: bytes, partial: bool) -> None:
        assert (out[:4], out[6:8], out[9]) == (before[:4], before[6:8], before[9])
        assert out[8] == before[8] + self.nat.ttl_step
        ihl, total = (out[0] & 15) * 4, int.from_bytes(out[2:4], "big")
        assert out[total:] == before[total:], "a trailer"
        assert _words(out[:ihl]) == _words(before[:ihl]), "the header's checksum"
        if int.from_bytes(out[6:8], "big") & 0x1FFF:
            assert out[ihl:] == before[ihl:], "a later fragment has no ports"
            return
        for one in (before, out):
            assert partial or _has_checksum(one[:total]) == _has_checksum(before[:total])
        if partial:
            assert _partial_residue(out[:total]) == _partial_residue(before[:total]), "the partial checksum"
        elif _has_checksum(before[:total]):
            assert _residue(out[:total]) == _residue(before[:total]), "the transport's checksum"


def _mended(control: int, packet: bytes) -> tuple[bytes, bytes]:
    """The packet with what the control byte says made right, and its virtio header."""
    virtio = bytes(START)
    if len(packet) < 20:
        return packet, virtio
    made = bytearray(packet)
    if control & MEND_LENGTH:
        made[2:4] = len(made).to_bytes(2, "big")
    ihl, total, protocol = (made[0] & 15) * 4, int.from_bytes(made[2:4], "big"), made[9]
    whole = ihl >= 20 and ihl + MINIMUM.get(protocol, 70000) <= total <= len(made)
    whole = whole and not int.from_bytes(made[6:8], "big") & FRAGMENT
    if whole and control & (MEND_TRANSPORT | PARTIAL | NONE):
        at = ihl + CHECKSUM_AT[protocol]
        made[at : at + 2] = b"\0\0"
        if control & NONE and protocol in _MAY_BE_0:
            pass
        elif control & PARTIAL and protocol != 1:
            made[at : at + 2] = _words(_pseudo(bytes(made), total - ihl)).to_bytes(2, "big")
            virtio = _VIRTIO.pack(NEEDS_CHECKSUM, 0, 0, 0, ihl, CHECKSUM_AT[protocol])
        else:
            rest = _residue(bytes(made[:total]))
            made[at : at + 2] = (0xFFFF - rest).to_bytes(2, "big")
    if control & MEND_HEADER and 20 <= ihl <= len(made):
        made[10:12] = b"\0\0"
        made[10:12] = (0xFFFF - _words(bytes(made[:ihl]))).to_bytes(2, "big")
    return bytes(made), virtio


def _words(data: bytes) -> int:
    return int.from_bytes(data + b"\0" * (len(data) % 2), "big") % 0xFFFF


def _pseudo(packet: bytes, length: int) -> bytes:
    return bytes(packet[12:20]) + bytes((0, packet[9])) + length.to_bytes(2, "big")


def _has_checksum(packet: bytes) -> bool:
    """Whether there is one that a translation must mend; 0 says that there is none, or is refused."""
    ihl, protocol = (packet[0] & 15) * 4, packet[9]
    if protocol not in CHECKSUM_AT or len(packet) < ihl + MINIMUM[protocol]:
        return False
    return protocol not in _MAY_BE_0 or packet[ihl + 6 : ihl + 8] != b"\0\0"


def _residue(packet: bytes) -> int:
    """What is left when the transport's checksum is checked; 0 if it is right, of a whole packet."""
    ihl = (packet[0] & 15) * 4
    pseudo = b"" if packet[9] == 1 else _pseudo(packet, len(packet) - ihl)
    return _words(pseudo + packet[ihl:])


def _partial_residue(packet: bytes) -> int:
    """How far a partial checksum is from the sum of the pseudo header."""
    ihl = (packet[0] & 15) * 4
    at = ihl + CHECKSUM_AT[packet[9]]
    return (int.from_bytes(packet[at : at + 2], "big") - _words(_pseudo(packet, len(packet) - ihl))) % 0xFFFF


# Inputs


def _real() -> Iterator[tuple[int, Packet]]:
    """Packets of all kinds, with the side each is from."""
    for host in (A, B):
        yield 0, udp(host, PORT, S, 53, b"question")
        yield 0, udp(host, PORT, T, 5353, b"to another", flags=0)
        yield 0, tcp(host, PORT, S, 80, "PA", b"data", seq=1)
        yield 0, tcp(host, PORT, S, 80, "FA")
        yield 0, tcp(host, PORT + 2, T, 443, "S")
        yield 0, echo(host, S, PORT)
        yield 0, udp(host, PORT, P, PORT, b"hairpin")
        yield 0, tcp(host, PORT, P, PORT, "S")
    # Translated, its checksum comes out as 0, which a UDP datagram must not have.
    rest = _words(_pseudo(zero := raw_udp(_POOL, PORT, IPv4Address(S).packed, 53, b"\0\0"), 10) + zero[20:26])
    yield 0, udp(A, PORT, S, 53, (0xFFFF - rest).to_bytes(2, "big"))
    yield 1, udp(S, 53, P, PORT, b"answer")
    yield 1, udp(S, 54, P, PORT, b"from another port")
    yield 1, udp(T, 53, P, PORT, b"from another host")
    yield 1, tcp(S, 80, P, PORT, "PA", b"data")
    yield 1, tcp(S, 80, P, PORT, "R")
    yield 1, tcp(S, 80, P, PORT, "FA")
    yield 1, echo(S, P, PORT, reply=True)
    for told in (ICMP(type=3, code=4, nexthopmtu=1300), ICMP(type=11), ICMP(type=3, code=3), ICMP(type=5)):
        for quoted in (udp(P, PORT, S, 53), tcp(P, PORT, S, 80, "A"), echo(P, S, PORT)):
            yield 1, IP(src=T, dst=P) / told / Raw(bytes(quoted)[:28])
            yield 1, IP(src=T, dst=P) / told / Raw(bytes(quoted))
        yield 0, IP(src=A, dst=S) / told / Raw(bytes(udp(S, 53, A, PORT)))
    for host, side, whom in ((A, 0, S), (B, 0, S), (S, 1, P), (T, 1, P)):
        yield side, timestamp(host, whom, PORT, reply=side == 1)
        yield side, bare(host, whom, 33, dccp(0, b"data"))
        yield side, bare(host, whom, 136, udp_lite(8, b"data"))
        for protocol in (2, 4, 41, 47, 50, 51, 132, 253):
            yield side, bare(host, whom, protocol)
    for group in ("224.0.0.5", "239.1.2.3", "255.255.255.255"):
        yield 0, bare(A, group, 89)
        yield 0, udp(B, PORT, group, 5353)
    for part in fragment(bare(A, S, 47, bytes(600), id=9), 200):
        yield 0, part
    for part in fragment(udp(A, PORT, S, 53, bytes(600), flags=0, id=7), 200):
        yield 0, part
    for part in reversed(fragment(udp(S, 53, P, PORT, bytes(600), flags=0, id=7), 200)):
        yield 1, part
    yield 0, IP(src=A, dst=S, options=[IPOption_RR(routers=["0.0.0.0"] * 3)]) / UDP(sport=PORT, dport=53)
    yield 0, IP(src=A, dst=S, options=[IPOption_LSRR(routers=[T])]) / TCP(sport=PORT, dport=80)
    yield 0, IP(src=A, dst=S, proto=47) / Raw(b"\x30\x01\x88\x0b\0\0\0\x07")
    yield 0, IP(src=A, dst=S, proto=50) / Raw(bytes(40))
    yield 1, IP(src=S, dst=P, proto=132) / Raw(bytes(40))
    yield 0, IP(src="192.168.1.1", dst=S) / UDP(sport=PORT, dport=53)
    yield 0, udp(A, 0, S, 0, b"")
    yield 0, IP(src=A, dst=S, ttl=1) / UDP(sport=PORT, dport=53)


def frame(control: int, packet: bytes, pace: int = 0) -> bytes:
    """One frame of an input."""
    return _FRAME.pack(control, pace, len(packet)) + packet


def real_packets() -> Sequence[bytes]:
    """Each real packet alone and mended, partial, with a trailer; and all of them in one conversation."""
    mend = MEND_HEADER | MEND_TRANSPORT
    made = [(side, bytes(packet)) for side, packet in _real()]
    alone = [frame(side | mend | MEND_LENGTH, packet) for side, packet in made]
    partial = [frame(side | MEND_HEADER | PARTIAL, packet) for side, packet in made]
    none = [frame(side | MEND_HEADER | NONE, packet) for side, packet in made if packet[9] == 17]
    trailing = [frame(side | mend | TRAILER, packet) for side, packet in made[:8]]
    return [*alone, *partial, *none, *trailing, b"".join(frame(side, packet) for side, packet in made)]


def arbitrary(dice: random.Random) -> bytes:
    """Frames of any bytes; most begin as an IPv4 header might, between hosts that have flows."""
    frames = []
    for _ in range(dice.randint(1, 6)):
        body = bytearray(dice.randbytes(dice.choice((0, 5, 19, 20, 28, 40, 60, 600))))
        if dice.random() < 0.8 and len(body) >= 20:
            body[0] = dice.choice((0x45, 0x45, 0x45, 0x46, 0x4F))
            body[6:8] = dice.choice((b"\x40\0", b"\0\0", b"\x20\0", b"\0\x01", b"\0\x20"))
            body[8:10] = bytes((64, dice.choice((1, 6, 17, 17, 6, 1, 33, 47, 51, 132, 136))))
            ends = [IPv4Address(one).packed for one in (A, B, P, S, T)]
            body[12:20] = dice.choice(ends) + dice.choice(ends)
            if len(body) >= 24 and dice.random() < 0.7:
                body[20:24] = b"".join(dice.choice((PORT, 53, 80)).to_bytes(2, "big") for _ in range(2))
        control = dice.getrandbits(7) | (MEND_HEADER | MEND_LENGTH if dice.random() < 0.8 else 0)
        frames.append(frame(control, bytes(body), dice.randrange(256)))
    return b"".join(frames)
