"""The SNAT queue (328, Fig. 4A): changes of one feed that are not compiled into a message yet.

Keyed by entry and holding the record last sent, so that changes coalesce: add and delete cancel out, updates
collapse into the newest. The destinations of an entry (406) are those of its feed: all members, always, so a
queue serves one feed and needs no address per entry.
"""

from collections.abc import Iterator
from itertools import islice

from snat.nat.entry import ID, MAPPING, REFERENCE
from snat.wire.actions import Action

Change = tuple[Action, bytes, bytes | None, bytes | None]
"""Action, the data of its item, the record last sent, the record now."""


class SnatQueue:
    """A listener of the table that collects what members must be told."""

    def __init__(self, mapping_id: int) -> None:
        self._mapping = mapping_id.to_bytes(4, "big")
        self._pending: dict[bytes, tuple[bytes | None, bytes | None]] = {}
        """By id: the record that members have, and the one that they should have."""
        self._draining: Iterator[tuple[bytes | None, bytes | None]] = iter(())
        """What was pending when the last drain began. It leaves before anything newer, so a newer
        change takes it as sent. (Taking from the front of one dict would be quadratic.)"""

    def __bool__(self) -> bool:
        return bool(self._pending)

    def changed(self, removed: list[bytes], added: list[bytes]) -> None:
        """The table changed (see :class:`snat.nat.table.Listener`)."""
        pending, mapping = self._pending, self._mapping
        for record in removed:
            if record[MAPPING] == mapping:
                sent = pending[record[ID]][0] if record[ID] in pending else record
                pending[record[ID]] = (sent, None)
        for record in added:
            if record[MAPPING] == mapping:
                sent = pending[record[ID]][0] if record[ID] in pending else None
                pending[record[ID]] = (sent, record)

    def drain(self, limit: int) -> list[Change]:
        """Up to ``limit`` changes, oldest first, less those that cancelled out; empty: no more."""
        while True:
            taken = list(islice(self._draining, limit))
            changes = [change for sent, record in taken if (change := _change(sent, record)) is not None]
            if changes or (not taken and not self._pending):
                return changes
            if not taken:
                self._draining, self._pending = iter(self._pending.values()), {}

    def clear(self) -> None:
        """Forget everything: this device no longer manages the feed."""
        self._pending, self._draining = {}, iter(())


def _change(sent: bytes | None, record: bytes | None) -> Change | None:
    if record is None:
        return None if sent is None else (Action.DELETE, sent[REFERENCE], sent, None)
    if sent is None:
        return Action.ADD, record, None, record
    return None if sent == record else (Action.UPDATE, record, sent, record)
