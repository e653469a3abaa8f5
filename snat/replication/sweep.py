"""The sweep after a feed dump: what the dump did not show, goes.

What the dump shows replaces the record in the table by another object, and so does every change: an old
record that is still the table's own was not shown. Nothing is marked and nothing is remembered but the list.
"""

from typing import Final

from snat.nat.table import NatTable
from snat.replication.feed import belongs_to
from snat.wire.header import Feed

SLICE: Final = 5000
"""Records looked at in one step: about 5 ms."""


class Sweep:
    """What the table had when a dump of ``feed`` began."""

    def __init__(self, table: NatTable, feed: Feed) -> None:
        self._table = table
        self._belongs = belongs_to(feed)
        self._left = table.records()

    @property
    def done(self) -> bool:
        """Whether everything was looked at."""
        return not self._left

    def step(self) -> list[bytes]:
        """Look at the next SLICE records; those that were removed from the table."""
        looked = self._left[-SLICE:]
        del self._left[-SLICE:]
        current, belongs = self._table.current, self._belongs
        return self._table.remove([one for one in looked if belongs(one) and current(one) is one])
