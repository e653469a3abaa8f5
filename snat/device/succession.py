"""Who manages, as far as it is known, and who goes first when nobody does."""

from collections.abc import Iterable, Sequence

from snat.device.links import Neighbor
from snat.wire.actions import Role, Standing
from snat.wire.header import Feed, Position


def manager_of(feed: Feed, neighbors: Iterable[Neighbor], now: float, hold_time: float) -> Neighbor | None:
    """The neighbor that says it manages, under the highest term, and is not silent."""
    managing = [
        (said.term, neighbor.nat_id, neighbor)
        for neighbor in neighbors
        if (said := neighbor.standings.get(feed)) is not None
        and said.standing == Standing.MANAGE
        and not neighbor.silent(now, hold_time)
    ]
    return max(managing)[-1] if managing else None


def goes_first(
    feed: Feed, role: Role, nat_id: int, neighbors: Iterable[Neighbor], now: float, hold_time: float
) -> bool:
    """Whether we follow the manager, of those that listen: the primary does, then the lowest NAT ID."""
    ours = (role is Role.PRIMARY, -nat_id)
    return not any(
        one.standing(feed) is Standing.CLAIM
        or (one.standing(feed) is Standing.LISTEN and (one.role(feed) is Role.PRIMARY, -one.nat_id) > ours)
        for one in neighbors
        if not one.silent(now, hold_time)
    )


def is_best(
    feed: Feed,
    position: Position,
    role: Role,
    nat_id: int,
    neighbors: Sequence[Neighbor],
    now: float,
    hold_time: float,
    *,
    waited: bool,
) -> bool:
    """Whether a starting member may take the role with what it has.

    The others must all be starting too, and behind it: by position, then the primary, then the lower NAT ID.
    Until it has ``waited`` they must all be there.
    """
    present = [one for one in neighbors if not one.silent(now, hold_time) and feed in one.standings]
    if not waited and (not present or len(present) < len(neighbors)):
        return False
    ours = (position, role is Role.PRIMARY, -nat_id)
    return all(
        one.standing(feed) is Standing.START
        and feed in one.units
        and (one.units[feed].applied, one.role(feed) is Role.PRIMARY, -one.nat_id) < ours
        for one in present
    )
