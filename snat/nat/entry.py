r"""The NAT entry (Fig. 4B): one record for the table, the wire and the look-up keys.

A record is a :class:`bytes`. Its fixed part is laid out so that the keys of the table are contiguous
slices of it, the protocol shared between the two endpoints::

    0          4          12        16          20          22         23          27          29     35    41
    | NAT ID 4 | number 8 | mapping | IL addr 4 | IL port 2 | protocol | IG addr 4 | IG port 2 | OL 6 | OG 6 |
    \_________ id ________/         \____ inside-local endpoint _______/
                                                            \____ inside-global endpoint ______/
    41       43      44           45                     -4
     | flags 2 | state 1 | time-out class 1 | application context ... | remaining 4 |

Everything but ``remaining`` is what the digest covers. The length of the context is the record's own.
Ports are 0 where the protocol has none; an ICMP query has its identifier in the place of both inside
ports and of the outside ports. A simple entry names no outside host: OL and OG are zero.
"""

import struct
from enum import IntEnum, IntFlag
from typing import Final, NamedTuple

FIXED: Final = struct.Struct("!IQI 4sH B 4sH 4sH 4sH HBB".replace(" ", ""))
"""The part that the digest covers, before the context."""
TAIL: Final = struct.Struct("!I")
"""Remaining seconds; left out of the digest because it never stands still."""

FIXED_SIZE: Final = FIXED.size
PLAIN_SIZE: Final = FIXED.size + TAIL.size
"""Bytes of a record without application context: nearly all of them."""
MAXIMUM_CONTEXT: Final = 4096
"""More application state than any gateway needs; bounds what a neighbor can make us keep per entry."""
MAXIMUM_SIZE: Final = PLAIN_SIZE + MAXIMUM_CONTEXT

ID: Final = slice(0, 12)
NAT_ID: Final = slice(0, 4)
MAPPING: Final = slice(12, 16)
INSIDE_LOCAL: Final = slice(16, 23)
"""Key of the inside index: address, port, protocol."""
INSIDE_GLOBAL: Final = slice(22, 29)
"""Key of the outside index: protocol, address, port."""
OUTSIDE_LOCAL: Final = slice(29, 35)
"""What an inside host calls the outside host: tells flows of one inside-local endpoint apart."""
OUTSIDE_GLOBAL: Final = slice(35, 41)
"""What the outside host calls itself: tells flows of one inside-global endpoint apart."""
REFERENCE: Final = slice(0, 41)
"""What a delete carries: the id, the mapping and both keys."""
REFERENCE_SIZE: Final = 41
FLAGS: Final = 42
"""The lower byte of the flags, which has all that there are."""
STATE: Final = 43
TIMEOUT_CLASS: Final = 44

NOWHERE: Final = bytes(6)
"""The outside endpoint of a simple entry."""
NEVER: Final = 0xFFFFFFFF
"""Remaining time of an entry that does not age."""

LOCAL_NAT_ID: Final = 0
"""Entries of this device alone: never sent."""
INCARNATION_BITS: Final = 24
COUNTER_BITS: Final = 40


class Flag(IntFlag):
    """What kind of entry it is."""

    STATIC = 1
    EXTENDED = 2
    """It names an outside host."""
    OUTSIDE = 4
    """A simple entry of an outside rule: an outside host's two addresses, and no inside ones."""
    DESTINATION = 8
    """A flow from outside that a rotary pool gave to one of its hosts."""
    EXPECTED = 16
    """No flow yet: a gateway heard that there will be one. Port 0 of an end stands for any."""
    INBOUND = 32
    """An outside host began it."""


class State(IntEnum):
    """Where the transport is (RFC 7857 section 2 for TCP)."""

    OPEN = 0
    """A protocol without states."""
    TRANSITORY = 1
    """A TCP connection whose other side has not answered."""
    ESTABLISHED = 2
    CLOSING = 3
    """A FIN from both sides, or a RST."""


class TimeoutClass(IntEnum):
    """Which of the configured time-outs ages the entry, apart from its state."""

    UDP = 0
    TCP = 1
    ICMP = 2
    STATIC = 3
    """Never."""
    OTHER = 4
    """Simple entries, and flows of protocols that have no time-out of their own."""


class Entry(NamedTuple):
    """A record with a name for every field (Fig. 4B 452-466, and what practice adds)."""

    nat_id: int
    number: int
    mapping_id: int
    inside_local: bytes
    """4 bytes, network order, as are all addresses here."""
    inside_local_port: int
    protocol: int
    inside_global: bytes
    inside_global_port: int
    outside_local: bytes
    outside_local_port: int
    outside_global: bytes
    outside_global_port: int
    flags: int
    state: int
    timeout_class: int
    context: bytes = b""
    remaining: int = NEVER
    """Seconds until it ages out as of when the record was made; a duration, never a date."""

    def pack(self) -> bytes:
        """The record. Raises ValueError for a context longer than MAXIMUM_CONTEXT."""
        if len(self.context) > MAXIMUM_CONTEXT:
            raise ValueError(f"application context of {len(self.context)} bytes; at most {MAXIMUM_CONTEXT}")
        return FIXED.pack(*self[:15]) + self.context + TAIL.pack(self.remaining)

    @classmethod
    def unpack(cls, record: bytes) -> "Entry":
        """The fields of a record whose length the caller has checked."""
        (remaining,) = TAIL.unpack_from(record, len(record) - TAIL.size)
        return cls._make((*FIXED.unpack_from(record), record[FIXED_SIZE : -TAIL.size], remaining))


def entry_number(incarnation: int, counter: int) -> int:
    """The number of the counter-th entry of an incarnation; never reused, so a late delete cannot hit it."""
    return (incarnation & ((1 << INCARNATION_BITS) - 1)) << COUNTER_BITS | counter


def with_state(record: bytes, state: int, remaining: int) -> bytes:
    """The record in another transport state."""
    return record[:STATE] + bytes((state,)) + record[STATE + 1 : -TAIL.size] + TAIL.pack(remaining)


def context_of(record: bytes) -> bytes:
    """Its application context."""
    return record[FIXED_SIZE : -TAIL.size]


def with_context(record: bytes, context: bytes) -> bytes:
    """The record with another application context, of at most MAXIMUM_CONTEXT bytes."""
    return record[:FIXED_SIZE] + context + record[-TAIL.size :]
