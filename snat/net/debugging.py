"""``debug ip nat`` and ``debug ip snat``: what the device does, line by line, while somebody looks."""

from collections.abc import Callable, Iterable
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from snat.config.access import AccessList
from snat.config.model import Configuration
from snat.device.device import Device
from snat.device.links import Link, Stage
from snat.device.listed import permits
from snat.device.tracing import trace
from snat.net import debug_text
from snat.net.log import MESSAGES, Budget
from snat.status import DebugStatus
from snat.translate.alg.reading import Rewrite
from snat.translate.watch import Sight
from snat.wire.header import Message

LINES_A_SECOND: Final = 200
"""Of debugging, all of it together; what is more is counted."""


class Debugging:
    """Satisfies :class:`cli.router.Debugging`."""

    _log = Logger(namespace="snat", observer=MESSAGES)

    def __init__(
        self,
        device: Device,
        clock: IReactorTime,
        configuration: Callable[[], Configuration],
        suppressed: Callable[[int], None],
    ) -> None:
        """``suppressed`` is told how many lines were not made."""
        self._device = device
        self._configuration = configuration
        self._suppressed = suppressed
        self._budget = Budget(clock, LINES_A_SECOND, self._told)
        self._status = DebugStatus()

    def status(self) -> DebugStatus:
        """What is debugged."""
        return self._status

    def set(self, status: DebugStatus) -> None:
        """Debug this from now on, and nothing else."""
        self._status = status
        self._device.watch_packets(self._packet if status.nat or status.nat_detailed else None)
        self._device.watch_rewrites(self._rewrite if status.nat_detailed else None)
        self._device.watch_messages(self._message if status.snat or status.snat_detailed else None)

    def stop(self) -> None:
        """Debug nothing, and wait for nothing."""
        self.set(DebugStatus())
        self._budget.stop()

    def _packet(self, sight: Sight) -> None:
        name = self._status.nat_list
        if not name or _wanted(self._lists(name), {sight.before, sight.after}, sight.protocol, sight.detail):
            self._say(debug_text.packet(sight, detailed=self._status.nat_detailed))

    def _rewrite(self, rewrite: Rewrite) -> None:
        record, name = rewrite.record, self._status.nat_list
        inside = record[16:20] + record[29:33] + record[20:22] + record[33:35]
        outside = record[23:27] + record[35:39] + record[27:29] + record[39:41]
        if not name or _wanted(self._lists(name), {inside, outside}, record[22], 0):
            self._say(debug_text.rewritten(rewrite))

    def _message(self, stage: Stage, link: Link, message: bytes | Message | None) -> None:
        groups = (group for group in self._device.groups if link.neighbor in group.neighbors)
        role = next((group.mode for group in groups), "")
        seen = trace(stage, link, message)
        self._say(debug_text.message(seen, self._device.nat_id, role, detailed=self._status.snat_detailed))

    def _lists(self, name: str) -> Iterable[AccessList]:
        return (listed for listed in self._configuration().access_lists if listed.name == name)

    def _say(self, lines: Iterable[str]) -> None:
        for line in lines:
            if self._budget.take():
                self._log.debug("{line}", line=line, debugging=True)

    def _told(self, number: int) -> None:
        self._suppressed(number)
        text = "{number} lines of debugging in a second were too many and left out"
        self._log.warn(text, number=number, mnemonic="SYS-4-DEBUG")


def _wanted(lists: Iterable[AccessList], views: set[bytes], protocol: int, detail: int) -> bool:
    """Whether a list permits a packet, or its answer, as either side sees it."""
    views = views | {_turned(view) for view in views}
    return any(permits(listed, view, protocol, detail) for listed in lists for view in views)


def _turned(endpoints: bytes) -> bytes:
    """As the answer has them."""
    return endpoints[4:8] + endpoints[:4] + endpoints[10:12] + endpoints[8:10]
