"""What a device does with each message of a neighbor, and what it answers.

A message is decoded whole before any of it is applied; a malformed one closes the link. A well-formed item
that its sender may not send is skipped, answered with an error item, counted, and written to the log.
"""

from collections.abc import Callable, Mapping
from typing import Final

from snat.device.events import DeviceEvent, IncarnationRefused, Noted
from snat.device.feeds import feed_of
from snat.device.group import Group
from snat.device.links import Link, Neighbor, Stage
from snat.device.serving import answers
from snat.replication.feed import FeedCounters
from snat.replication.receiver import Receiver
from snat.wire import items
from snat.wire.actions import (
    Applied,
    Claim,
    Digest,
    DumpBegin,
    DumpEnd,
    DumpKind,
    DumpRequest,
    Error,
    Had,
    Hears,
    Hint,
    Prompt,
    Released,
    RoleChange,
    Standing,
    TermBegin,
    Unavailable,
)
from snat.wire.errors import ErrorCode, WireError
from snat.wire.header import NO_FEED, NO_TERM, Feed, Message, Term, encode

_SYNCHRONISED: Final = (Standing.LISTEN, Standing.CLAIM)
_FROM_MEMBER = Applied | RoleChange | Claim | Released | DumpRequest | Unavailable
_FROM_MANAGER = Digest | TermBegin | Had | DumpBegin | DumpEnd


Hinted = Callable[[Hint, float], bool]
"""What a neighbor saw of an entry, and when; whether the entry is here, and this device manages it."""


class Exchange:
    """Messages of established links, by what they concern."""

    def __init__(self, group_of: Mapping[Feed, Group], counters: FeedCounters, hinted: Hinted) -> None:
        self.events: list[DeviceEvent] = []
        self._group_of = group_of
        self._counters = counters
        self._hinted = hinted

    def applied(self, neighbor: Neighbor) -> list[Applied]:
        """How far this device has applied what a neighbor is a member of, and others manage."""
        groups = dict.fromkeys(self._group_of.values())
        return [one for group in groups if neighbor in group.neighbors for one in group.applied()]

    def receive(self, link: Link, message: Message, now: float) -> None:
        """Apply a message, or close the link for it."""
        try:
            if message.sequence or items.first_action(message.body) in items.CHANGES:
                self._apply(link, message, now)
            else:
                for control in items.controls(message.body):
                    self._control(link, control, now)
            link.seen(Stage.APPLIED, message)
        except WireError as error:
            link.deaf = True
            link.inbound.clear()
            link.session.refuse(error.code, error.reason)

    def _control(self, link: Link, said: object, now: float) -> None:
        match said:
            case Error():
                self._refused(link, said, now)
            case Prompt():
                link.put(encode(items.keepalive(self.applied(link.neighbor))))
            case Hint():
                self._hint(link, said, now)
            case Hears():
                link.neighbor.hears = frozenset(said.nat_ids)
            case Applied() | RoleChange() | Claim() | Released() | DumpRequest() | Unavailable():
                group = self._group(link, said.feed)
                if group is not None:
                    self._from_member(group, link, said, now)
            case Digest() | TermBegin() | Had() | DumpBegin() | DumpEnd():
                group = self._group(link, said.feed)
                if group is not None:
                    self._from_manager(group, link, said, now)
            case _:
                raise WireError(ErrorCode.MALFORMED, "authenticate on an established link")

    def _hint(self, link: Link, said: Hint, now: float) -> None:
        """What concerns nothing of ours is dropped: the entry may have gone, or its manager be another."""
        feed = feed_of(said.entry, self._group_of)
        member = feed is not None and link.neighbor in self._group_of[feed].neighbors
        if member and self._hinted(said, now):
            self._counters.hints_received += 1
        else:
            self._counters.hints_unknown += 1

    def _apply(self, link: Link, message: Message, now: float) -> None:
        group = self._group(link, message.feed)
        if group is None:
            return
        pull = group.merging.pull_of(link.neighbor, message.feed)
        if pull is not None and message.sequence == 0 and not link.outgoing:
            pull.take(message, now)
            return
        receiver = self._receiver(group, link, message.feed, message.term, resumed=message.sequence > 0)
        if receiver is not None:
            self._answer(link, receiver.apply(message, now), message.feed)

    def _from_manager(self, group: Group, link: Link, said: _FROM_MANAGER, now: float) -> None:
        pull = group.merging.pull_of(link.neighbor, said.feed)
        if pull is not None and isinstance(said, DumpBegin | DumpEnd) and not link.outgoing:
            group.merging.control(link.neighbor, pull, said, now)
            return
        history = isinstance(said, TermBegin | Had)
        term = said.term if isinstance(said, TermBegin) else said.position.term
        receiver = self._receiver(group, link, said.feed, term, resumed=history)
        if receiver is None:
            return
        match said:
            case TermBegin() if link.neighbor.standing(said.feed) is Standing.MANAGE:
                receiver.enter(said)
            case Had():
                receiver.had(said)
            case Digest():
                self._answer(link, receiver.compare(said, now), said.feed)
            case DumpBegin():
                receiver.begin(said, now)
            case DumpEnd():
                receiver.end(said, now)

    def _from_member(self, group: Group, link: Link, said: _FROM_MEMBER, now: float) -> None:
        match said:
            case Applied():
                self._applied(group, link, said, now)
            case RoleChange():
                link.neighbor.says(said)
                group.heard_term(said.feed, said.term)
                group.insists(link.neighbor, said)
                self._consider(group, link, said.feed, now)
            case Claim():
                group.claimed(link.neighbor, said.feed, now)
            case Released():
                group.released(link.neighbor, said)
            case Unavailable():
                group.unavailable(link.neighbor, said)
            case DumpRequest():
                self._asked(group, link, said, now)

    def _applied(self, group: Group, link: Link, said: Applied, now: float) -> None:
        """A member that is synchronised and stands where we stand has compared digests with us."""
        link.neighbor.stands(said)
        self._consider(group, link, said.feed, now)
        standing = link.neighbor.standing(said.feed)
        if group.manages and said.position == group.feeds[said.feed].position and standing in _SYNCHRONISED:
            group.verified(said.feed, now)

    def _asked(self, group: Group, link: Link, said: DumpRequest, now: float) -> None:
        """Answered on the link that we dialled; see :mod:`snat.device.serving`."""
        out = link.neighbor.outgoing
        if out is None or not out.established or not answers(group, said):
            self._answer(link, ErrorCode.NOT_SYNCHRONISED, said.feed)
            return
        if group.manages and said.kind != DumpKind.PULL:  # a pull need not say where its sender stands
            link.neighbor.stands(Applied(said.feed, said.position))
            self._consider(group, link, said.feed, now)
        out.requests[said.feed] = said
        out.dumps.pop(said.feed, None)

    def _consider(self, group: Group, link: Link, feed: Feed, now: float) -> None:
        if group.manages:
            group.merging.consider(link.neighbor, feed, now)

    def _refused(self, link: Link, said: Error, now: float) -> None:
        fields = {"neighbor": link.neighbor.name, "reason": said.reason}
        text = "{neighbor} answers: {reason}"
        self.events.append(Noted(text, fields, repeats=True, mnemonic="SNAT-4-REFUSED"))
        self._counters.entry_errors_received += bool(said.entry)
        if said.feed == NO_FEED:
            if said.code == ErrorCode.STOPPED:
                link.neighbor.leave()
            elif said.code == ErrorCode.INCARNATION:
                self.events.append(IncarnationRefused(link.session.local.incarnation))
            link.session.lost(f"ended by the neighbor: {said.reason}")
        elif said.feed in self._group_of:
            group = self._group_of[said.feed]
            if said.code == ErrorCode.OLD_TERM:
                group.heard_term(said.feed, said.term)
            elif said.code == ErrorCode.NOT_SYNCHRONISED:
                group.merging.refused(link.neighbor, said.feed, now)
                if said.feed in group.receivers:
                    group.receivers[said.feed].refused(now)

    def _group(self, link: Link, feed: Feed) -> Group | None:
        """The group of a feed, if the neighbor is a member of it too; otherwise it is told that it is not."""
        group = self._group_of.get(feed)
        if group is not None and link.neighbor in group.neighbors and feed in link.neighbor.units:
            return group
        self._counters.unknown_feeds += 1
        self._answer(link, ErrorCode.UNKNOWN_FEED, feed)
        return None

    def _receiver(
        self, group: Group, link: Link, feed: Feed, term: Term, *, resumed: bool
    ) -> Receiver | None:
        """The feed's receiver, if the neighbor may feed it: on the link it dialled, in a term it took.

        What is ``resumed`` out of a journal may be of others' former terms, if the neighbor manages now.
        """
        receiver = group.receivers.get(feed)
        its_own = term.nat_id == link.neighbor.nat_id
        if resumed and link.neighbor.standing(feed) is Standing.MANAGE:
            its_own |= term < link.neighbor.standings[feed].term
        if receiver is None or link.outgoing or not its_own:
            group.heard_term(feed, term)
            self._counters.not_managed += 1
            self._answer(link, ErrorCode.NOT_MANAGED, feed)
            return None
        return receiver

    def _answer(self, link: Link, code: ErrorCode | None, feed: Feed) -> None:
        """Tell the neighbor what was refused, with the term in force, and the log too."""
        if code is None:
            return
        reason = code.name.lower().replace("_", " ")
        fields = {"neighbor": link.neighbor.name, "mapping": feed.mapping_id, "reason": reason}
        text = "{neighbor}, mapping {mapping}: refused, {reason}"
        self.events.append(Noted(text, fields, repeats=True, mnemonic="SNAT-4-REFUSED"))
        if code is not ErrorCode.PAST:
            group = self._group_of.get(feed)
            term = group.feeds[feed].position.term if group is not None else NO_TERM
            link.put(encode(items.error(Error(code, feed, term, reason))))
