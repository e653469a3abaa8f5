"""Finding entries in the NAT table by what an operator knows of them, in slices that delay nobody.

A selection that names an inside endpoint with its port is looked up in an index. The table has none by
address alone: then the keys are walked, and records only touched where their key fits.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from snat.device.selection import Place, Selection
from snat.nat.entry import INSIDE_LOCAL, NAT_ID
from snat.nat.table import NatTable, records_in

SLICE: Final = 256
"""Inside endpoints looked at in one go: a tenth of a millisecond."""
_PROTOCOL: Final = 22
_PROTOCOLS: Final = range(256)
_ADDRESSES: Final = {"inside_local": 16, "inside_global": 23, "outside_local": 29, "outside_global": 35}
"""Where a record has each address; its port follows it."""

Test = Callable[[bytes], bool]


def selected(table: NatTable, selection: Selection) -> Iterator[list[bytes]]:
    """The entries, in batches, some of them empty: between two the table may change."""
    matches = _matches(selection)
    keys = _inside_keys(table, selection)
    if keys is not None:
        yield [record for key in keys for record in table.at(key) if matches(record)]
        return
    for batch in _fitting(table.endpoints(), selection):
        yield [record for endpoint in batch for record in table.at(endpoint) if matches(record)]


def _inside_keys(table: NatTable, selection: Selection) -> list[bytes] | None:
    """Keys of the inside index with every entry that is meant, each once; None: no index has them.

    An entry is found by its inside-global endpoint through the outside index.
    """
    protocols = _PROTOCOLS if selection.protocol is None else (selection.protocol,)
    local, anywhere = selection.inside_local, selection.inside
    if local is not None and local.port is not None:
        return [_octets(local) + bytes((protocol,)) for protocol in protocols]
    place = selection.inside_global if _has_port(selection.inside_global) else anywhere
    if place is None or place.port is None:
        return None
    found = [bytes((protocol,)) + _octets(place) for protocol in protocols]
    slots = [table.outside[key] for key in found if key in table.outside]
    keys = [record[INSIDE_LOCAL] for slot in slots for record in records_in(slot)]
    if place is anywhere:
        keys += [key[1:] + key[:1] for key in found]
    return list(dict.fromkeys(keys))


def _fitting(endpoints: list[bytes], selection: Selection) -> Iterator[Iterable[bytes]]:
    """Keys of the inside index in slices, without those whose entries cannot be meant."""
    protocol = selection.protocol
    address = selection.inside_local.address.packed if selection.inside_local is not None else b""
    for first in range(0, len(endpoints), SLICE):
        part = endpoints[first : first + SLICE]
        if protocol is not None:
            part = [one for one in part if one[6] == protocol]
        yield [one for one in part if one.startswith(address)] if address else part


def _matches(selection: Selection) -> Test:
    """Whether a record is meant."""
    tests = list(_tests(selection))
    if not tests:
        return lambda _record: True
    if len(tests) == 1:
        return tests[0]
    return lambda record: all(test(record) for test in tests)


def _tests(selection: Selection) -> Iterator[Test]:
    if selection.protocol is not None:
        protocol = selection.protocol
        yield lambda record: record[_PROTOCOL] == protocol
    for name, at in _ADDRESSES.items():
        place = getattr(selection, name)
        if place is not None:
            yield _has(at, _octets(place))
    for side in ("inside", "outside"):
        place = getattr(selection, side)
        if place is not None:
            local, global_ = (
                _has(_ADDRESSES[f"{side}_{realm}"], _octets(place)) for realm in ("local", "global")
            )
            yield _either(local, global_)
    if selection.global_range is not None:
        first, last = (address.packed for address in selection.global_range)
        yield lambda record: first <= record[23:27] <= last
    if selection.nat_id is not None:
        maker = selection.nat_id.to_bytes(4, "big")
        yield lambda record: record[NAT_ID] == maker


def _has(at: int, octets: bytes) -> Test:
    part = slice(at, at + len(octets))
    return lambda record: record[part] == octets


def _either(one: Test, other: Test) -> Test:
    return lambda record: one(record) or other(record)


def _octets(place: Place) -> bytes:
    port = b"" if place.port is None else place.port.to_bytes(2, "big")
    return place.address.packed + port


def _has_port(place: Place | None) -> bool:
    return place is not None and place.port is not None
