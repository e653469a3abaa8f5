"""The flow cache: for flows that carry traffic, what to do with a packet by its 5-tuple.

A :class:`Path` is one direction of a flow. The key is bytes 12 to 24 of a packet without options, both
addresses and both ports, in a dict per protocol; for ICMP queries the identifier stands for both ports. A
path goes when its entry does; a standby has none.

What goes from one inside host to another by its global address has two entries, and turns back: one path
does what both entries say, leaving out what the packet is called in between. Its other direction is the path
of the other host's packets. Both go when either entry does.
"""

from collections import defaultdict
from struct import Struct
from typing import TYPE_CHECKING, Final

from snat.nat.entry import ID, REFERENCE
from snat.nat.tracking import Closing
from snat.translate.identification import Renewal
from snat.translate.packet import Verdict

if TYPE_CHECKING:
    from snat.translate.alg.application import Application

TTL_WORD = 0x0100
"""What one hop is worth in the sum under the header checksum."""

_PORTS: Final = 32
"""Bits of a 5-tuple behind its addresses."""
_SUMS: Final = tuple(range(0xFFFF))
"""Every sum there is, so that the paths of a million flows share 65535 numbers and need not have 6 each."""


class Path:
    """One direction of a flow."""

    __slots__ = (
        "address_delta",
        "application",
        "closing",
        "full_delta",
        "goes",
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
        goes: Verdict,
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
        """Its entry; of a path that turns back, the one of the host that sends."""
        self.goes = goes
        """Where its packets leave."""
        self.renew: Renewal | None = None
        """What sees to the identification of its datagrams; None: none that could be a fragment has come."""
        self.seen = now
        self.last: bytearray | None = None
        """The last TCP segment that passed, as :data:`snat.translate.segment.SEGMENT`; no reset."""
        self.closing: Closing | None = None
        """Shared by both directions once a FIN was seen, or while a gateway reads: no fast path then."""
        self.application: Application | None = None
        """What a gateway that reads the flow keeps; shared by both directions."""
        self.other = self
        """The other direction; the path itself where a host sends to its own endpoint. Both keep each other
        alive until :meth:`FlowCache.drop` parts them, so the garbage collector need not find them."""

    @property
    def turns(self) -> bool:
        """Of a path from inside: whether it leads back inside."""
        return self.goes is Verdict.TO_INSIDE


_PARTED: Final = Path(b"", b"", 0, 0, 0, b"", Verdict.DROP, 0.0)
"""The other direction of a path that was dropped."""
_ENDPOINTS: Final = Struct("!16x4s2sx4s2s4s2s4s2s").unpack_from
"""Of a record: inside-local, inside-global, outside-local, outside-global, each as address and port."""


_OUT, _IN = Verdict.TO_OUTSIDE, Verdict.TO_INSIDE


class FlowCache:
    """The paths of both realms; a listener of the table."""

    def __init__(self, ttl_step: int) -> None:
        self.inside: defaultdict[int, dict[bytes, Path]] = defaultdict(dict)
        """Paths of packets from inside, by protocol and 5-tuple."""
        self.outside: defaultdict[int, dict[bytes, Path]] = defaultdict(dict)
        self._hidden: dict[bytes, Path] = {}
        """By entry id, the outward paths that packets from inside do not find: another entry leads there."""
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
        sums = _SUMS[addresses], _SUMS[full], _SUMS[(addresses + step) % 0xFFFF]
        out = Path(key, target, *sums, record, _OUT, now)
        if leads_out:
            self._lead(out)
        else:
            self._hidden[record[ID]] = out
        key, target = og + ig + og_port + ig_port, ol + il + ol_port + il_port
        sums = _SUMS[-addresses % 0xFFFF], _SUMS[-full % 0xFFFF], _SUMS[(step - addresses) % 0xFFFF]
        back = Path(key, target, *sums, record, _IN, now)
        out.other, back.other = back, out
        if leads_in:
            self.outside[protocol][key] = back
        return out

    def put_turned(self, there: bytes, back: bytes, now: float, *, both: bool) -> Path:
        """Make the path of a packet that leaves by one entry and comes back by another; maybe the same one.

        ``both``: packets of the other host find the other direction, which is made too.
        """
        for record in (there, back):
            known = self.of(record)
            if known is not None:
                self.drop(known)
        path = other = self._turned(there, back, now)
        if back != there:
            other = self._turned(back, there, now)
            path.other, other.other = other, path
        self._lead(path)
        if both and other is not path:
            self._lead(other)
        elif other is not path:
            self._hidden[back[ID]] = other
        return path

    def _lead(self, path: Path) -> None:
        """Packets from inside find this path from now on, and not the one that they may have found."""
        paths = self.inside[path.record[22]]
        before = paths.setdefault(path.tuple, path)
        if before is not path:
            self._hidden[before.record[ID]] = before
            paths[path.tuple] = path

    def _turned(self, there: bytes, back: bytes, now: float) -> Path:
        """From inside, IL to OL by the one entry; what arrives inside is from OL to IL of the other."""
        il, il_port, _, _, ol, ol_port, _, _ = _ENDPOINTS(there)
        to, to_port, _, _, called, called_port, _, _ = _ENDPOINTS(back)
        key, target = il + ol + il_port + ol_port, called + to + called_port + to_port
        old, new = int.from_bytes(key, "big"), int.from_bytes(target, "big")
        addresses, full = ((new >> _PORTS) - (old >> _PORTS)) % 0xFFFF, (new - old) % 0xFFFF
        header = (addresses + self._ttl_step * TTL_WORD) % 0xFFFF
        return Path(key, target, _SUMS[addresses], _SUMS[full], _SUMS[header], there, _IN, now)

    def __len__(self) -> int:
        """How many paths packets find."""
        return sum(len(paths) for side in (self.inside, self.outside) for paths in side.values())

    def paths(self) -> list[Path]:
        """The outward paths, as of now."""
        return [*(path for paths in self.inside.values() for path in paths.values()), *self._hidden.values()]

    def of(self, record: bytes) -> Path | None:
        """The outward path of a record, or of another one with its id."""
        paths = self.inside[record[22]]
        path = paths.get(record[16:20] + record[29:33] + record[20:22] + record[33:35])
        if path is not None and path.record[ID] == record[ID]:
            return path
        return self._hidden.get(record[ID]) if self._hidden else None

    def changed(self, removed: list[bytes], added: list[bytes]) -> None:
        """Entries changed (see :class:`snat.nat.table.Listener`): an update keeps its paths."""
        gone: dict[bytes, Path] = {}
        for record in removed:
            path = self.of(record)
            if path is not None and path.record[REFERENCE] == record[REFERENCE]:
                gone[record[REFERENCE]] = path
        for record in added:
            path = gone.pop(record[REFERENCE], None)
            if path is not None:
                path.record = record
                if not path.turns:
                    path.other.record = record
        for path in gone.values():
            self.drop(path)

    def drop(self, path: Path) -> None:
        """Forget both directions of a flow; if it goes on, they are made again."""
        protocol, other = path.record[22], path.other
        if self._hidden:
            self._hidden.pop(path.record[ID], None)
            self._hidden.pop(other.record[ID], None)
        for sides, one in ((self.inside, path), (self.inside if path.turns else self.outside, other)):
            paths = sides[protocol]
            if paths.get(one.tuple) is one:
                del paths[one.tuple]
        path.other = other.other = _PARTED
