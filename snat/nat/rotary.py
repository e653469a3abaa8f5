"""Pools of inside hosts that take turns (``type rotary``): TCP load sharing."""

from collections.abc import Iterator, Sequence

from snat.nat.addresses import Addresses


class RotaryPool:
    """The hosts of one pool; a new connection goes to the one after the last."""

    def __init__(self, name: str, ranges: Sequence[tuple[int, int]]) -> None:
        """``ranges``: first and last address of each."""
        self.name = name
        self.misses = 0
        """Connections that no host could take."""
        self.missed_at = float("-inf")
        self.quarantined = 0
        """Never any: hosts have their own ports."""
        self.ranges = tuple(ranges)
        self._addresses = Addresses(ranges)
        self._next = 0

    def __contains__(self, address: bytes) -> bool:
        return address in self._addresses

    def deal(self, slots: Sequence[int]) -> None:
        """Every member sends to all hosts."""

    def forget(self) -> None:
        """It knows of no entries."""

    def turns(self) -> Iterator[bytes]:
        """The hosts, from whose turn it is on, each once; who is taken has had its turn."""
        for _ in range(self._addresses.size):
            address = self._addresses.at(self._next)
            self._next = (self._next + 1) % self._addresses.size
            yield address
