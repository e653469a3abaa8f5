"""``snat pcap``: a capture translated by a configuration, as fast as it can be read; no daemon, no neighbors.

Time is that of the capture: entries age by it. The router is the only one on the way, so the TTL is lowered.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Final

from snat.config.model import Configuration
from snat.device.gateways import services_of
from snat.device.translation import limits_of, rules_of, timeouts_of
from snat.nat.entry import entry_number
from snat.nat.pool import SLOTS
from snat.nat.table import NatTable
from snat.net.capture_frame import SECOND, CaptureCounters, CapturedPacket
from snat.net.capture_path import CAPTURE_TTL_STEP
from snat.net.capture_read import CaptureReader
from snat.net.capture_write import CaptureWriter
from snat.net.realms import Realms
from snat.net.tun import BUFFER, VNET_HEADER
from snat.translate.flows import TranslateCounters
from snat.translate.translator import Translator, Verdict

AT_ONCE: Final = 256
"""Records between two calls of ``progress``."""
AGEING: Final = 0.25
"""Seconds of the capture in which time stands still, between two looks at what has aged."""
_NAT_ID: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """What became of a capture."""

    capture: CaptureCounters
    translate: TranslateCounters
    entries: int
    """In the table at the end."""


def translate(
    configuration: Configuration,
    source: BinaryIO,
    target: BinaryIO,
    progress: Callable[[CaptureCounters], None] = lambda _: None,
) -> Translation:
    """Translate a capture. ``progress`` is called now and then.

    Raises :class:`~snat.net.capture_frame.CaptureError`, with all that was whole before it written; OSError.
    """
    reader = CaptureReader(source)
    writer = CaptureWriter.like(target, reader)
    made = _Offline(configuration)
    try:
        while not reader.ended:
            batch = reader.batch(AT_ONCE)
            made.translate(batch, writer.translated, reader.counters)
            progress(reader.counters)
    finally:
        writer.flush()
    return Translation(capture=reader.counters, translate=made.translator.counters, entries=len(made.table))


class _Offline:
    """A translator that manages every mapping, on a clock of its own."""

    def __init__(self, configuration: Configuration) -> None:
        self.table = NatTable()
        self._number = 0
        self._now = 0.0
        rules = rules_of(configuration, range(SLOTS), random.SystemRandom(), {})
        self.translator = Translator(
            self.table,
            rules,
            timeouts_of(configuration),
            identity=self._identity,
            ttl_step=CAPTURE_TTL_STEP,
            now=0.0,
            filtering=configuration.nat.filtering,
            limits=limits_of(configuration),
            services=services_of(configuration),
        )
        mapping_ids = {rule.mapping_id for rule in configuration.dynamic_rules}
        for mapping_id in {0, *mapping_ids, *(rule.mapping_id for rule in configuration.static_rules)}:
            self.translator.flows.manage(mapping_id, True, 0.0)
        self._realms = Realms(configuration, lambda: rules)
        self._buffer = bytearray(BUFFER)
        self._due = 0

    def translate(
        self,
        batch: list[CapturedPacket],
        write: Callable[[CapturedPacket, bytearray, int], None],
        counters: CaptureCounters,
    ) -> None:
        """Translate packets, and hand those that pass to ``write``."""
        buffer, translate = self._buffer, self.translator.translate
        sides, from_outside = self._realms.known, self._realms.from_outside
        more, now, due = self.translator.more, self._now, self._due
        for packet in batch:
            time_ns, interface, data, _, start, end, length = packet
            if time_ns >= due:
                now = max(now, time_ns / SECOND)
                due = self._age(now)
            there = VNET_HEADER + end - start
            buffer[VNET_HEADER:there] = data[start:end]  # behind a virtio header of zeroes
            outside = None if interface.name else sides.get(data[start + 12 : start + 20])
            if outside is None:
                outside = from_outside(packet)
            verdict = translate(buffer, VNET_HEADER + length, outside, now)
            if verdict is Verdict.ELSEWHERE:
                pass  # it is among the further ones, now or later
            elif verdict:
                after = buffer[12] << 8 | buffer[13]
                counters.written += 1
                write(packet, buffer[VNET_HEADER : there + after - length], after)
            else:
                counters.dropped += 1
            if more:
                for _, other in more:
                    counters.written += 1
                    write(packet, bytearray(other[VNET_HEADER:]), len(other) - VNET_HEADER)
                more.clear()
        self._now, self._due = now, due

    def _age(self, now: float) -> int:
        """Let go what is due; the time, in nanoseconds, at which to look again."""
        while self.translator.next_deadline() <= now:
            self.translator.expire(now)
        return int((now + AGEING) * SECOND)

    def _identity(self) -> tuple[int, int]:
        self._number += 1
        return _NAT_ID, entry_number(0, self._number)
