"""What an operator should know without asking: said in ``show ip snat distributed``, and once in the log."""

from collections.abc import Iterable, Iterator
from typing import Final

from snat.device.group import Group
from snat.device.links import Neighbor
from snat.nat.rules import AnyPool
from snat.translate.load import Load

EXHAUSTION: Final = "exhausted"
"""What an alarm of a pool is about."""
LIMIT: Final = "limit"
"""What an alarm of max-entries is about."""
EXHAUSTED: Final = 60.0
"""Seconds without a miss after which a pool is not exhausted any more, nor anybody at a limit."""
Alarm = tuple[str, ...]
"""What it is about, the same for as long as it lasts, whatever its text says of numbers."""


def alarms(group: Group, now: float) -> dict[Alarm, str]:
    """The alarms of a group, with their texts."""
    found: dict[Alarm, str] = {}
    for neighbor in group.neighbors:
        found.update(_of_neighbor(group, neighbor, now))
        found.update(_of_its_configuration(group, neighbor))
    found.update(_of_feeds(group, now))
    if group.unverified:
        text = "unverified: the role was taken without a synchronised member to learn from"
        found["unverified", str(group.configuration.address)] = text
    return found


def pool_alarms(pools: Iterable[AnyPool], now: float) -> dict[Alarm, str]:
    """Of pools that had nothing left lately; what they have given is never taken back for it."""
    return {
        (EXHAUSTION, pool.name): f"pool {pool.name} is exhausted, misses {pool.misses}"
        for pool in pools
        if now - pool.missed_at < EXHAUSTED
    }


def limit_alarms(load: Load, now: float) -> dict[Alarm, str]:
    """That hosts were refused flows lately; nobody loses one for it."""
    if now - load.missed_at >= EXHAUSTED:
        return {}
    return {(LIMIT, ""): f"hosts have as many entries as max-entries allows, misses {load.misses}"}


def _of_neighbor(group: Group, neighbor: Neighbor, now: float) -> Iterator[tuple[Alarm, str]]:
    name = neighbor.name
    if neighbor.silent(now, group.configuration.hold_time):
        yield ("silent", name), f"{name} is silent"
        return
    for direction, link in (("to", neighbor.outgoing), ("from", neighbor.incoming)):
        if link is None or not link.established:
            yield ("down", direction, name), f"the link {direction} {name} is down"
    for feed, sender in group.senders.items():
        at = neighbor.applied.get(feed)
        messages, seconds = (0, 0.0) if at is None else sender.lag(at, now)
        if seconds > group.configuration.hold_time and not neighbor.pulls(feed):
            text = f"{name} lags by {messages} messages, {seconds:.0f} s, in mapping {feed.mapping_id}"
            yield ("lag", name, str(feed.mapping_id)), text


def _of_its_configuration(group: Group, neighbor: Neighbor) -> Iterator[tuple[Alarm, str]]:
    name, hello = neighbor.name, neighbor.hello
    for feed in group.feeds:
        unit = neighbor.units.get(feed)
        if unit is None and hello is not None:
            text = f"mapping {feed.mapping_id} is not configured on {name}"
            yield ("missing", name, str(feed.mapping_id)), text
        elif unit is not None and unit.configuration != group.configuration_digests[feed]:
            text = f"mapping {feed.mapping_id} is configured differently on {name}"
            yield ("configuration", name, str(feed.mapping_id)), text
    if hello is not None and hello.keepalive >= group.configuration.hold_time * 1000:
        text = f"{name} sends a keepalive every {hello.keepalive} ms: the hold time here is not longer"
        yield ("keepalive", name), text


def _of_feeds(group: Group, now: float) -> Iterator[tuple[Alarm, str]]:
    for feed, receiver in group.receivers.items():
        mapping = str(feed.mapping_id)
        messages, seconds = receiver.lag(now)
        if seconds > group.configuration.hold_time + 2 * receiver.interval:
            yield ("lag", mapping), f"mapping {mapping} lags by {messages} messages, {seconds:.0f} s"
        if receiver.diverged:
            text = f"mapping {mapping} has diverged: {receiver.failures} repairs did not make it equal"
            yield ("diverged", mapping), text
