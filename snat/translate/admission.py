"""Who may send to an inside host that shares its address, by a flow that is there (RFC 4787 section 5).

Static rules and hosts that have an address as a whole are open to everybody, and are not asked about here.
"""

from typing import Final

from snat.config.nat import Filtering
from snat.nat.entry import FLAGS, INSIDE_GLOBAL, OUTSIDE_GLOBAL, Flag
from snat.nat.table import NatTable, Slot, records_in

CROWDED: Final = 32
"""Flows of an endpoint from which on it is worth while to know them by outside address."""
MOST: Final = 4096
"""Flows of an endpoint that lets in no more: strangers must not fill the tables of all routers."""
_NO_PORT: Final = bytes(2)
"""Of protocols without ports: several hosts share an endpoint, and outside hosts tell them apart."""
_EXTENDED: Final = int(Flag.EXTENDED)

Hosts = dict[bytes, dict[bytes, bytes]]
"""By outside address: the flows by outside-global endpoint."""


class Admission:
    """Finds the flow that lets a packet in. Listens to the table while it knows an endpoint with many."""

    def __init__(self, table: NatTable) -> None:
        self.filtering = Filtering.ADDRESS_DEPENDENT
        self._table = table
        self._crowded: dict[bytes, Hosts] = {}
        """Of inside-global endpoints with many flows that strangers have sent to."""

    def by(self, inside_global: bytes, source: bytes) -> bytes | None:
        """A flow by which the host ``source`` may send to an endpoint that is not its own flow's."""
        slot = self._table.outside.get(inside_global)
        if slot is None or self.filtering is Filtering.ADDRESS_AND_PORT_DEPENDENT:
            return None
        if self.filtering is Filtering.ENDPOINT_INDEPENDENT and inside_global[5:] != _NO_PORT:
            return next((one for one in records_in(slot) if one[FLAGS] & _EXTENDED), None)
        if isinstance(slot, bytes) or len(slot) < CROWDED:
            found = (one for one in records_in(slot) if one[35:39] == source and one[FLAGS] & _EXTENDED)
            return next(found, None)
        hosts = self._crowded.get(inside_global)
        if hosts is None:
            if not self._crowded:
                self._table.listen(self)
            hosts = self._crowded[inside_global] = _by_address(slot)
        flows = hosts.get(source)
        return None if flows is None else next(iter(flows.values()))

    def is_full(self, inside_global: bytes) -> bool:
        """Whether an endpoint has so many flows that outside hosts may begin no more."""
        slot = self._table.outside.get(inside_global)
        return isinstance(slot, dict) and len(slot) >= MOST

    def changed(self, removed: list[bytes], added: list[bytes]) -> None:
        """Entries came and went."""
        for record in removed:
            hosts = self._crowded.get(record[INSIDE_GLOBAL])
            if hosts is not None:
                self._forget(hosts, record)
                if not hosts:
                    del self._crowded[record[INSIDE_GLOBAL]]
        for record in added:
            hosts = self._crowded.get(record[INSIDE_GLOBAL])
            if hosts is not None and record[FLAGS] & _EXTENDED:
                hosts.setdefault(record[35:39], {})[record[OUTSIDE_GLOBAL]] = record
        if not self._crowded:
            self._table.unlisten(self)

    def _forget(self, hosts: Hosts, record: bytes) -> None:
        flows = hosts.get(record[35:39], {})
        outside_global = record[OUTSIDE_GLOBAL]
        if flows.get(outside_global) != record:
            return
        left = self._table.from_outside(record[INSIDE_GLOBAL], outside_global)  # another device made it too
        if left is not None:
            flows[outside_global] = left
            return
        del flows[outside_global]
        if not flows:
            del hosts[record[35:39]]


def _by_address(slot: Slot) -> Hosts:
    hosts: Hosts = {}
    for record in records_in(slot):
        if record[FLAGS] & _EXTENDED:
            hosts.setdefault(record[35:39], {})[record[OUTSIDE_GLOBAL]] = record
    return hosts
