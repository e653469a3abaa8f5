"""Which peers may have entries of which this device has not heard, so that no port is given twice.

See :mod:`snat.nat.parking`: ports that are freed wait until all peers know of it, and we of what they made.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from snat.device.group import Group
from snat.device.links import Neighbor
from snat.nat.pool import Pool
from snat.wire.actions import Standing
from snat.wire.header import Position


@dataclass(frozen=True, slots=True)
class _Lost:
    since: float
    newest: bytes
    """Id of our newest entry then: those after it the peer cannot know."""


class PeerAccount:
    """The peers of one device."""

    def __init__(self) -> None:
        self._lost: dict[int, _Lost] = {}
        self._round_at = float("-inf")

    def turn(self, groups: Iterable[Group], pools: Iterable[Pool], newest: bytes, now: float) -> bytes:
        """Look who is up to date; the newest of our entries that a lost peer knows, empty if none is lost.

        ``newest`` is the id of the newest entry that there is.
        """
        groups = [group for group in groups if group.owner]
        neighbors = {one.nat_id: one for group in groups for one in group.neighbors}
        hold_time = max((group.configuration.hold_time for group in groups), default=0.0)
        retain = max((group.configuration.retain for group in groups), default=0)
        silent = {nat_id for nat_id, one in neighbors.items() if one.silent(now, hold_time)}
        behind = {nat_id for nat_id, one in neighbors.items() if _is_behind(one, groups, now)}
        for nat_id in silent - self._lost.keys():
            self._lost[nat_id] = _Lost(now, newest)
        before = bool(self._lost)
        self._lost = {
            nat_id: lost
            for nat_id, lost in self._lost.items()
            if nat_id in neighbors and (nat_id in silent or nat_id in behind)
        }
        waited_for = [lost.newest for lost in self._lost.values() if now - lost.since < retain]
        if before and not waited_for:
            for pool in pools:
                if pool.parking is not None:
                    pool.parking.met()
        if now - self._round_at >= hold_time and not behind - self._lost.keys():
            self._round_at = now
            for pool in pools:
                pool.peers_know()
        return max(waited_for, default=b"")


def _is_behind(neighbor: Neighbor, groups: list[Group], now: float) -> bool:
    """Whether a peer lacks what we manage, or we what it does, for as long as a hold time."""
    return any(
        _lacks(neighbor, group, now)
        if group.manages
        else group.manager == neighbor.nat_id and _lags(group, now)
        for group in groups
        if neighbor in group.neighbors
    )


def _lacks(neighbor: Neighbor, group: Group, now: float) -> bool:
    return any(
        neighbor.standing(feed) is not Standing.LISTEN
        or sender.lag(neighbor.applied.get(feed, Position()), now)[1] >= group.configuration.hold_time
        for feed, sender in group.senders.items()
    )


def _lags(group: Group, now: float) -> bool:
    return not group.synchronised or any(
        receiver.lag(now)[1] >= group.configuration.hold_time for receiver in group.receivers.values()
    )
