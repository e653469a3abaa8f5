"""What neighbors ask for leaves on the links that we dialled: out of the journal, or as a dump in slices.

Every feed is compiled when this is called (the drain rule, see doc/protocol.md).
"""

from collections.abc import Mapping

from snat.device.group import Group
from snat.device.links import AT_ONCE, Link
from snat.nat.table import NatTable
from snat.replication.dump import Dump
from snat.replication.feed import FeedCounters
from snat.replication.sender import MESSAGE_SIZE
from snat.wire.actions import DumpKind, DumpRequest, Error
from snat.wire.errors import ErrorCode
from snat.wire.header import Feed, encode
from snat.wire.items import control, error


def serve(link: Link, groups: Mapping[Feed, Group], table: NatTable, counters: FeedCounters) -> None:
    """Say as much of what was asked for as keeps the queue short."""
    while not link.queue.needs_resync and link.queue.size < AT_ONCE:
        if link.dumps:
            feed, dump = next(iter(link.dumps.items()))
            message, last = dump.next_message()
            link.put(message)
            if last:
                del link.dumps[feed]
        elif not any(_begin(link, groups[feed], feed, table, counters) for feed in list(link.requests)):
            return


def answers(group: Group, request: DumpRequest) -> bool:
    """Whether this device can vouch for what it is asked for."""
    if request.kind == DumpKind.PULL:
        return group.whole(request.feed)
    return group.manages


def _begin(link: Link, group: Group, feed: Feed, table: NatTable, counters: FeedCounters) -> bool:
    """Begin to answer a request, unless it has to wait."""
    request = link.requests[feed]
    pulled = request.kind == DumpKind.PULL
    if not pulled and group.merging.holds(link.neighbor, feed):
        return False
    del link.requests[feed]
    if not answers(group, request):
        refusal = Error(ErrorCode.NOT_SYNCHRONISED, feed, group.feeds[feed].position.term, "not synchronised")
        link.put(encode(error(refusal)))
    elif request.kind != DumpKind.RESUME or not _resume(link, group, request, counters):
        counters.pulls_answered += pulled
        counters.dumps_sent += not pulled
        link.dumps[feed] = Dump(request, group.feeds[feed], table, MESSAGE_SIZE)
    return True


def _resume(link: Link, group: Group, request: DumpRequest, counters: FeedCounters) -> bool:
    """Send what the neighbor missed, if the journal has all of it; at once, so that nothing comes between.

    If that is more than the queue holds well, a dump is the better way.
    """
    messages = group.feeds[request.feed].journal.since(request.position)
    if messages is None or sum(map(len, messages)) > link.queue.room // 2:
        return False
    counters.resumed += 1
    for message in messages:
        link.put(message)
    link.put(encode(control(group.senders[request.feed].statement())))
    return True
