"""The SNAT queue (328, Fig. 4A): changes of one feed that are not compiled into a message yet.

Keyed by entry and holding the record last sent, so that changes coalesce: add and delete cancel out, updates
collapse into the newest. The destinations of an entry (406) are those of its feed: all members, always, so a
queue serves one feed and needs no address per entry.

Nearly all changes are adds of new entries. So they cost one pass to see whose they are and one into a dict;
only what members know already is looked at entry by entry.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple, cast

from snat.nat.entry import ID, MAPPING, NAT_ID, REFERENCE
from snat.wire.actions import Action
from snat.wire.header import Feed


class Run(NamedTuple):
    """Consecutive changes of one action."""

    action: Action
    data: list[bytes]
    """What their items carry: records, or the references of deletes."""
    removed: list[bytes]
    """The records last sent; none of adds."""
    added: list[bytes]
    """The records now; none of deletes."""


class SnatQueue:
    """A listener of the table that collects what members must be told."""

    def __init__(self, feed: Feed) -> None:
        self._mapping = feed.mapping_id.to_bytes(4, "big")
        self._owner = feed.process_id.to_bytes(4, "big") if feed.process_id else b""
        """Among peers: whose entries the feed has."""
        self._wanted: dict[bytes, bytes | None] = {}
        """By id: the record that members should have; None where they should have none any more."""
        self._sent: dict[bytes, bytes] = {}
        """By id, of those above that members have: the record they have."""
        self._adds: Iterator[bytes] = iter(())
        self._mixed: Iterator[tuple[bytes | None, bytes | None]] = iter(())
        """What was wanted when the last drain began: adds alone, or (sent, wanted). It leaves before
        anything newer, so a newer change takes it as sent. (Taking from the front of one dict would be
        quadratic.)"""

    def __bool__(self) -> bool:
        return bool(self._wanted)

    def changed(self, removed: list[bytes], added: list[bytes]) -> None:
        """The table changed (see :class:`snat.nat.table.Listener`)."""
        wanted = self._wanted
        if not removed and len(added) == 1:  # as for each new flow
            record = added[0]
            if record[MAPPING] == self._mapping and (not self._owner or record[NAT_ID] == self._owner):
                wanted[record[ID]] = record
            return
        unheard = self._remove(removed) if removed else ()
        ours = self._of_feed(added)
        wanted.update(zip([record[ID] for record in ours], ours, strict=True))
        for entry in unheard:
            if wanted[entry] is None:
                del wanted[entry]

    def drain(self, limit: int) -> list[Run]:
        """Up to ``limit`` changes, oldest first, less those that cancelled out; empty: no more."""
        while True:
            if adds := list(islice(self._adds, limit)):
                return [Run(Action.ADD, adds, [], adds)]
            if mixed := list(islice(self._mixed, limit)):
                if runs := _runs(mixed):
                    return runs
            elif self._wanted:
                self._begin()
            else:
                return []

    def clear(self) -> None:
        """Forget everything: this device no longer manages the feed."""
        self._wanted, self._sent = {}, {}
        self._adds, self._mixed = iter(()), iter(())

    def _begin(self) -> None:
        """All that is wanted now is to be drained."""
        wanted, sent = self._wanted, self._sent
        if sent:
            self._mixed = zip(map(sent.get, wanted), wanted.values(), strict=True)
        else:
            self._adds = cast("Iterator[bytes]", iter(wanted.values()))  # what is None was sent
        self._wanted, self._sent = {}, {}

    def _of_feed(self, records: list[bytes]) -> list[bytes]:
        mapping, owner = self._mapping, self._owner
        if owner:
            return [record for record in records if record[MAPPING] == mapping and record[NAT_ID] == owner]
        return [record for record in records if record[MAPPING] == mapping]

    def _remove(self, removed: list[bytes]) -> set[bytes]:
        """Want these no more; the ids of those that members never heard of."""
        wanted, sent = self._wanted, self._sent
        records = self._of_feed(removed)
        ids = [record[ID] for record in records]
        unheard = {entry for entry in ids if entry in wanted and entry not in sent}
        sent.update(
            (entry, record) for entry, record in zip(ids, records, strict=True) if entry not in wanted
        )
        wanted.update(dict.fromkeys(ids))
        return unheard


def _runs(changes: Iterable[tuple[bytes | None, bytes | None]]) -> list[Run]:
    """The runs of what was sent and is wanted, where these differ."""
    runs: list[Run] = []
    for sent, wanted in changes:
        if sent != wanted:
            action = Action.DELETE if wanted is None else Action.ADD if sent is None else Action.UPDATE
            if not runs or runs[-1].action is not action:
                runs.append(Run(action, [], [], []))
            _append(runs[-1], sent, wanted)
    return runs


def _append(run: Run, sent: bytes | None, wanted: bytes | None) -> None:
    if sent is not None:
        run.removed.append(sent)
    if wanted is not None:
        run.added.append(wanted)
        run.data.append(wanted)
    elif sent is not None:
        run.data.append(sent[REFERENCE])
