"""Packets as somebody who debugs sees them: what came, and what left. Costs nothing while nobody looks."""

from collections.abc import Callable
from typing import Final, NamedTuple

from snat.nat.tracking import ICMP, TCP, UDP
from snat.translate.packet import ADDRESSES, QUERIES, START
from snat.translate.translator import Translator, Verdict

_IDENTIFICATION: Final = START + 4
_FRAGMENT: Final = START + 6
_PROTOCOL: Final = START + 9
_OFFSET: Final = 0x1FFF
_NO_PORTS: Final = bytes(4)


class Sight(NamedTuple):
    """A packet before and after its translation."""

    from_outside: bool
    fast: bool
    """Whether its flow was known: the flow cache alone translated it."""
    verdict: Verdict
    protocol: int
    identification: int
    """Of the IP header."""
    before: bytes
    """Source and destination, then their ports, network order; the identifier of an ICMP query twice; zeros
    where there are no ports."""
    after: bytes
    """The same of what left; of a packet that was dropped it means nothing."""
    detail: int
    """Flags of TCP, type of ICMP."""


class WatchedTranslator:
    """Translates by another translator, and tells of every IPv4 packet."""

    def __init__(self, translator: Translator, saw: Callable[[Sight], None]) -> None:
        self._translator = translator
        self._saw = saw

    def translate(self, buffer: bytearray, length: int, from_outside: bool, now: float) -> Verdict:
        """As :meth:`Translator.translate`."""
        translator = self._translator
        hits, before, detail = translator.counters.hits, endpoints(buffer), _detail(buffer)
        verdict = translator.translate(buffer, length, from_outside, now)
        if buffer[START] >> 4 == 4:
            self._saw(
                Sight(
                    from_outside,
                    translator.counters.hits != hits,
                    verdict,
                    buffer[_PROTOCOL],
                    int.from_bytes(buffer[_IDENTIFICATION : _IDENTIFICATION + 2], "big"),
                    before,
                    endpoints(buffer),
                    detail,
                )
            )
        return verdict


def endpoints(buffer: bytearray) -> bytes:
    """Source, destination and their ports of the packet in a buffer, which is far longer than any header."""
    addresses = bytes(buffer[ADDRESSES : ADDRESSES + 8])
    protocol, at = buffer[_PROTOCOL], _transport(buffer)
    if int.from_bytes(buffer[_FRAGMENT : _FRAGMENT + 2], "big") & _OFFSET:
        return addresses + _NO_PORTS
    if protocol in (TCP, UDP):
        return addresses + bytes(buffer[at : at + 4])
    if protocol == ICMP and buffer[at] in QUERIES:
        return addresses + bytes(buffer[at + 4 : at + 6]) * 2
    return addresses + _NO_PORTS


def _transport(buffer: bytearray) -> int:
    return START + (buffer[START] & 15) * 4


def _detail(buffer: bytearray) -> int:
    at, protocol = _transport(buffer), buffer[_PROTOCOL]
    return buffer[at + 13] if protocol == TCP else buffer[at] if protocol == ICMP else 0
