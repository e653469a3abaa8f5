"""Addresses as text protocols write them."""

import re
from ipaddress import AddressValueError, IPv4Address

ADDRESS = rb"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
"""What may be a dotted address; :func:`packed` tells."""

MAX_PORT = 65535
_NUMBER = re.compile(rb"[0-9]{1,10}")


def dotted(address: bytes) -> bytes:
    """4 bytes in network order as text: ``192.0.2.1``."""
    return b"%d.%d.%d.%d" % tuple(address)


def packed(text: bytes) -> bytes | None:
    """The 4 bytes of a dotted address; None: it is none (leading zeros are refused: octal to some)."""
    try:
        return IPv4Address(text.decode("ascii")).packed
    except (AddressValueError, UnicodeDecodeError):
        return None


def number(text: bytes, largest: int) -> int | None:
    """An unsigned decimal number of at most ten digits up to ``largest``; None: it is none."""
    if not _NUMBER.fullmatch(text):
        return None
    value = int(text)
    return value if value <= largest else None
