"""A DNS message (RFC 1035 section 4): its addresses, and how to write it with others.

Addresses are in the data of A records and in names below in-addr.arpa. In a name they may grow or shrink;
then the pointers to what is behind move, and the lengths of the data around. A name is written once and
pointed to by many: what is changed there must be right for all of them.
"""

import struct
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from snat.translate.alg.gateway import Edit

HEADER: Final = 12
LONGEST: Final = 4096
"""Bytes of a message that is looked into: what resolvers take over UDP at most."""
RECORDS: Final = 256
"""Questions and records of a message that is looked into."""
LABELS: Final = 127
"""RFC 1035: a name has at most 255 bytes."""
JUMPS: Final = 16
"""Pointers of one name. Each leads backwards."""

_HEAD: Final = struct.Struct("!HHHHHH")
_RECORD: Final = struct.Struct("!HHIH")
"""Behind the name of a record: type, class, time to live, length of its data."""
RESPONSE: Final = 0x8000
_OPCODE: Final = 0x7800
_INTERNET: Final = 1
_A: Final = 1
_SIGNED: Final = frozenset({24, 46, 250})
"""SIG, RRSIG, TSIG: what is changed is no longer what was signed."""
_NAMES_AT: Final = {
    **dict.fromkeys((2, 3, 4, 5, 7, 8, 9, 12, 39), (0, 1)),  # NS, MD, MF, CNAME, MB, MG, MR, PTR, DNAME
    **dict.fromkeys((6, 14, 17), (0, 2)),  # SOA, MINFO, RP
    **dict.fromkeys((15, 18, 21), (2, 1)),  # MX, AFSDB, RT
    33: (6, 1),  # SRV
}
"""Where names are in the data of a record, and how many. Newer types compress none (RFC 3597)."""
_POINTER: Final = 0xC0
_FARTHEST: Final = 0x3FFF
_ARPA: Final = (b"in-addr", b"arpa")
_OCTETS: Final = {str(value).encode(): value for value in range(256)}


class Left(ValueError):
    """A message passes as it is: for what reason, as it is counted."""


class _Name(NamedTuple):
    """A name as it stands somewhere."""

    labels: list[tuple[int, bytes]]
    """Of each, where it begins, its length byte first, and its text."""
    pointers: list[int]
    """Where those are that lead through it."""
    end: int
    """Behind it, or behind its first pointer."""


class _Data(NamedTuple):
    """The data of a record."""

    length_at: int
    start: int
    end: int


class Message:
    """A message that was read. Raises :class:`Left` if it is unsound, too much, or not to be changed."""

    def __init__(self, data: bytes) -> None:
        if not HEADER <= len(data) <= LONGEST:
            raise Left("message too long" if len(data) > LONGEST else "malformed message")
        self._data = data
        _, flags, questions, *records = _HEAD.unpack_from(data)
        self._is_response = bool(flags & RESPONSE)
        if flags & _OPCODE:
            raise Left("no query")
        if questions + sum(records) > RECORDS:
            raise Left("too many records")
        self._names: list[_Name] = []
        self._addresses: list[int] = []
        """Where the data of A records is."""
        self._spans: list[_Data] = []
        """Where the data of records is."""
        at = HEADER
        for _ in range(questions):
            at = self._name(at) + 4
        for _ in range(sum(records)):
            at = self._record(at)
        if at > len(data):
            raise Left("malformed message")

    def edits(self, named: Callable[[bytes], bytes | None]) -> list[Edit]:
        """What to write for the other side; ``named`` is how that calls an address. Raises :class:`Left`."""
        data = self._data
        labels = self._labels(named)
        edits = [Edit(at, at + 1 + data[at], bytes((len(text),)) + text) for at, text in labels.items()]
        if self._is_response:
            for at in self._addresses:
                address = named(data[at : at + 4])
                if address is not None and address != data[at : at + 4]:
                    edits.append(Edit(at, at + 4, address))
        moves = [(at, len(text) - data[at]) for at, text in labels.items() if len(text) != data[at]]
        if moves:
            edits += self._moved(moves)
        edits.sort()
        if any(after.start < before.end for before, after in pairwise(edits)):
            raise Left("malformed name")  # it is written over something else
        return edits

    def _labels(self, named: Callable[[bytes], bytes | None]) -> dict[int, bytes]:
        """By their places, the labels that become others."""
        data = self._data
        becomes: dict[int, bytes] = {}
        for name in self._names:
            address = _reversed_address(name)
            if address is None:
                continue
            other = named(address) or address
            for (at, _), octet in zip(name.labels, reversed(other), strict=False):
                text = str(octet).encode()
                if becomes.setdefault(at, text) != text:
                    raise Left("shared name")
        return {at: text for at, text in becomes.items() if text != data[at + 1 : at + 1 + data[at]]}

    def _moved(self, moves: list[tuple[int, int]]) -> Iterator[Edit]:
        """Pointers to what moves, and lengths of the data in which something grows or shrinks."""
        data = self._data
        for at in {at for name in self._names for at in name.pointers}:
            to = int.from_bytes(data[at : at + 2], "big") & _FARTHEST
            new = to + sum(by for start, by in moves if start < to)
            if not HEADER <= new <= _FARTHEST:
                raise Left("message too long")
            if new != to:
                yield Edit(at, at + 2, (_POINTER << 8 | new).to_bytes(2, "big"))
        for span in self._spans:
            by = sum(by for start, by in moves if span.start <= start < span.end)
            if by:
                length = span.end - span.start + by
                yield Edit(span.length_at, span.length_at + 2, length.to_bytes(2, "big"))

    def _record(self, at: int) -> int:
        """Read a record; where the next one begins."""
        data = self._data
        at = self._name(at)
        if at + _RECORD.size > len(data):
            raise Left("malformed message")
        kind, family, _, length = _RECORD.unpack_from(data, at)
        start = at + _RECORD.size
        end: int = start + length
        if end > len(data):
            raise Left("malformed message")
        if kind in _SIGNED:
            raise Left("signed")
        if kind == _A and family == _INTERNET and length == 4:
            self._addresses.append(start)
        elif kind in _NAMES_AT:
            before, names = _NAMES_AT[kind]
            place = start + before
            for _ in range(names if length else 0):
                place = self._name(place)
            if place > end:
                raise Left("malformed message")
        self._spans.append(_Data(at + 8, start, end))
        return end

    def _name(self, at: int) -> int:
        """Read a name; where what is behind it begins."""
        name = _read_name(self._data, at)
        self._names.append(name)
        return name.end


def _read_name(data: bytes, at: int) -> _Name:
    name = _Name([], [], 0)
    lowest = at
    end = 0
    while True:
        length = data[at] if at < len(data) else _POINTER
        if length == 0:
            return name._replace(end=end or at + 1)
        if length < 64 and at + 1 + length < len(data) and len(name.labels) < LABELS:
            name.labels.append((at, data[at + 1 : at + 1 + length]))
            at += 1 + length
            continue
        to = int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or to >> 14 != 3 or not HEADER <= to & _FARTHEST < lowest:
            raise Left("malformed name")
        if len(name.pointers) == JUMPS:
            raise Left("malformed name")
        name.pointers.append(at)
        end = end or at + 2
        lowest = at = to & _FARTHEST


def _reversed_address(name: _Name) -> bytes | None:
    """The address that a name below in-addr.arpa is of; None: it is of none, or of several."""
    if len(name.labels) != 6:
        return None
    texts = [text for _, text in name.labels]
    if (texts[4].lower(), texts[5].lower()) != _ARPA:
        return None
    octets = [_OCTETS.get(text) for text in texts[3::-1]]
    found = [octet for octet in octets if octet is not None]
    return bytes(found) if len(found) == 4 else None
