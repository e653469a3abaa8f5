"""Data to text: the classic IOS layouts (ios-cli.md 2.1, 2.2), JSON, help and error lines."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from cli.grammar import Fault, LineError
from cli.tree import Help
from snat.config.model import Interface, Side
from snat.device.status import Endpoint, FeedStatus, GroupStatus, LinkStatus, MemberStatus, Translation

PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp"}
"""Names that IOS prints; others are printed as numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NatStatistics:
    """What ``show ip nat statistics`` shows."""

    interfaces: tuple[Interface, ...]
    counters: Mapping[str, Mapping[str, int]]


def fault(problem: LineError, line: str, prompt: str) -> str:
    """The answer of IOS to a bad line; the caret is counted from column 0 of the prompt line."""
    match problem.fault:
        case Fault.INVALID:
            caret = " " * (len(prompt) + problem.column) + "^"
            return f"{caret}\n% Invalid input detected at '^' marker.\n\n"
        case Fault.INCOMPLETE:
            return "% Incomplete command.\n\n"
        case Fault.AMBIGUOUS:
            return f'% Ambiguous command:  "{line.strip()}"\n'
        case Fault.UNSUPPORTED:
            return f"% Not supported by snat: {problem.reason}\n"


def help_text(shown: Help) -> str:
    """``?``: words on one line after the beginning of a word, else one token a line with its help."""
    if shown.begun:
        return "  ".join(name for name, _ in shown.entries) + "\n"
    width = max((len(name) for name, _ in shown.entries), default=0)
    heading = [shown.heading] if shown.heading else []
    lines = [f"  {name:<{width}}  {text}".rstrip() for name, text in shown.entries]
    return "\n".join([*heading, *lines]) + "\n"


def translations(rows: Iterable[Translation]) -> Iterator[str]:
    """``show ip nat translations``: columns begin at 0, 4, 23, 42 and 61, no footer."""
    yield "Pro Inside global      Inside local       Outside local      Outside global"
    for row in rows:
        protocol = PROTOCOLS.get(row.protocol) or str(row.protocol)
        if row.outside_global is None:
            protocol = protocol if row.inside_local.port else "---"
        begin = f"{protocol:<3} {_endpoint(row.inside_global)}"
        local = f"{_endpoint(row.inside_local):<18} {_endpoint(row.outside_local):<18}"
        yield f"{begin:<22} {local} {_endpoint(row.outside_global)}"


def _endpoint(endpoint: Endpoint | None) -> str:
    if endpoint is None:
        return "---"
    return f"{endpoint.address}:{endpoint.port}" if endpoint.port else endpoint.address


def statistics(shown: NatStatistics) -> Iterator[str]:
    """``show ip nat statistics``: the interfaces, one a line (ios-cli.md 4.5), then the counters."""
    yield "Outside interfaces:"
    yield from (f"  {i.name}" for i in shown.interfaces if i.side is Side.OUTSIDE)
    yield "Inside interfaces: "
    yield from (f"  {i.name}" for i in shown.interfaces if i.side is Side.INSIDE)
    for subject, counters in shown.counters.items():
        yield f"Counters of {subject}:"
        yield from (f"  {name.replace('_', ' ')}: {count}" for name, count in counters.items())


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
    yield f"Mapping List {' '.join(map(str, group.mapping_ids))}".rstrip()
    yield f"Standing {group.standing}{': ' if group.why else ''}{group.why}"
    for feed in group.feeds:
        yield from _feed(feed, group.local_nat_id, verbose)
    for link in group.links:
        yield from _link_verbose(link) if verbose else _link(link)
    yield from (f"Alarm {alarm}" for alarm in group.alarms)


def _feed(feed: FeedStatus, local_nat_id: int, verbose: bool) -> Iterator[str]:
    managers = {0: "nobody", local_nat_id: f"{local_nat_id} (this router)"}
    manager = managers.get(feed.manager_nat_id, feed.manager_nat_id)
    age = "never" if feed.verified_age is None else f"{feed.verified_age:.0f} s ago"
    yield (
        f"Feed process {feed.process_id} mapping {feed.mapping_id}: manager {manager}, term {feed.term}, "
        f"sequence {feed.sequence}, entries {feed.entries}, {_lag(feed)}, verified equal {age}{_unwell(feed)}"
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


def json_lines(data: Any) -> Iterator[str]:
    """``| json``: one document; rows of an iterator are written as they come."""
    if not isinstance(data, Iterator):
        yield from json.dumps(plain(data), indent=2).splitlines()
        return
    yield "["
    previous = ""
    for row in data:
        if previous:
            yield previous + ","
        previous = json.dumps(plain(row))
    if previous:
        yield previous
    yield "]"


def plain(data: Any) -> Any:
    """Data as JSON has them: records become objects, addresses strings, those of Ethernet with colons."""
    if isinstance(data, Enum):
        return data.value
    if is_dataclass(data):
        return {field.name: plain(getattr(data, field.name)) for field in fields(data)}
    if isinstance(data, tuple) and hasattr(data, "_asdict"):
        return {name: plain(value) for name, value in data._asdict().items()}
    if isinstance(data, Mapping):
        return {str(name): plain(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [plain(item) for item in data]
    if isinstance(data, bytes):
        return data.hex(":")
    return str(data) if isinstance(data, IPv4Address | IPv4Network) else data
