"""What must hold in every schedule, each as a function that says what is wrong."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from snat.device.device import Device
from snat.nat.entry import (
    ID,
    INSIDE_GLOBAL,
    INSIDE_LOCAL,
    OUTSIDE_GLOBAL,
    OUTSIDE_LOCAL,
    REFERENCE,
    TAIL,
)
from snat.nat.tracking import TCP
from snat.redundancy.roles import Input
from snat.replication.connection_queue import INBOUND_LIMIT
from snat.replication.digest import total
from snat.replication.feed import belongs_to
from snat.wire.actions import Standing
from tests.simulation.network import Network, Router
from tests.simulation.shape import FEED, Shape

_MODULUS: Final = 1 << 64
_BELONGS: Final = belongs_to(FEED)


class Broken(AssertionError):
    """An invariant does not hold."""


# Bounds of memory, looked at after every settle


class Size(NamedTuple):
    """How much of something there is, and may be."""

    what: str
    size: int
    limit: int


def connection_queues(device: Device, shape: Shape) -> Iterator[Size]:
    """Bytes in each connection queue."""
    for neighbor in device.neighbors.values():
        for link in neighbor.links():
            yield Size(f"connection queue to {neighbor.nat_id}", link.queue.size, shape.queue_limit)


def inbound_queues(device: Device, _shape: Shape) -> Iterator[Size]:
    """Bytes that wait to be applied; one read goes beyond the limit at most."""
    for neighbor in device.neighbors.values():
        for link in neighbor.links():
            yield Size(f"inbound queue of {neighbor.nat_id}", link.inbound.size, INBOUND_LIMIT + (1 << 16))


def journals(device: Device, shape: Shape) -> Iterator[Size]:
    """Bytes in each journal."""
    for feed, state in (one for group in device.groups for one in group.feeds.items()):
        yield Size(f"journal of {feed}", state.journal.size, shape.journal_limit)


BOUNDS: Final = (connection_queues, inbound_queues, journals)
"""Functions of a device and the shape of its group. Another bound is another function here."""


def memory_is_bounded(router: Router) -> None:
    """No queue is longer than its limit."""
    for bound in BOUNDS:
        for what, size, limit in bound(router.device, router.network.shape):
            if size > limit:
                raise Broken(f"R{router.nat_id}: {what} has {size}, more than {limit}")


# One device


def digest_is_of_the_table(router: Router) -> None:
    """What the device says of its table is what a new count finds, once every change is compiled."""
    if any(sender.pending for sender in router.device.groups[0].senders.values()):
        return
    records = list(filter(_BELONGS, router.device.table))
    digest = router.device.groups[0].feeds[FEED].digest
    found = (len(records), total(records) % _MODULUS)
    if (digest.count, digest.value) != found:
        raise Broken(f"R{router.nat_id}: digest {(digest.count, digest.value)}, but its table has {found}")


def no_endpoint_serves_two(router: Router) -> None:
    """An outside address and port has one flow with an outside host, but where a dump is about to sweep."""
    if not router.device.groups[0].synchronised:
        return
    seen: dict[bytes, bytes] = {}
    for record in router.device.table:
        key = record[INSIDE_GLOBAL] + record[OUTSIDE_GLOBAL]
        other = seen.setdefault(key, record)
        if other is not record:
            raise Broken(f"R{router.nat_id}: {record.hex()} and {other.hex()} have the same outside keys")


# All devices


def disagreement(routers: Iterable[Router]) -> str:
    """Why these routers are not one group with equal tables; empty if they are."""
    routers = list(routers)
    standings = sorted(router.standing.name for router in routers)
    if standings != [Standing.LISTEN.name] * (len(routers) - 1) + [Standing.MANAGE.name]:
        return ", ".join(f"R{router.nat_id} {router.standing.name}" for router in routers)
    feeds = [router.device.groups[0].feeds[FEED] for router in routers]
    if any((one.position, one.digest) != (feeds[0].position, feeds[0].digest) for one in feeds):
        return "; ".join(
            f"R{router.nat_id} at {tuple(feed.position)} with {feed.digest}"
            for router, feed in zip(routers, feeds, strict=True)
        )
    first, *others = ({record[: -TAIL.size] for record in router.device.table} for router in routers)
    for router, table in zip(routers[1:], others, strict=True):
        if table != first:
            missing, excess = len(first - table), len(table - first)
            return f"R{router.nat_id} lacks {missing} entries of R{routers[0].nat_id}, has {excess} others"
    return ""


def excuses(ledger: "Ledger") -> bool:
    """Whether what members have may be lost since the last checkpoint.

    A member that found nobody took the role with nothing: it learns what others knew only if it meets them.
    """
    return ledger.ignorant


def race(router: Router, rivals: list[Router]) -> bool:
    """Whether two took the role so soon one after the other that the second could not have heard.

    A claim that is not answered in time is a takeover, by design. A goodbye, or a handover, is followed at
    once: a member that has not heard yet how another stands may think that it is the first in line.
    """
    heard_since = router.network.now - 0.1 - 5 * router.network.shape.delay  # to dial, prove, and say it
    return router.moved[1] == Input.CLAIM_EXPIRED.value or all(
        rival.device.groups[0].since - rival.skew >= heard_since for rival in rivals
    )


def cut_again(network: Network) -> bool:
    """Whether connections were cut, and cut again before the first could be dialled anew and heard."""
    since = network.now - network.shape.hold_time - network.shape.keepalive
    return sum(cut >= since for cut in network.cuts) > 1


def _places(record: bytes) -> tuple[bytes, bytes]:
    """What one entry has to itself: its flow from inside, and for its inside host the outside port."""
    return record[INSIDE_LOCAL] + record[OUTSIDE_LOCAL], record[INSIDE_GLOBAL]


class _Deeds:
    """What a device made and removed of its own accord: a listener of its table."""

    def __init__(self, router: Router, places: set[bytes]) -> None:
        """``places`` are those of the runs before."""
        self.device = device = router.device
        self._skew = router.skew
        self.gone: list[bytes] = []
        self.since = 0.0
        """When it took the role under which it removed something last."""
        self.expired = 0
        self.used: dict[bytes, float] = {}
        """By inside-local and outside-local endpoints: when a packet last passed."""
        self.made: dict[bytes, bytes] = {}
        """Records by id that it made since the last checkpoint and did not remove."""
        self.places = places
        """What another's entry may not have, of all that it made since then."""
        self._prefix = device.nat_id.to_bytes(4, "big") + (device.incarnation & 0xFFFFFF).to_bytes(3, "big")
        device.table.listen(self)

    def changed(self, removed: list[bytes], added: list[bytes]) -> None:
        """Told by the table."""
        if not self.device.groups[0].manages:
            return
        self.since = self.device.groups[0].since - self._skew
        kept = {record[ID] for record in added}
        self.gone += [record for record in removed if record[ID] not in kept]
        for record in added:
            if record[ID].startswith(self._prefix):
                self.made[record[ID]] = record
                self.places.update(_places(record))


class Ledger:
    """What the members agreed on whenever all that lived were equal, and what was removed since."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.checkpoints = 0
        self.agreed: dict[bytes, bytes] = {}
        """Reference by id, of every entry at the last checkpoint."""
        self.deleted: set[bytes] = set()
        """Ids of entries that a manager removed, by command or because they were idle."""
        self._promises: dict[bytes, tuple[bytes, bytes]] = {}
        """Inside-global endpoint and id of every agreed flow."""
        self._gone: set[bytes] = set()
        """Ids that all agreed were there, and later that they were not."""
        self._of: dict[int, _Deeds] = {}
        self.ignorant = False
        """A device took the role since, without anybody to learn from: it cannot keep others' promises."""
        network.starts.append(self._started)
        network.watches.append(self._settled)
        network.takings.append(self._taken)
        for router in network.routers.values():
            self._started(router)

    # What happens

    def _started(self, router: Router) -> None:
        before = self._of.get(router.nat_id)
        self._of[router.nat_id] = _Deeds(router, before.places if before is not None else set())

    def _taken(self, router: Router) -> None:
        rivals = [one for one in self.network.routers.values() if one is not router and one.manages]
        self.ignorant |= router.moved[1] == Input.ALONE.value or router.lacks
        excused = self.network.isolated or cut_again(self.network) or race(router, rivals)
        if rivals and not excused:
            others = ", ".join(f"R{rival.nat_id}" for rival in rivals)
            raise Broken(f"R{router.nat_id} took the role of {others}, whom nothing kept from being heard")

    def used(self, router: Router, flow: bytes) -> None:
        """A packet of a flow passed."""
        self._of[router.nat_id].used[flow] = self.network.now

    def delete(self, router: Router, records: list[bytes]) -> None:
        """Somebody clears translations."""
        router.device.table.remove(records)
        deeds = self._of[router.nat_id]
        self.deleted.update(record[ID] for record in deeds.gone)
        deeds.gone.clear()

    def _settled(self, router: Router) -> None:
        memory_is_bounded(router)
        deeds = self._of[router.nat_id]
        expired = router.device.translator.counters.expired
        if deeds.gone:
            self._a_manager_removes_only_what_is_idle(router, deeds, expired - deeds.expired)
            self.deleted.update(record[ID] for record in deeds.gone)
            deeds.gone.clear()
        deeds.expired = expired

    def _a_manager_removes_only_what_is_idle(self, router: Router, deeds: _Deeds, expired: int) -> None:
        if len(deeds.gone) != expired:
            raise Broken(f"R{router.nat_id} manages and removed {len(deeds.gone)}; {expired} expired")
        timeouts = router.device.translator.flows.timeouts
        for record in deeds.gone:
            last = max(deeds.since, deeds.used.get(record[INSIDE_LOCAL] + record[OUTSIDE_LOCAL], 0.0))
            timeout = timeouts.of_record(record)
            if record[22] == TCP:  # a taker may have seen it close, and its manager not have told of that
                timeout = min(timeout, timeouts.finrst)
            if self.network.now - last < timeout - 1e-6:
                idle = self.network.now - last
                raise Broken(f"R{router.nat_id} removed {record.hex()} after {idle:.2f} s of {timeout} s")

    # What was promised

    def promised(self, router: Router, flow: bytes) -> bytes | None:
        """The inside-global endpoint that all agreed on, if the router manages and it must still hold."""
        found = self._promises.get(flow)
        if found is None or not router.manages or found[1] in self.deleted:
            return None
        if excuses(self):
            return None
        return found[0]

    def round(self) -> None:
        """After each round: what holds always, and if all that live are equal, what they agree on."""
        for router in self.network.routers.values():
            if router.alive:
                digest_is_of_the_table(router)
                no_endpoint_serves_two(router)
        if self.network.whole() and not disagreement(self.alive()):
            self.checkpoint()

    def alive(self) -> list[Router]:
        """Who lives."""
        return [router for router in self.network.routers.values() if router.alive]

    def checkpoint(self) -> None:
        """All agree: nothing that they agreed on before is lost, and nothing that was gone is back."""
        records = list(self.alive()[0].device.table)
        found = {record[ID]: record[REFERENCE] for record in records}
        self._nothing_is_lost(found)
        self._nothing_made_is_lost(found)
        self._nothing_comes_back(found)
        self.checkpoints += 1
        self._gone |= self.agreed.keys() - found.keys()
        self.agreed = found
        records.sort(reverse=True)  # of two entries for one flow the lowest id leads
        self._promises = {
            record[INSIDE_LOCAL] + record[OUTSIDE_LOCAL]: (record[INSIDE_GLOBAL], record[ID])
            for record in records
        }
        self.deleted.clear()
        self.ignorant = False
        heard = self.network.now - self.network.restored_at > self.network.shape.hold_time
        self.network.isolated &= not (heard and self.network.connected())
        for router in self.alive():
            self._of[router.nat_id].made.clear()
        for deeds in self._of.values():
            deeds.places.clear()

    def _nothing_is_lost(self, found: dict[bytes, bytes]) -> None:
        if excuses(self):
            return
        for number, reference in self.agreed.items():
            if number not in self.deleted and found.get(number) != reference:
                now = found.get(number, b"").hex() or "nothing"
                raise Broken(f"all members had agreed on {reference.hex()}; now they agree on {now}")

    def _nothing_made_is_lost(self, found: dict[bytes, bytes]) -> None:
        """What a device made that lives since then: a split must not cost it."""
        if excuses(self):
            return
        for router in self.alive():
            made = self._of[router.nat_id].made
            others = set().union(*map(_places, [*found.values(), *self.agreed.values()]))
            others.update(*(deeds.places for n, deeds in self._of.items() if n != router.nat_id))
            lost = {
                number
                for number in made.keys() - found.keys() - self.deleted
                if others.isdisjoint(_places(made[number]))  # where two met, one wins
            }
            if lost:
                raise Broken(f"{len(lost)} entries that R{router.nat_id} made are nowhere: {min(lost).hex()}")

    def _nothing_comes_back(self, found: dict[bytes, bytes]) -> None:
        if excuses(self):  # an old snapshot, where nobody knew better
            self._gone -= found.keys()
        back = found.keys() & self._gone
        if back:
            raise Broken(f"{len(back)} entries are back that all had agreed were gone: {min(back).hex()}")
