"""The target ``device``: a member whose neighbor is authenticated and then says anything at all.

The neighbor's honest half goes on beside it, or is dead: both are what an operator meets. Whatever was said,
an honest neighbor that comes back makes the tables equal again.
"""

from collections.abc import Hashable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any, Final

from scapy.packet import Packet

from snat.config.model import ConfiguredRole
from snat.device.events import RoleLeft, RoleTaken, TermTaken
from snat.device.links import Link
from snat.nat.table import NatTable, records_in
from snat.replication.connection_queue import DEFAULT_LIMIT
from snat.replication.digest import total
from snat.replication.feed import belongs_to
from snat.session.states import State
from snat.wire import items as codec
from snat.wire.errors import WireError
from snat.wire.framing import Framing
from snat.wire.header import MAXIMUM_MESSAGE, Feed, Message, Position, Term, encode
from tests.fuzz.script import MAPPING, Script, Speaker
from tests.packets import udp
from tests.simulation.network import Network
from tests.vectors import NAMES, vector

FEED: Final = Feed(0, MAPPING)
MOST_STEPS: Final = 60
_RECOVERY: Final = 30.0
"""Virtual seconds in which an honest neighbor must have made the tables equal."""
_LAST_TERMS: Final = 0xFFFFFFFF - 1000
"""Term numbers that nobody can be above for long. They are not said here: test_findings.py says one."""


def device(data: bytes) -> Hashable:
    """A member and its neighbor's lies, as the input has them."""
    scene = _Scene(Script(data))
    for _ in range(MOST_STEPS):
        if not scene.script:
            break
        scene.step()
    scene.recover()
    counted = {name for name, count in scene.counted.items() if count}
    return frozenset(scene.standings), frozenset(counted)


def lies_of_vectors() -> list[bytes]:
    """Each vector said to each member, and inputs without a lie."""
    heads = [bytes((role, alone)) for role in range(2) for alone in range(2)]
    said = [bytes((0, 1)) + len(vector(name)).to_bytes(2, "big") + vector(name) for name in NAMES]
    return [head + b"\x05\x00" + one for head in heads for one in said] + heads


@cache
def _packets() -> list[Packet]:
    return [udp(f"10.0.0.{5 + n}", 4000 + n, "198.51.100.7", 53) for n in range(8)]


class _Scene:
    """A pair with some flows; one of the two is lied to."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.network = Network(7, {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP})
        self.network.run_until(self.network.quiet)
        for packet in _packets()[:3]:
            self.network.routers[1].send_from_inside(packet)
        self.network.run(0.5)
        first, second = self.network.routers[1], self.network.routers[2]
        self.victim, self.liar = script.choice(((second, first), (first, second)))
        self.standings = {self.victim.standing.name}
        self.counted: dict[str, int] = {}
        self._links: list[Link] = []
        if script.byte() % 2:
            self.liar.kill()

    # What happens

    def step(self) -> None:
        """Something is said, or happens, as the script has it."""
        match self.script.byte() % 16:
            case 0:
                self._say(self.script.take(self.script.integer(16) % 2048))
            case 1:
                self.network.run(self.script.choice((0.01, 0.1, 0.3, 0.7, 3.0)))
            case 2:
                self._connect()
            case 3:
                self._traffic()
            case 4:
                self._lose()
            case 5:
                self._say(Speaker(self.script).malformed())
            case 6:
                (self.liar.kill if self.liar.alive else self.liar.start)()
            case _:
                self._say(self._speaker().message())
        self._listen()
        self.check()

    def _speaker(self) -> Speaker:
        member = self.victim.device
        states = [state for group in member.groups for state in group.feeds.values()]
        numbers = [member.nat_id, self.liar.nat_id]
        for state in states:
            numbers += [state.digest.count, state.digest.value]
        positions = [state.position for state in states]
        theirs = [
            Position(Term(one.term.number, nat_id), one.sequence)
            for one in positions
            for nat_id in (self.liar.nat_id, 3)
        ]
        records = [*self.victim.device.table][:8]
        return Speaker(
            self.script, feeds=(FEED,), positions=[*positions, *theirs], numbers=numbers, records=records
        )

    def _link(self) -> Link | None:
        (neighbor,) = self.victim.device.neighbors.values()
        both = [neighbor.incoming, neighbor.incoming, neighbor.outgoing]
        return self.script.choice(both)

    def _connect(self) -> None:
        """The neighbor has a new link; it presents itself as it likes."""
        member, now = self.victim.device, self.network.now
        make = self.script.choice((member.accepted, member.dialled))
        link = make(self.liar.nat_id, now)
        member.opened(link, now)
        self._links.append(link)
        known = member.neighbors[self.liar.nat_id].hello
        assert known is not None
        # As itself: who claims an incarnation that it will have later, locks itself out.
        self._hear(link, encode(self._speaker().authenticate(**known._asdict()), flags=0))

    def _traffic(self) -> None:
        """A packet from inside, which passes or not."""
        packet = self.script.choice(_packets()).copy()
        if self.victim.holds_addresses:
            self.victim.raw(bytes(packet), from_outside=False)
            self.victim.settle()

    def _lose(self) -> None:
        link = self._link()
        if link is not None and link.session.state is not State.CLOSE:
            self.victim.device.lost(link, "gone", self.network.now)
            self.victim.settle()

    def _say(self, data: bytes) -> None:
        link = self._link()
        if link is None or link.session.state is State.IDLE:
            return
        self._listen()
        framing = Framing()
        framing.feed(data)
        try:
            for message in framing.messages():
                whole = encode(message.body, *message[1:4], flags=message.flags)
                self._hear(link, whole, message)
        except WireError:
            self._hear(link, data)

    def _hear(self, link: Link, data: bytes, message: Message | None = None) -> None:
        """Bytes reach the victim; the table changes only where the neighbor may change it."""
        if _says_a_last_term(data):
            return
        member = self.victim.device
        before, may = sorted(member.table), message is None or self._may(link, message)
        member.received(link, data, self.network.now)
        assert may or sorted(member.table) == before
        self.victim.settle()

    def _may(self, link: Link, message: Message) -> bool:
        """Whether a message can change entries: the next of the feed, or what was asked for."""
        (group,) = self.victim.device.groups
        if link.outgoing or group.manages or not link.established:
            return False
        if message.sequence:
            term, sequence = group.feeds[FEED].position
            return (message.term, message.sequence) == (term, sequence + 1) and (
                message.feed == FEED and term.nat_id == self.liar.nat_id
            )
        return True  # its manager's slices, sweeps and goodbyes

    def _listen(self) -> None:
        """What the victim says on links that nobody else carries is well-formed."""
        for link in self._links:
            framing = Framing()
            while data := link.data_to_send():
                framing.feed(data)
                for message in framing.messages():
                    assert list(codec.items(message.body))
            assert framing.pending == 0

    # What must hold

    def check(self) -> None:
        """The victim is in order, and at rest."""
        member = self.victim.device
        self.victim.settle()
        self.standings.add(self.victim.standing.name)
        check_table(member.table)
        for group in member.groups:
            for feed, state in group.feeds.items():
                mine = [record for record in member.table if belongs_to(feed)(record)]
                assert (state.digest.count, state.digest.value) == (len(mine), total(mine) % (1 << 64))
        self._check_bounds()
        self._check_counters()
        member.turn(self.network.now)  # nothing came in: no term, no role may follow
        restless = [one for one in member.events() if isinstance(one, TermTaken | RoleTaken | RoleLeft)]
        assert not restless

    def _check_bounds(self) -> None:
        for neighbor in self.victim.device.neighbors.values():
            assert len(neighbor.units) <= MAXIMUM_MESSAGE // codec.UNIT.size
            for link in neighbor.links():
                assert link.queue.size <= DEFAULT_LIMIT
                assert len(link.dumps) <= len(self.victim.device.groups[0].feeds)
                assert link.session._framing.pending < MAXIMUM_MESSAGE

    def _check_counters(self) -> None:
        counted = {
            f"{subject} {name}": count
            for subject, counters in self.victim.device.counters().items()
            if subject != "table"  # how many there are goes down too
            for name, count in counters.items()
        }
        assert all(count >= self.counted.get(name, 0) for name, count in counted.items())
        self.counted = counted

    def recover(self) -> None:
        """The neighbor is restarted, honest: the tables become equal, and proved so."""
        for link in self._links:
            if link.session.state is not State.CLOSE:
                self.victim.device.lost(link, "gone", self.network.now)
        self.victim.settle()
        if self.liar.alive:
            self.liar.kill()
        self.network.run(0.3)
        self.liar.start()
        self.network.run_until(self._equal, _RECOVERY)

    def _equal(self) -> bool:
        groups = [router.device.groups[0] for router in self.network.routers.values()]
        tables = [sorted(map(_fixed, router.device.table)) for router in self.network.routers.values()]
        return (
            self.network.quiet()
            and all(group.synchronised for group in groups)
            and groups[0].feeds[FEED].position == groups[1].feeds[FEED].position
            and tables[0] == tables[1]
        )


def check_table(table: NatTable) -> None:
    """Both indexes of a table hold the same records, as many as it says."""
    inside = sorted(table)
    assert len(inside) == len(table)
    assert sorted(record for slot in table.outside.values() for record in records_in(slot)) == inside


def _fixed(record: bytes) -> bytes:
    """A record without what never stands still."""
    return record[:-4]


def _says_a_last_term(data: bytes) -> bool:
    framing = Framing()
    framing.feed(data)
    terms: list[Term] = []
    with suppress(WireError):
        for message in framing.messages():
            terms.append(message.term)
            with suppress(WireError):
                terms += _terms_in(tuple(codec.controls(message.body)))
    return any(term.number >= _LAST_TERMS for term in terms)


def _terms_in(said: tuple[Any, ...] | list[Any]) -> Iterator[Term]:
    """Terms anywhere in what was decoded."""
    for one in said:
        if isinstance(one, Term):
            yield one
        elif isinstance(one, tuple | list):
            yield from _terms_in(one)
