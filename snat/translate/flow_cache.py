"""The flow cache: for flows that carry traffic, what to do with a packet by its 5-tuple.

A :class:`Path` is one direction of a flow. The key is bytes 12 to 24 of a packet without options, both
addresses and both ports, in a dict per protocol; for ICMP queries the identifier stands for both ports. A
path goes when its entry does; a standby has none.
"""

from snat.nat.entry import ID, REFERENCE
from snat.nat.tracking import ICMP, TCP, UDP, Closing
from snat.translate.checksum import delta
from snat.translate.identification import Renewal

TTL_WORD = 0x0100
"""What one hop is worth in the sum under the header checksum."""


class Path:
    """One direction of a flow."""

    __slots__ = (
        "address_delta",
        "closing",
        "full_delta",
        "header_delta",
        "other",
        "record",
        "renew",
        "seen",
        "target",
        "tuple",
    )

    def __init__(self, key: bytes, target: bytes, record: bytes, ttl_step: int, now: float) -> None:
        self.tuple = key
        """What arrives: addresses and ports."""
        self.target = target
        """What leaves: 12 bytes over bytes 12 to 24 of the packet."""
        self.address_delta = delta(key[:8], target[:8])
        """For a partial checksum, which covers the pseudo header only."""
        self.full_delta = delta(key, target)
        self.header_delta = (self.address_delta + ttl_step * TTL_WORD) % 0xFFFF
        self.record = record
        self.renew: Renewal | None = None
        """What sees to the identification of its datagrams; None: none that could be a fragment has come."""
        self.seen = now
        self.closing: Closing | None = None
        """Shared by both directions once a FIN was seen."""
        self.other = self


def outward(record: bytes) -> tuple[bytes, bytes]:
    """Key and target of the direction from inside: IL to OL becomes IG to OG."""
    key = record[16:20] + record[29:33] + record[20:22] + record[33:35]
    return key, record[23:27] + record[35:39] + record[27:29] + record[39:41]


def inward(record: bytes) -> tuple[bytes, bytes]:
    """Key and target of the direction from outside: OG to IG becomes OL to IL."""
    key = record[35:39] + record[23:27] + record[39:41] + record[27:29]
    return key, record[29:33] + record[16:20] + record[33:35] + record[20:22]


class FlowCache:
    """The paths of both realms; a listener of the table."""

    def __init__(self, ttl_step: int) -> None:
        self.inside: dict[int, dict[bytes, Path]] = {TCP: {}, UDP: {}, ICMP: {}}
        """Paths of packets from inside, by protocol and 5-tuple."""
        self.outside: dict[int, dict[bytes, Path]] = {TCP: {}, UDP: {}, ICMP: {}}
        self._paths: dict[bytes, Path] = {}
        """Outward paths by entry id."""
        self._ttl_step = ttl_step

    def put(self, record: bytes, now: float, *, leads_out: bool = True, leads_in: bool = True) -> Path:
        """Make both paths of a record; the outward one.

        Where another entry of a chain leads (see :mod:`snat.nat.table`), packets do not find the path.
        """
        protocol = record[22]
        out = Path(*outward(record), record, self._ttl_step, now)
        back = Path(*inward(record), record, self._ttl_step, now)
        out.other, back.other = back, out
        self._paths[record[ID]] = out
        if leads_out:
            self.inside.setdefault(protocol, {})[out.tuple] = out
        if leads_in:
            self.outside.setdefault(protocol, {})[back.tuple] = back
        return out

    def of(self, record: bytes) -> Path | None:
        """The outward path of a record."""
        return self._paths.get(record[ID])

    def changed(self, removed: list[bytes], added: list[bytes]) -> None:
        """Entries changed (see :class:`snat.nat.table.Listener`): an update keeps its paths."""
        if not self._paths:
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
            paths = sides.get(protocol, {})
            if paths.get(one.tuple) is one:
                del paths[one.tuple]
