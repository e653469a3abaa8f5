"""What a device tells of itself, made from what it is; see :mod:`snat.device.status`."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Final

from snat.config.model import Group as GroupConfiguration
from snat.device.alarms import alarms
from snat.device.device import Device
from snat.device.entries import selected
from snat.device.group import Group
from snat.device.links import Link, Neighbor
from snat.device.reasons import why
from snat.device.selection import EVERYTHING, Selection
from snat.device.status import (
    Detail,
    Endpoint,
    FeedStatus,
    GroupStatus,
    LinkStatus,
    MemberStatus,
    Statistics,
    Translation,
)
from snat.device.usage import rule_of
from snat.nat.entry import FLAGS, INSIDE_GLOBAL, NEVER, Entry, Flag, State
from snat.nat.table import records_in
from snat.replication.feed import FeedState
from snat.translate.alg.context import described
from snat.wire.actions import Standing
from snat.wire.header import Feed

_STATES: Final = {state.value: state.name.lower() for state in State}


def translations(
    device: Device, selection: Selection = EVERYTHING, *, verbose_at: float | None = None
) -> Iterator[Translation | None]:
    """The entries, row by row; None where some were looked at and none is meant. The walk survives changes.

    With details as of ``verbose_at``, if that is given.
    """
    for batch in selected(device.table, selection):
        if not batch:
            yield None
        for record in batch:
            row = _translation(Entry.unpack(record))
            yield row if verbose_at is None else row._replace(detail=_detail(device, record, verbose_at))


def total(device: Device, selection: Selection) -> Iterator[int | None]:
    """How many entries; None as long as they are being counted."""
    if selection == EVERYTHING:
        yield len(device.table)
        return
    count = 0
    for batch in selected(device.table, selection):
        count += len(batch)
        yield None
    yield count


def groups(device: Device, now: float) -> tuple[GroupStatus, ...]:
    """All redundancy groups; the groups of a block of peers, one for each owner, as the one that it is."""
    blocks: defaultdict[GroupConfiguration, list[Group]] = defaultdict(list)
    for group in device.groups:
        blocks[group.configuration].append(group)
    return tuple(_block(device, listed, now) for listed in blocks.values())


def statistics(device: Device) -> Statistics:
    """All counters."""
    return Statistics(counters=device.counters())


def _endpoint(address: bytes, port: int) -> Endpoint:
    return Endpoint(str(IPv4Address(address)), port)


def _translation(entry: Entry) -> Translation:
    simple = not entry.flags & (Flag.EXTENDED | Flag.EXPECTED)
    outside = bool(entry.flags & Flag.OUTSIDE)
    return Translation(
        protocol=entry.protocol,
        inside_global=None if outside else _endpoint(entry.inside_global, entry.inside_global_port),
        inside_local=None if outside else _endpoint(entry.inside_local, entry.inside_local_port),
        outside_local=_endpoint(entry.outside_local, entry.outside_local_port)
        if outside or not simple
        else None,
        outside_global=_endpoint(entry.outside_global, entry.outside_global_port)
        if outside or not simple
        else None,
        nat_id=entry.nat_id,
        number=entry.number,
        mapping_id=entry.mapping_id,
        state=_STATES.get(entry.state, str(entry.state)),
    )


def _detail(device: Device, record: bytes, now: float) -> Detail:
    flows, entry = device.translator.flows, Entry.unpack(record)
    created, used, idle = device.created(entry), flows.used(record), flows.idle_timeout(record)
    managed = flows.ages(record)
    left = flows.remaining(record, now) if managed else NEVER
    rule = rule_of(flows.rules, record)
    return Detail(
        created=None if created is None else round(now - created, 3),
        used=None if used is None else round(now - used, 3),
        timeout=None if idle == float("inf") else int(idle),
        left=None if left == NEVER else left,
        rule=rule,
        flags=tuple(_flags(entry)),
        uses=_uses(device, record),
        paths=0 if used is None else 2,
        manager_nat_id=device.nat_id if managed else device.manager_of(record),
        managed=managed,
        context=tuple(described(entry.context)) if entry.context else (),
    )


def _flags(entry: Entry) -> Iterator[str]:
    for flag in Flag:
        if entry.flags & flag:
            yield str(flag.name).lower()
    if entry.state == State.CLOSING:
        yield "timing-out"


def _uses(device: Device, record: bytes) -> int:
    """Flows of a simple entry, by its inside-global endpoint or the whole address; others have none."""
    if record[FLAGS] & (Flag.EXTENDED | Flag.EXPECTED):
        return 0
    rules = device.translator.flows.rules
    outside = record[FLAGS] & Flag.OUTSIDE
    address = record[29:33] if outside else record[23:27]
    for pool in rules.outside_pools if outside else rules.address_pools:
        if address in pool:
            return pool.entries_of(address) - 1
    slot = device.table.outside.get(record[INSIDE_GLOBAL])
    if slot is None or outside:
        return 0
    return sum(1 for one in records_in(slot) if one[FLAGS] & Flag.EXTENDED)


def _block(device: Device, listed: list[Group], now: float) -> GroupStatus:
    group = next(group for group in listed if group.is_own)
    listed.sort(key=lambda one: not one.is_own)
    present = {alarm: text for one in listed for alarm, text in alarms(one, now).items()}
    return GroupStatus(
        mode=group.mode,
        standing=group.standing.name,
        state="CONVERGING" if group.standing is Standing.START else "READY",
        local_address=str(group.configuration.address),
        local_nat_id=device.nat_id,
        mapping_ids=group.configuration.mapping_ids,
        why=why(group, now),
        feeds=tuple(_feed(one, state, now) for one in listed for state in one.feeds.values()),
        links=tuple(
            _link(device, group, neighbor, link, direction)
            for neighbor in group.neighbors
            for direction, link in (("out", neighbor.outgoing), ("in", neighbor.incoming))
        ),
        alarms=tuple(present.values()),
    )


def _feed(group: Group, state: FeedState, now: float) -> FeedStatus:
    receiver = group.receivers.get(state.feed)
    messages, seconds = receiver.lag(now) if receiver is not None else (0, 0.0)
    return FeedStatus(
        process_id=state.feed.process_id,
        mapping_id=state.feed.mapping_id,
        manager_nat_id=group.manager,
        term=state.position.term.number,
        sequence=state.position.sequence,
        entries=state.digest.count,
        digest=state.digest.value,
        synchronised=receiver is None or receiver.synchronised,
        verified_age=None if state.verified is None else round(now - state.verified, 3),
        lag_messages=messages,
        lag_seconds=round(seconds, 3),
        diverged=receiver is not None and receiver.diverged,
        repairs=receiver.failures if receiver is not None else 0,
        journal_messages=len(state.journal),
        journal_bytes=state.journal.size,
        members=tuple(_members(group, state.feed, now)),
    )


def _members(group: Group, feed: Feed, now: float) -> Iterator[MemberStatus]:
    """The others, if this device manages the feed."""
    sender = group.senders.get(feed)
    for neighbor in group.neighbors if sender is not None else ():
        at, standing = neighbor.applied.get(feed), neighbor.standing(feed)
        messages, seconds = (0, 0.0) if sender is None or at is None else sender.lag(at, now)
        yield MemberStatus(
            neighbor=neighbor.name,
            nat_id=neighbor.nat_id,
            standing=standing.name if standing is not None else "",
            term=at.term.number if at is not None else 0,
            sequence=at.sequence if at is not None else 0,
            lag_messages=messages,
            lag_seconds=round(seconds, 3),
            pulls=neighbor.pulls(feed),
        )


def _link(device: Device, group: Group, neighbor: Neighbor, link: Link | None, direction: str) -> LinkStatus:
    peer = next(peer for peer in group.configuration.peers if peer.nat_id == neighbor.nat_id)
    idle = LinkStatus(
        neighbor=neighbor.name,
        direction=direction,
        local_address=str(group.configuration.address),
        destination_address=str(peer.address),
        destination_port=peer.port,
        local_nat_id=device.nat_id,
        destination_nat_id=neighbor.nat_id,
        process_id=0,
        mapping_ids=group.configuration.mapping_ids,
        state="Idle",
        last_refusal=neighbor.refusal,
        incarnation=neighbor.hello.incarnation if neighbor.hello is not None else 0,
    )
    if link is None:
        return idle
    return replace(
        idle,
        local_address=link.local_address or idle.local_address,
        destination_address=link.destination_address or idle.destination_address,
        destination_port=link.destination_port or idle.destination_port,
        state=link.session.state.value,
        connection=link.number,
        messages_in=link.session.messages_in,
        messages_out=link.messages_out,
        bytes_in=link.session.bytes_in,
        bytes_out=link.bytes_out,
        queued_bytes=link.queue.size,
        inbound_bytes=link.inbound.size,
        needs_resync=link.queue.needs_resync,
    )
