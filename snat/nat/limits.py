"""``ip nat translation max-entries``: how many flows there may be, in all and of a host (RFC 6888)."""

from collections.abc import Mapping, Sequence
from typing import Final

from snat.nat.access_list import AccessList

_HOSTS: Final = 65536
"""Hosts whose limit is remembered."""


class Limits:
    """The limits as configured; 0 is none. Of a host, the one that names it best holds."""

    def __init__(
        self,
        *,
        total: int = 0,
        all_host: int = 0,
        hosts: Mapping[bytes, int] | None = None,
        lists: Sequence[tuple[AccessList, int]] = (),
    ) -> None:
        """``hosts`` by 4 bytes; ``lists``: each host that it permits, the first that does."""
        self.total = total
        self.all_host = all_host
        self._hosts = dict(hosts or {})
        self._lists = tuple(lists)
        self._known: dict[bytes, int] = {}
        self.any = bool(self.total or self.all_host or self._hosts or self._lists)
        """Whether there are any; asked of every new flow."""

    def __bool__(self) -> bool:
        return self.any

    def of(self, host: bytes) -> int:
        """How many flows an inside host may have."""
        limit = self._known.get(host)
        if limit is None:
            if len(self._known) >= _HOSTS:
                self._known.clear()
            limit = self._known[host] = self._hosts.get(host) or self._by_list(host)
        return limit

    def _by_list(self, host: bytes) -> int:
        address = int.from_bytes(host, "big")
        for chosen, limit in self._lists:
            if chosen.permits(address):
                return limit
        return self.all_host
