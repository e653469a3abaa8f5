"""``ip nat log translations syslog``: a line for every entry that is made, and one for every that ends.

``%IPNAT-6-CREATED: tcp IL:port IG:port OL:port OG:port`` (ios-cli.md 2.2). Only of what this device manages:
of a shared entry the manager alone tells. With ``bind-only`` a line for the first and the last entry of an
inside endpoint's mapping; it names no outside host.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from snat.config.nat import Nat
from snat.device.device import Device
from snat.nat.entry import FLAGS, INSIDE_LOCAL, REFERENCE, Entry, Flag
from snat.net.log import MESSAGES, Budget

LINES_A_SECOND: Final = 2000
"""Of this log; at about 50 us each a tenth of a second. What is more is counted."""
_BINDING: Final = slice(16, 29)
"""Of a record: both inside endpoints, which share the protocol."""
_PROTOCOLS: Final = {1: "icmp", 6: "tcp", 17: "udp"}
_NOBODY: Final = "0.0.0.0:0"


class TranslationLog:
    """Listens to the table while it is switched on."""

    _log = Logger(namespace="snat", observer=MESSAGES)

    def __init__(self, device: Device, clock: IReactorTime, suppressed: Callable[[int], None]) -> None:
        """``suppressed`` is told how many lines were not made."""
        self._device = device
        self._suppressed = suppressed
        self._budget = Budget(clock, LINES_A_SECOND, self._told)
        self._listens = False
        self._bind_only = False

    def configure(self, nat: Nat) -> None:
        """Begin or end, as the configuration says."""
        self._bind_only = nat.log_bind_only
        if nat.log_translations != self._listens:
            self._listens = nat.log_translations
            table = self._device.table
            (table.listen if self._listens else table.unlisten)(self)

    def stop(self) -> None:
        """Tell of what was left out so far."""
        self._budget.stop()

    def changed(self, removed: list[bytes], added: list[bytes]) -> None:
        """Entries changed; see :class:`snat.nat.table.Listener`. An update is neither made nor ended."""
        before, after = ({one[REFERENCE] for one in records} for records in (removed, added))
        ended = [one for one in removed if one[REFERENCE] not in after]
        made = [one for one in added if one[REFERENCE] not in before]
        if self._bind_only:
            ended, made = self._bindings(ended, made)
        for kind, records in (("DELETED", ended), ("CREATED", made)):
            for record in records:
                if record[FLAGS] & Flag.STATIC:
                    continue  # it came and went with its line
                if self._device.translator.flows.ages(record) and self._budget.take():
                    self._say(kind, record)

    def _bindings(self, ended: list[bytes], made: list[bytes]) -> tuple[list[bytes], list[bytes]]:
        """Of each mapping its last entry, if none is left, and its first, if none was there."""
        lost, won = Counter(one[_BINDING] for one in ended), Counter(one[_BINDING] for one in made)
        gone = {one[_BINDING]: one for one in ended}
        came = {one[_BINDING]: one for one in made}
        left = {binding: sum(1 for _ in self._at(one)) for binding, one in (gone | came).items()}
        return (
            [one for binding, one in gone.items() if not left[binding]],
            [one for binding, one in came.items() if left[binding] - won[binding] + lost[binding] == 0],
        )

    def _at(self, record: bytes) -> Iterator[bytes]:
        """The entries of a mapping, as of now."""
        at = self._device.table.at(record[INSIDE_LOCAL])
        return (one for one in at if one[_BINDING] == record[_BINDING])

    def _say(self, kind: str, record: bytes) -> None:
        entry = Entry.unpack(record)
        self._log.info(
            "{protocol} {inside_local} {inside_global} {outside_local} {outside_global}",
            protocol=_PROTOCOLS.get(entry.protocol) or str(entry.protocol),
            inside_local=_endpoint(entry.inside_local, entry.inside_local_port),
            inside_global=_endpoint(entry.inside_global, entry.inside_global_port),
            outside_local=self._outside(entry.outside_local, entry.outside_local_port),
            outside_global=self._outside(entry.outside_global, entry.outside_global_port),
            mnemonic=f"IPNAT-6-{kind}",
        )

    def _outside(self, address: bytes, port: int) -> str:
        return _NOBODY if self._bind_only else _endpoint(address, port)

    def _told(self, number: int) -> None:
        self._suppressed(number)
        text = "{number} lines about entries in a second were too many and left out"
        self._log.warn(text, number=number, mnemonic="IPNAT-4-SUPPRESSED")


def _endpoint(address: bytes, port: int) -> str:
    return f"{'.'.join(map(str, address))}:{port}"
