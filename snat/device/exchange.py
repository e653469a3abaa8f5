"""What a device does with each message of a neighbor, and what it answers.

A message is decoded whole before any of it is applied; a malformed one closes the link. A well-formed item
that its sender may not send is skipped, answered with an error item and counted.
"""

from collections.abc import Mapping
from typing import Final

from snat.device.events import DeviceEvent, Noted
from snat.device.group import Group
from snat.device.links import Link
from snat.nat.table import NatTable
from snat.replication.dump import Dump
from snat.replication.feed import FeedCounters
from snat.replication.receiver import Receiver
from snat.replication.sender import MESSAGE_SIZE
from snat.wire import actions
from snat.wire.actions import (
    Action,
    Applied,
    Claim,
    Digest,
    DumpBegin,
    DumpEnd,
    DumpRequest,
    Error,
    Released,
    RoleChange,
    Standing,
)
from snat.wire.errors import ErrorCode, WireError
from snat.wire.header import NO_FEED, NO_TERM, Feed, Message, Term, encode

_SYNCHRONISED: Final = (Standing.LISTEN, Standing.CLAIM)
_CHANGES: Final = frozenset({Action.ADD, Action.UPDATE, Action.DELETE})


class Exchange:
    """Messages of established links, by what they concern."""

    def __init__(self, group_of: Mapping[Feed, Group], table: NatTable, counters: FeedCounters) -> None:
        self.events: list[DeviceEvent] = []
        self._group_of = group_of
        self._table = table
        self._counters = counters

    def receive(self, link: Link, message: Message, now: float) -> None:
        """Apply a message, or close the link for it."""
        try:
            if message.sequence or actions.first_action(message.body) in _CHANGES:
                self._apply(link, message, now)
                return
            for control in actions.controls(message.body):
                self._control(link, control, now)
        except WireError as error:
            link.session.refuse(error.code, error.reason)

    def _control(self, link: Link, said: object, now: float) -> None:
        match said:
            case Error():
                self._refused(link, said)
            case Applied() | RoleChange() | Claim() | Released() | DumpRequest():
                group = self._group(link, said.feed)
                if group is not None:
                    self._from_member(group, link, said, now)
            case Digest() | DumpBegin() | DumpEnd():
                self._from_manager(link, said, now)
            case _:
                raise WireError(ErrorCode.MALFORMED, "authenticate on an established link")

    def _apply(self, link: Link, message: Message, now: float) -> None:
        receiver = self._receiver(link, message.feed, message.term)
        if receiver is not None:
            self._answer(link, receiver.apply(message, now), message.feed)

    def _from_manager(self, link: Link, said: Digest | DumpBegin | DumpEnd, now: float) -> None:
        receiver = self._receiver(link, said.feed, said.position.term)
        if receiver is None:
            return
        match said:
            case Digest():
                self._answer(link, receiver.compare(said, now), said.feed)
            case DumpBegin():
                receiver.begin(said, now)
            case DumpEnd():
                receiver.end(said, now)

    def _from_member(
        self,
        group: Group,
        link: Link,
        said: Applied | RoleChange | Claim | Released | DumpRequest,
        now: float,
    ) -> None:
        match said:
            case Applied():
                self._applied(group, link, said, now)
            case RoleChange():
                link.neighbor.says(said)
                group.heard_term(said.feed, said.term)
            case Claim():
                group.claimed(link.neighbor, said.feed, now)
            case Released():
                group.released(link.neighbor, said)
            case DumpRequest():
                self._begin_dump(group, link, said)

    def _applied(self, group: Group, link: Link, said: Applied, now: float) -> None:
        """A member that is synchronised and stands where we stand has compared digests with us."""
        state = group.feeds[said.feed]
        standing = link.neighbor.standing(said.feed)
        if group.manages and said.position == state.position and standing in _SYNCHRONISED:
            state.verified = now

    def _begin_dump(self, group: Group, link: Link, said: DumpRequest) -> None:
        """Answered by whoever manages, on the link its entries leave by."""
        out = link.neighbor.outgoing
        if not group.manages or out is None:
            self._answer(link, ErrorCode.NOT_SYNCHRONISED, said.feed)
            return
        self._counters.dumps_sent += 1
        out.dumps[said.feed] = Dump(said.number, group.feeds[said.feed], self._table, MESSAGE_SIZE)

    def _refused(self, link: Link, said: Error) -> None:
        fields = {"neighbor": link.neighbor.name, "reason": said.reason}
        self.events.append(Noted("{neighbor} answers: {reason}", fields, repeats=True))
        if said.feed == NO_FEED:
            if said.code == ErrorCode.STOPPED:
                link.neighbor.leave()
            link.session.lost(f"ended by the neighbor: {said.reason}")
        elif said.code == ErrorCode.OLD_TERM and said.feed in self._group_of:
            self._group_of[said.feed].heard_term(said.feed, said.term)

    def _group(self, link: Link, feed: Feed) -> Group | None:
        """The group of a feed, if the neighbor is a member of it too; otherwise it is told that it is not."""
        group = self._group_of.get(feed)
        if group is not None and link.neighbor in group.neighbors and feed in link.neighbor.units:
            return group
        self._counters.unknown_feeds += 1
        self._answer(link, ErrorCode.UNKNOWN_FEED, feed)
        return None

    def _receiver(self, link: Link, feed: Feed, term: Term) -> Receiver | None:
        """The feed's receiver, if the neighbor may feed it: on the link it dialled, in a term it took."""
        group = self._group(link, feed)
        if group is None:
            return None
        receiver = group.receivers.get(feed)
        if receiver is None or link.outgoing or term.nat_id != link.neighbor.nat_id:
            group.heard_term(feed, term)
            self._counters.not_managed += 1
            self._answer(link, ErrorCode.NOT_MANAGED, feed)
            return None
        return receiver

    def _answer(self, link: Link, code: ErrorCode | None, feed: Feed) -> None:
        """Tell the neighbor what was refused, with the term in force."""
        if code is None:
            return
        group = self._group_of.get(feed)
        term = group.feeds[feed].position.term if group is not None else NO_TERM
        reason = code.name.lower().replace("_", " ")
        link.put(encode(actions.error(Error(code, feed, term, reason))))
