"""``show ip snat``: the lines of IOS (ios-cli.md 2.1), then ours."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address

from cli.render_nat import endpoint, protocol_of
from cli.tree import Lines
from snat.device.status import FeedStatus, GroupStatus, LinkStatus, MemberStatus, Translation


def created_by(peer: IPv4Address, rows: Iterable[Translation | None]) -> Lines:
    """``show ip snat peer``: columns begin at 0, 4, 25, 45 and 66."""
    yield f"Show NAT Entries created by peer: {peer}"
    yield ""
    yield "Pro Inside global        Inside local        Outside local        Outside global"
    for row in rows:
        if row is None:
            yield None
            continue
        begin = f"{f'{protocol_of(row):<3} {endpoint(row.inside_global)}':<24}"
        local = f"{endpoint(row.inside_local):<19} {endpoint(row.outside_local):<20}"
        yield f"{begin} {local} {endpoint(row.outside_global)}"


def distributed(groups: Iterable[GroupStatus], *, verbose: bool) -> Iterator[str]:
    """``show ip snat distributed``: the lines of IOS, then ours for role, feeds and alarms."""
    yield from ("", "Stateful NAT Connected Peers", "")
    for group in groups:
        yield f"SNAT: Mode {group.mode}"
        yield from (f"    : {line}" for line in _group(group, verbose))
        yield ""


def _group(group: GroupStatus, verbose: bool) -> Iterator[str]:
    yield f"State {group.state}"
    yield f"Local Address {group.local_address}"
    yield f"Local NAT id {group.local_nat_id}"
    peers = dict.fromkeys((link.destination_address, link.destination_nat_id) for link in group.links)
    for address, nat_id in peers:
        yield f"Peer Address {address}"
        yield f"Peer NAT id {nat_id}"
        if verbose:
            yield _messages([link for link in group.links if link.destination_nat_id == nat_id])
    yield f"Mapping List {' '.join(map(str, group.mapping_ids))}".rstrip()
    yield f"Standing {group.standing}{': ' if group.why else ''}{group.why}"
    for feed in group.feeds:
        yield from _feed(feed, group.local_nat_id, verbose)
    for link in group.links:
        yield from _link_verbose(link) if verbose else _link(link)
    yield from (f"Alarm {alarm}" for alarm in group.alarms)


def _messages(links: list[LinkStatus]) -> str:
    """The line of IOS for a peer.

    In the place of addresses in memory it has the numbers of our connections: of the one that we dialled
    (tcb), and of the one that our listener took; 0 while there is none.
    """
    received, sent = (sum(getattr(link, f"messages_{way}") for link in links) for way in ("in", "out"))
    tcb, listener = (
        sum(link.connection for link in links if link.direction == direction) for direction in ("out", "in")
    )
    return f"InMsgs {received}, OutMsgs {sent}, tcb {tcb:#x}, listener {listener:#x}"


def _feed(feed: FeedStatus, local_nat_id: int, verbose: bool) -> Iterator[str]:
    managers = {0: "nobody", local_nat_id: f"{local_nat_id} (this router)"}
    manager = managers.get(feed.manager_nat_id, feed.manager_nat_id)
    steward = " as steward" if feed.manager_nat_id and feed.process_id not in (0, feed.manager_nat_id) else ""
    age = "never" if feed.verified_age is None else f"{feed.verified_age:.0f} s ago"
    yield (
        f"Feed process {feed.process_id} mapping {feed.mapping_id}: manager {manager}{steward}, "
        f"term {feed.term}, sequence {feed.sequence}, entries {feed.entries}, {_lag(feed)}, "
        f"verified equal {age}{_unwell(feed)}"
    )
    if verbose:
        yield (
            f"  Digest {feed.digest:016x}, journal {feed.journal_messages} messages, "
            f"{feed.journal_bytes} bytes"
        )
    yield from map(_member, feed.members)


def _unwell(feed: FeedStatus) -> str:
    said = ", diverged" if feed.diverged else "" if feed.synchronised else ", not synchronised"
    return said + (f", repairs {feed.repairs}" if feed.repairs else "")


def _member(member: MemberStatus) -> str:
    pulls = ", pulls" if member.pulls else ""
    return (
        f"  Member {member.nat_id} {member.neighbor}: {member.standing or 'unknown'}, term {member.term}, "
        f"sequence {member.sequence}, {_lag(member)}{pulls}"
    )


def _lag(behind: FeedStatus | MemberStatus) -> str:
    return f"lag {behind.lag_messages} messages, {behind.lag_seconds:.1f} s"


def _link(link: LinkStatus) -> Iterator[str]:
    needs = ", needs resync" if link.needs_resync else ""
    yield f"Link {link.direction} {link.neighbor}: {link.state}{needs}"
    if link.last_refusal:
        yield f"Refused {link.neighbor}: {link.last_refusal}"


def _link_verbose(link: LinkStatus) -> Iterator[str]:
    """The Connection Management structure (Fig. 7)."""
    yield from _link(link)
    yield f"  InMsgs {link.messages_in}, OutMsgs {link.messages_out}"
    yield (
        f"  InBytes {link.bytes_in}, OutBytes {link.bytes_out}, queued {link.queued_bytes}, "
        f"inbound {link.inbound_bytes}"
    )
    yield f"  Local Address {link.local_address}, Local NAT id {link.local_nat_id}"
    yield (
        f"  Destination Address {link.destination_address}, port {link.destination_port}, "
        f"NAT id {link.destination_nat_id}, incarnation {link.incarnation}"
    )
    mapping_ids = " ".join(map(str, link.mapping_ids))
    yield f"  Process id {link.process_id}, Mapping ids {mapping_ids}"
