"""How many flows each inside host has, and who may have no more."""

from collections import Counter
from typing import Final

from snat.nat.entry import FLAGS, Flag
from snat.nat.limits import Limits
from snat.nat.table import NatTable

_EXTENDED: Final = int(Flag.EXTENDED)


class Load:
    """Counts the flows of the table, whoever made them, and listens to it, while there is a limit."""

    def __init__(self, table: NatTable) -> None:
        self.limits = Limits()
        self.misses = 0
        """Flows that were refused."""
        self.missed_at = float("-inf")
        """When the last one was."""
        self._table = table
        self._hosts: Counter[bytes] = Counter()
        self._flows = 0

    @property
    def flows(self) -> int:
        """How many there are, as far as there is a limit."""
        return self._flows

    def of(self, host: bytes) -> int:
        """How many an inside host has."""
        return self._hosts.get(host, 0)

    def limit(self, limits: Limits) -> None:
        """Go by these limits from now on. Nobody loses a flow that exists."""
        counted = bool(self.limits)
        self.limits = limits
        if counted and not limits:
            self._table.unlisten(self)
            self._hosts.clear()
            self._flows = 0
        elif limits and not counted:
            self._table.listen(self)
            self.changed([], self._table.records())

    def changed(self, removed: list[bytes], added: list[bytes]) -> None:
        """Entries came and went."""
        hosts = self._hosts
        for record in added:
            if record[FLAGS] & _EXTENDED:
                hosts[record[16:20]] += 1
                self._flows += 1
        for record in removed:
            if record[FLAGS] & _EXTENDED:
                host = record[16:20]
                self._flows -= 1
                if hosts[host] > 1:
                    hosts[host] -= 1
                else:
                    del hosts[host]

    def refuses(self, host: bytes, now: float) -> bool:
        """Whether an inside host may not have another flow now; that is a miss."""
        limits = self.limits
        if not limits.any:
            return False
        most = limits.of(host)
        if (most and self._hosts.get(host, 0) >= most) or (limits.total and self._flows >= limits.total):
            self.misses += 1
            self.missed_at = now
            return True
        return False
