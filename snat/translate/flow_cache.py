"""The flow cache: for flows that carry traffic, what to do with a packet by its 5-tuple.

A :class:`Path` is one direction of a flow. The key is bytes 12 to 24 of a packet without options, both
addresses and both ports, in a dict per protocol; for ICMP queries the identifier stands for both ports. A
path goes when its entry does; a standby has none.
"""

from collections import defaultdict
from struct import Struct
from typing import Final

from snat.nat.entry import ID, REFERENCE
from snat.nat.tracking import Closing
from snat.translate.identification import Renewal

TTL_WORD = 0x0100
"""What one hop is worth in the sum under the header checksum."""

_PORTS: Final = 32
"""Bits of a 5-tuple behind its addresses."""


class Path:
    """One direction of a flow."""

    __slots__ = (
        "address_delta",
        "closing",
        "full_delta",
        "header_delta",
        "last",
        "other",
        "record",
        "renew",
        "seen",
        "target",
        "tuple",
    )

    def __init__(
        self,
        key: bytes,
        target: bytes,
        address_delta: int,
        full_delta: int,
        header_delta: int,
        record: bytes,
        now: float,
    ) -> None:
        self.tuple = key
        """What arrives: addresses and ports."""
        self.target = target
        """What leaves: 12 bytes over bytes 12 to 24 of the packet."""
        self.address_delta = address_delta
        """For a partial checksum, which covers the pseudo header only."""
        self.full_delta = full_delta
        self.header_delta = header_delta
        self.record = record
        self.renew: Renewal | None = None
        """What sees to the identification of its datagrams; None: none that could be a fragment has come."""
        self.seen = now
        self.last: bytearray | None = None
        """The last TCP segment that passed, as :data:`snat.translate.segment.SEGMENT`; no reset."""
        self.closing: Closing | None = None
        """Shared by both directions once a FIN was seen."""
        self.other = self


_ENDPOINTS: Final = Struct("!16x4s2sx4s2s4s2s4s2s").unpack_from
"""Of a record: inside-local, inside-global, outside-local, outside-global, each as address and port."""


class FlowCache:
    """The paths of both realms; a listener of the table."""

    def __init__(self, ttl_step: int) -> None:
        self.inside: defaultdict[int, dict[bytes, Path]] = defaultdict(dict)
        """Paths of packets from inside, by protocol and 5-tuple."""
        self.outside: defaultdict[int, dict[bytes, Path]] = defaultdict(dict)
        self._paths: dict[bytes, Path] = {}
        """Outward paths by entry id."""
        self._ttl_step = ttl_step

    def put(self, record: bytes, now: float, *, leads_out: bool = True, leads_in: bool = True) -> Path:
        """Make both paths of a record; the outward one.

        Where another entry of a chain leads (see :mod:`snat.nat.table`), packets do not find the path.
        """
        protocol, step = record[22], self._ttl_step * TTL_WORD
        il, il_port, ig, ig_port, ol, ol_port, og, og_port = _ENDPOINTS(record)
        # From inside, IL to OL becomes IG to OG; from outside, OG to IG becomes OL to IL. What one of the two
        # adds to a sum, the other takes from it. The sum of words is the number modulo 65535 (checksum.py).
        key, target = il + ol + il_port + ol_port, ig + og + ig_port + og_port
        old, new = int.from_bytes(key, "big"), int.from_bytes(target, "big")
        addresses, full = ((new >> _PORTS) - (old >> _PORTS)) % 0xFFFF, (new - old) % 0xFFFF
        out = Path(key, target, addresses, full, (addresses + step) % 0xFFFF, record, now)
        key, target = og + ig + og_port + ig_port, ol + il + ol_port + il_port
        header = (step - addresses) % 0xFFFF
        back = Path(key, target, -addresses % 0xFFFF, -full % 0xFFFF, header, record, now)
        out.other, back.other = back, out
        self._paths[record[ID]] = out
        if leads_out:
            self.inside[protocol][out.tuple] = out
        if leads_in:
            self.outside[protocol][back.tuple] = back
        return out

    def of(self, record: bytes) -> Path | None:
        """The outward path of a record."""
        return self._paths.get(record[ID])

    def changed(self, removed: list[bytes], added: list[bytes]) -> None:
        """Entries changed (see :class:`snat.nat.table.Listener`): an update keeps its paths."""
        if not removed:
            return
        gone: dict[bytes, Path] = {}
        for record in removed:
            path = self.of(record)
            if path is not None and path.record[REFERENCE] == record[REFERENCE]:
                gone[record[REFERENCE]] = path
        for record in added:
            path = gone.pop(record[REFERENCE], None)
            if path is not None:
                path.record = path.other.record = record
        for path in gone.values():
            self._drop(path)

    def _drop(self, path: Path) -> None:
        del self._paths[path.record[ID]]
        protocol = path.record[22]
        for sides, one in ((self.inside, path), (self.outside, path.other)):
            paths = sides[protocol]
            if paths.get(one.tuple) is one:
                del paths[one.tuple]
