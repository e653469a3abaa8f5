"""Who manages, as far as it is known, and who goes first when nobody does."""

from collections.abc import Callable, Collection, Iterable, Sequence

from snat.device.links import Neighbor
from snat.redundancy.roles import leads
from snat.wire.actions import Role, Standing
from snat.wire.header import Feed, Position


def told_by(neighbor: Neighbor, feeds: Collection[Feed]) -> Feed:
    """The feed by which a neighbor's standing in a group is known: the first that it speaks of.

    A group has one standing; but a feed may be configured here and not there yet, or there no more.
    """
    return next((feed for feed in feeds if feed in neighbor.standings), next(iter(feeds)))


def manager_of(
    feeds: Iterable[Feed], neighbors: Collection[Neighbor], now: float, hold_time: float
) -> Neighbor | None:
    """The neighbor that says it manages, under the highest term, and is not silent."""
    for feed in feeds:
        managing = [
            (said.term, neighbor.nat_id, neighbor)
            for neighbor in neighbors
            if (said := neighbor.standings.get(feed)) is not None
            and said.standing == Standing.MANAGE
            and not neighbor.silent(now, hold_time)
        ]
        if managing:
            return max(managing)[-1]
    return None


def goes_first(
    feeds: Collection[Feed],
    role: Role,
    nat_id: int,
    neighbors: Iterable[Neighbor],
    now: float,
    hold_time: float,
) -> bool:
    """Whether we follow the manager, of those that listen: who leads does, then the lowest NAT ID."""
    ours = (leads(role), -nat_id)
    return not any(
        one.standing(feed) is Standing.CLAIM
        or (one.standing(feed) is Standing.LISTEN and (leads(one.role(feed)), -one.nat_id) > ours)
        for one, feed in ((one, told_by(one, feeds)) for one in neighbors)
        if not one.silent(now, hold_time)
    )


def is_best(
    feeds: Collection[Feed],
    vouched: Callable[[Feed], Position],
    role: Role,
    nat_id: int,
    neighbors: Sequence[Neighbor],
    now: float,
    hold_time: float,
    *,
    waited: bool,
) -> bool:
    """Whether a starting member may take the role with what it has.

    The others must all be starting too, and behind it: by position (``vouched`` tells our own), then who
    leads, then the lower NAT ID. Until it has ``waited`` they must all be there.
    """
    there = [(one, told_by(one, feeds)) for one in neighbors if not one.silent(now, hold_time)]
    present = [(one, feed) for one, feed in there if feed in one.standings]
    if not waited and (not present or len(present) < len(neighbors)):
        return False
    return all(
        one.standing(feed) is Standing.START
        and feed in one.units
        and (one.units[feed].applied, leads(one.role(feed)), -one.nat_id)
        < (vouched(feed), leads(role), -nat_id)
        for one, feed in present
    )
