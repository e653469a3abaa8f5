"""ICMP errors for tests: scapy builds them, and is asked whether the sums of what comes out are right."""

import struct
from ipaddress import IPv4Address

from scapy.layers.inet import ICMP, IP
from scapy.packet import Packet, Raw
from scapy.utils import checksum

from snat.nat.entry import Entry, Flag, State, TimeoutClass
from snat.translate.packet import START
from snat.translate.translator import Verdict
from tests.packets import buffer, parse
from tests.translate.nat import MAPPING, TRANSLATED, Nat

R = "192.0.2.1"
"""A router outside."""
G = "10.0.0.254"
"""A router inside."""
DESTINATION = {True: Verdict.TO_OUTSIDE, False: Verdict.TO_INSIDE}
ALL = 0xFFFF


def error(
    source: str,
    destination: str,
    quoted: Packet | bytes,
    kind: int = 3,
    code: int = 3,
    *,
    most: int = ALL,
    rest: bytes = bytes(4),
    **ip: object,
) -> Packet:
    """An error that quotes ``most`` bytes of a packet at most; ``rest`` is the second half of its header."""
    body = struct.pack("!BBH", kind, code, 0) + rest + bytes(quoted)[:most]
    body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    return IP(src=source, dst=destination, proto=1, **ip) / Raw(body)


def through(nat: Nat, packet: Packet | bytes, from_outside: bool, *, goes_out: bool | None = None) -> Packet:
    """What an error becomes that must be translated; everything that the error itself says is looked at."""
    filled, end = buffer(packet)
    before = parse(filled, end)
    verdict, outcome = nat.raw(filled, end, from_outside)
    assert outcome in ("icmp_errors", "icmp_bad_quote")
    assert verdict == DESTINATION[not from_outside if goes_out is None else goes_out]
    made = parse(filled, end)
    assert sums_are_right(bytes(made))
    assert (made.len, made.ttl, made.tos) == (before.len, before.ttl + nat.ttl_step, before.tos)
    assert (made[ICMP].type, made[ICMP].code) == (before[ICMP].type, before[ICMP].code)
    at = before.ihl * 4
    assert bytes(made)[20:at] == bytes(before)[20:at]
    assert bytes(made)[at + 4 : at + 8] == bytes(before)[at + 4 : at + 8]
    return made


def dropped(nat: Nat, packet: Packet | bytes, from_outside: bool) -> str:
    """Why a packet is dropped, which leaves it and the table as they are."""
    entries = sorted(nat.table)
    filled, end = buffer(packet)
    verdict, outcome = nat.raw(filled, end, from_outside)
    assert verdict == Verdict.DROP
    assert outcome not in TRANSLATED
    assert filled == buffer(packet)[0]
    assert sorted(nat.table) == entries
    return outcome


def quote(packet: Packet) -> bytes:
    """What an error quotes, with all that stands behind it."""
    return bytes(packet)[packet.ihl * 4 + 8 :]


def sums_are_right(data: bytes) -> bool:
    """Whether the checksums of the header and of the whole ICMP message are right."""
    size = (data[0] & 15) * 4
    return bool(checksum(data[:size]) == checksum(data[size:]) == 0)


def hops_later(packet: Packet, hops: int = 1) -> bytes:
    """The same packet after some routers."""
    later = IP(bytes(packet))
    later.ttl -= hops
    del later.chksum
    return bytes(later)


def raw_error(nat: Nat, data: bytes, virtio: bytes) -> tuple[bytearray, int, Verdict, str]:
    """Translate an error from outside that came with a virtio header."""
    filled, end = buffer(data)
    filled[:START] = virtio
    return filled, end, *nat.raw(filled, end, True)


def entry(
    inside_local: tuple[str, int],
    inside_global: tuple[str, int],
    outside_local: tuple[str, int],
    outside_global: tuple[str, int],
    *,
    protocol: int = 17,
    number: int = 1,
) -> bytes:
    """A record, as it came from a neighbor."""
    places = {
        name: value
        for name, (address, port) in {
            "inside_local": inside_local,
            "inside_global": inside_global,
            "outside_local": outside_local,
            "outside_global": outside_global,
        }.items()
        for name, value in ((name, IPv4Address(address).packed), (f"{name}_port", port))
    }
    fields = {"flags": Flag.EXTENDED, "state": State.OPEN, "timeout_class": TimeoutClass.UDP}
    return Entry(nat_id=9, number=number, mapping_id=MAPPING, protocol=protocol, **places, **fields).pack()  # type: ignore[arg-type]
