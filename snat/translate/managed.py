"""Whose entries this device makes, tracks and ages (design section 5).

In a role group those of a whole mapping, whoever made them. Among peers each owner's are managed apart: by
the owner, which alone makes such entries; those of a lost owner by the steward, which only ages them.
"""

from typing import Final

from snat.nat.entry import MAPPING, NAT_ID

ANYBODY: Final = 0
"""As an owner: the entries of a mapping are managed together."""
FOREVER: Final = float("inf")

_Key = bytes
"""A mapping, and its owner before it if entries are managed by owner, as they are in records."""


class Managed:
    """What this device manages, since when, and what of it it only looks after."""

    def __init__(self, now: float) -> None:
        self.makes: set[int] = {0}
        """Mapping IDs in which this device makes entries; 0 are its own."""
        self.restrained: set[int] = set()
        """Mapping IDs in which packets that may belong to an entry that is on its way here make none."""
        self._since: dict[_Key, float] = {_key(0, ANYBODY): now}
        self._retained: dict[_Key, float] = {}
        self._by_owner = False
        self._waits: set[_Key] = set()

    def take(self, mapping_id: int, owner: int, now: float, retain: float) -> None:
        """Manage a mapping, or what ``owner`` made in it, from now on.

        ``retain``: seconds without use after which an entry of a lost owner goes, whatever its time-out;
        FOREVER for what this device makes itself.
        """
        key = _key(mapping_id, owner)
        self._since[key] = now
        self._by_owner |= owner != ANYBODY
        if retain == FOREVER:
            self.makes.add(mapping_id)
        else:
            self._retained[key] = retain

    def leave(self, mapping_id: int, owner: int) -> None:
        """Manage it no more."""
        key = _key(mapping_id, owner)
        self._since.pop(key, None)
        if self._retained.pop(key, None) is None:
            self.makes.discard(mapping_id)

    def restrain(self, mapping_id: int, owner: int, restrained: bool) -> None:
        """Whether entries of an owner, or of anybody, are on their way here."""
        (self._waits.add if restrained else self._waits.discard)(_key(mapping_id, owner))
        self.restrained = {int.from_bytes(key[-4:], "big") for key in self._waits}

    def since(self, record: bytes) -> float | None:
        """Since when this device manages an entry; None: another does, or nobody."""
        since = self._since.get(record[MAPPING])
        if since is None and self._by_owner:
            return self._since.get(record[NAT_ID] + record[MAPPING])
        return since

    def retain(self, record: bytes) -> float:
        """Seconds without use after which a managed entry goes, if that is before its time-out."""
        return self._retained.get(record[NAT_ID] + record[MAPPING], FOREVER) if self._retained else FOREVER


def _key(mapping_id: int, owner: int) -> _Key:
    mapping = mapping_id.to_bytes(4, "big")
    return mapping if owner == ANYBODY else owner.to_bytes(4, "big") + mapping
