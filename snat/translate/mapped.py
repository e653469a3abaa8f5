"""What an inside endpoint is called outside already, however many flows they have (RFC 4787 REQ-1)."""

from collections.abc import Iterable
from typing import Final

from snat.nat.entry import FLAGS, INSIDE_GLOBAL, INSIDE_LOCAL, Flag
from snat.nat.table import NatTable, records_in

CROWDED: Final = 32
"""Flows of an endpoint from which on it is worth while to know its inside-global endpoints."""
_EXTENDED: Final = int(Flag.EXTENDED | Flag.EXPECTED)
"""An endpoint that a flow is expected at has its name already."""


class Mapped:
    """The inside-global endpoints of an inside-local one. Listens to the table while one has many flows."""

    def __init__(self, table: NatTable) -> None:
        self._table = table
        self._crowded: dict[bytes, dict[bytes, int]] = {}
        """Of inside-local endpoints with many flows, which were asked about: flows by inside-global one."""

    def of(self, inside_local: bytes) -> Iterable[bytes]:
        """The inside-global endpoints that flows of an endpoint have, that of the oldest flow first."""
        slot = self._table.inside.get(inside_local)
        if slot is None:
            return ()
        if isinstance(slot, bytes) or len(slot) < CROWDED:
            return (one[INSIDE_GLOBAL] for one in records_in(slot) if one[FLAGS] & _EXTENDED)
        known = self._crowded.get(inside_local)
        if known is None:
            if not self._crowded:
                self._table.listen(self)
            known = self._crowded[inside_local] = {}
            for record in records_in(slot):
                _count(known, record, 1)
        return known

    def changed(self, removed: list[bytes], added: list[bytes]) -> None:
        """Entries came and went."""
        for records, change in ((added, 1), (removed, -1)):
            for record in records:
                known = self._crowded.get(record[INSIDE_LOCAL])
                if known is not None:
                    _count(known, record, change)
                    if not known:
                        del self._crowded[record[INSIDE_LOCAL]]
        if not self._crowded:
            self._table.unlisten(self)


def _count(known: dict[bytes, int], record: bytes, change: int) -> None:
    if not record[FLAGS] & _EXTENDED:
        return
    inside_global = record[INSIDE_GLOBAL]
    left = known.get(inside_global, 0) + change
    if left:
        known[inside_global] = left
    else:
        del known[inside_global]
