"""What a device tells its neighbors and the log after a turn: keepalives, hints, answers, alarms."""

from collections import defaultdict

from snat.device.accounting import PeerAccount
from snat.device.alarms import EXHAUSTION, Alarm, alarms, limit_alarms, pool_alarms
from snat.device.configured import Configured
from snat.device.events import Noted
from snat.device.feeds import feed_of
from snat.device.group import Group
from snat.device.serving import serve
from snat.nat.entry import entry_number
from snat.nat.pool import Pool
from snat.wire import items
from snat.wire.actions import Hears, Hint
from snat.wire.header import encode


class Telling(Configured):
    """What follows for others from what happened."""

    _counter: int
    """Entries that this device made."""
    _hears: frozenset[int]
    """Whom we hear, as we last said."""
    _alarms: dict[Alarm, str]
    _peers: PeerAccount

    # To neighbors

    def _hint(self) -> None:
        """What packets of others' entries say, is told to who manages those."""
        hints: defaultdict[Group, list[Hint]] = defaultdict(list)
        told = self.translator.flows.hints
        self.feed_counters.hints_lost += told.dropped
        told.dropped = 0
        for hint in told.drain():
            feed = feed_of(hint.entry, self._group_of)
            if feed is not None:
                hints[self._group_of[feed]].append(hint)
        for group, listed in hints.items():
            if group.hint(listed):
                self.feed_counters.hints_sent += len(listed)
            else:
                self.feed_counters.hints_lost += len(listed)

    def _serve(self) -> None:
        """What neighbors asked for, as long as their queues are short."""
        for neighbor in self.neighbors.values():
            link = neighbor.outgoing
            if link is None:
                continue
            if link.resumed:
                link.resumed = False
                self.link_counters.resyncs += 1
                link.dumps.clear()
                for group in self.groups:
                    group.announce()  # the member sees the gap and asks
            if link.requests or link.dumps:
                for group in self.groups:
                    group.compile()
                serve(link, self._group_of, self.table, self.feed_counters)

    def _hears_all(self, now: float) -> bool:
        """Whether everybody whom we said to hear is heard still; else the others must know at once."""
        neighbors = self.neighbors
        return not any(
            one in neighbors and neighbors[one].silent(now, self._hold_time) for one in self._hears
        )

    def _keep_alive(self, now: float) -> None:
        heard = (one.nat_id for one in self.neighbors.values() if not one.silent(now, self._hold_time))
        self._hears = frozenset(heard)
        hears = items.hears(Hears(tuple(self._hears)))
        for neighbor in self.neighbors.values():
            message = encode(items.keepalive(self._exchange.applied(neighbor)) + hears)
            for link in neighbor.links():
                link.put(message)
        self._account_for_peers(now)
        for group in self.groups:
            group.announce()
            for sender in group.senders.values():
                sender.sample(now)
        self._raise_alarms(now)

    def _account_for_peers(self, now: float) -> None:
        pools = [pool for pool in self._pools.values() if isinstance(pool, Pool) and pool.parking is not None]
        if pools:
            number = entry_number(self.incarnation, self._counter)
            newest = self.nat_id.to_bytes(4, "big") + number.to_bytes(8, "big")
            self.translator.flows.known_to_lost = self._peers.turn(self.groups, pools, newest, now)

    # To the log

    def _report_collisions(self) -> None:
        """The NAT process found entries of different devices for one key."""
        for record in self.table.collided:
            feed = feed_of(record, self._group_of)
            if feed is not None:
                self._group_of[feed].report(feed, record)
        self.table.collided.clear()

    def _report_unread(self) -> None:
        """Flows begin whose protocol carries addresses, and nobody reads them."""
        for name in self.translator.reader.unread:
            text = "{gateway} passes unread: ip nat service {gateway} has what it carries translated"
            self._events.append(Noted(text, {"gateway": name}, mnemonic="IPNAT-6-UNREAD"))
        self.translator.reader.unread.clear()

    def _raise_alarms(self, now: float) -> None:
        """Into the log, when they begin and when they end."""
        if now - self._neighbors_since < self._hold_time:
            return
        present = {alarm: text for group in self.groups for alarm, text in alarms(group, now).items()}
        present.update(pool_alarms(self.translator.flows.rules.pools, now))
        present.update(limit_alarms(self.translator.flows.load, now))
        for alarm, text in present.items():
            if alarm not in self._alarms:
                self._events.append(_noted("alarm: {alarm}", alarm, text, begins=True))
        for alarm, text in self._alarms.items():
            if alarm not in present:
                self._events.append(_noted("alarm over: {alarm}", alarm, text, begins=False))
        self._alarms = present


def _noted(text: str, alarm: Alarm, what: str, *, begins: bool) -> Noted:
    mnemonic = "IPNAT-4-ADDR_ALLOC_FAILURE" if alarm[0] == EXHAUSTION else "SNAT-5-ALERT"
    return Noted(text, {"alarm": what}, begins, mnemonic=mnemonic)
