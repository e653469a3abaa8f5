"""Internet checksums, whole and incremental (RFC 1071, RFC 1624).

2^16 is 1 modulo 65535, so the sum of the 16-bit words of some bytes is the bytes, as one integer, modulo
65535; four times faster than adding words.
"""


def words(data: bytes) -> int:
    """Ones' complement sum of the 16-bit words of an even number of bytes, reduced modulo 65535."""
    return int.from_bytes(data, "big") % 0xFFFF


def delta(old: bytes, new: bytes) -> int:
    """What replacing ``old`` by ``new`` (even length, even offset) adds to the sum under a checksum."""
    return (int.from_bytes(new, "big") - int.from_bytes(old, "big")) % 0xFFFF


def adjust(checksum: int, difference: int) -> int:
    """The checksum after the sum under it grew by ``difference``: RFC 1624 Eqn 3."""
    total = (checksum ^ 0xFFFF) + difference
    return ((total & 0xFFFF) + (total >> 16)) ^ 0xFFFF


def checksum_of(data: bytes) -> int:
    """The checksum over data that has zeros, or the sum of a pseudo header, in the checksum's place."""
    total = words(data if len(data) % 2 == 0 else data + b"\0")
    return (total or (0xFFFF if any(data) else 0)) ^ 0xFFFF


def header_is_valid(header: bytes) -> bool:
    """Whether an IPv4 header with its checksum in place sums up to zero."""
    value = int.from_bytes(header, "big")
    return value > 0 and value % 0xFFFF == 0
