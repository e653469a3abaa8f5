"""Random schedules over groups of peers (Fig. 2C): all translate, each manages what it makes."""

import random
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from typing import ClassVar, Final

from snat.config.model import ConfiguredRole
from snat.device.device import Device
from snat.device.group import Group
from snat.nat.entry import ID, INSIDE_GLOBAL, INSIDE_LOCAL, NAT_ID, OUTSIDE_LOCAL, REFERENCE, TAIL
from snat.redundancy.roles import Input
from snat.replication.digest import total
from snat.replication.feed import belongs_to
from snat.wire.actions import Standing
from snat.wire.header import Feed
from tests.simulation.arrangement import PrimaryBackup
from tests.simulation.invariants import Broken, memory_is_bounded
from tests.simulation.network import MAPPING, Network, Router
from tests.simulation.shape import Shape
from tests.simulation.traffic import Book

_MODULUS: Final = 1 << 64


def disagreement(routers: Iterable[Router]) -> str:
    """Why these routers, which are all peers, do not agree; empty if they do."""
    routers = list(routers)
    for owner in (router.nat_id for router in routers):
        groups = [(router, _of(router, owner)) for router in routers]
        for router, group in groups:
            wanted = Standing.MANAGE if router.nat_id == owner else Standing.LISTEN
            if group.standing is not wanted:
                return f"R{router.nat_id} is {group.standing.name} for R{owner}"
        feeds = [group.feeds[Feed(owner, MAPPING)] for _, group in groups]
        if any((one.position, one.digest) != (feeds[0].position, feeds[0].digest) for one in feeds):
            return f"of R{owner}: " + "; ".join(
                f"R{router.nat_id} at {tuple(feed.position)} with {feed.digest}"
                for router, feed in zip(routers, feeds, strict=True)
            )
    first, *others = ({record[: -TAIL.size] for record in router.device.table} for router in routers)
    for router, table in zip(routers[1:], others, strict=True):
        if table != first:
            return f"R{router.nat_id} lacks {len(first - table)} entries, has {len(table - first)} others"
    return ""


def _of(router: Router, owner: int) -> Group:
    return next(group for group in router.device.groups if group.owner == owner)


def digests_are_of_the_table(router: Router) -> None:
    """As among role groups, of each feed."""
    for group in router.device.groups:
        if group.pending:
            continue
        for feed, state in group.feeds.items():
            records = list(filter(belongs_to(feed), router.device.table))
            found = (len(records), total(records) % _MODULUS)
            said = (state.digest.count, state.digest.value)
            if said != found:
                raise Broken(f"R{router.nat_id}: digest of {feed} {said}, but its table has {found}")


def no_endpoint_serves_two(router: Router, but: Container[bytes]) -> None:
    """An outside address and port stands for one inside endpoint, whoever made the entries."""
    if not all(group.synchronised for group in router.device.groups):
        return
    hosts: dict[bytes, bytes] = {}
    for record in router.device.table:
        host = hosts.setdefault(record[INSIDE_GLOBAL], record[INSIDE_LOCAL])
        if host != record[INSIDE_LOCAL] and record[INSIDE_GLOBAL] not in but:
            raise Broken(f"R{router.nat_id}: {record.hex()} has the outside endpoint of {host.hex()} too")


def _makers(router: Router, flow: bytes) -> set[int]:
    """Who made the entries that a router has for a flow."""
    near = INSIDE_LOCAL.stop - INSIDE_LOCAL.start
    records = router.device.table.at(flow[:near])
    return {int.from_bytes(one[NAT_ID], "big") for one in records if one[OUTSIDE_LOCAL] == flow[near:]}


class _Removals:
    """Which entries a device removed while it managed them: a listener of its table."""

    def __init__(self, device: Device, deleted: set[bytes]) -> None:
        self._device = device
        self._deleted = deleted
        device.table.listen(self)

    def changed(self, removed: list[bytes], added: list[bytes]) -> None:
        """Told by the table."""
        kept = {record[ID] for record in added}
        managed = {group.owner for group in self._device.groups if group.manages}
        self._deleted.update(
            record[ID]
            for record in removed
            if record[ID] not in kept and int.from_bytes(record[NAT_ID], "big") in managed
        )


class PeerLedger:
    """What all agreed on, and what was removed since; see :class:`tests.simulation.invariants.Ledger`."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.checkpoints = 0
        self.ignorant = False
        """A device took over with what it had, without anybody to learn from."""
        self._twice: set[bytes] = set()
        """What who returned to nobody gave again, not knowing that it had given it before."""
        self._agreed: dict[bytes, bytes] = {}
        self._deleted: set[bytes] = set()
        self._gone: set[bytes] = set()
        self._promises: dict[bytes, tuple[bytes, bytes]] = {}
        self._excused: set[tuple[int, bytes]] = set()
        """By router: flows that it may have made anew in ignorance of others. Who has that may go by it."""
        network.starts.append(self._started)
        network.watches.append(memory_is_bounded)
        network.steps.append(self._stepped)
        for router in network.routers.values():
            self._started(router)

    def _started(self, router: Router) -> None:
        _Removals(router.device, self._deleted)

    def _stepped(self, happened: str) -> None:
        self.ignorant |= happened == Input.ALONE.value

    def used(self, router: Router, flow: bytes) -> None:
        """A packet of a flow passed."""

    def delete(self, router: Router, records: list[bytes]) -> None:
        """Somebody clears translations, of those that the router manages."""
        flows = router.device.translator.flows
        router.device.table.remove([record for record in records if flows.ages(record)])

    def promised(self, router: Router, flow: bytes) -> bytes | None:
        """The outside endpoint that all agreed on, if it must still hold at this router."""
        found = self._promises.get(flow)
        if found is None or self.ignorant or found[1] in self._deleted:
            return None
        if not all(group.synchronised for group in router.device.groups):
            self._excused.add((router.nat_id, flow))
            return None
        excused = any((maker, flow) in self._excused for maker in _makers(router, flow))
        return None if excused else found[0]

    def round(self) -> None:
        """What holds always, and if all that live are equal, what they agree on."""
        alive = [router for router in self.network.routers.values() if router.alive]
        for router in alive:
            digests_are_of_the_table(router)
            if not self.ignorant:
                no_endpoint_serves_two(router, self._twice)
        everybody = len(alive) == len(self.network.routers)
        if everybody and self.network.whole() and not disagreement(alive):
            self.checkpoint(alive)

    def checkpoint(self, routers: list[Router]) -> None:
        """All agree: nothing that they agreed on is lost, and nothing that was gone is back."""
        records = list(routers[0].device.table)
        found = {record[ID]: record[REFERENCE] for record in records}
        if not self.ignorant:
            lost = self._agreed.keys() - found.keys() - self._deleted
            if lost:
                raise Broken(f"{len(lost)} entries are lost that all had: {self._agreed[min(lost)].hex()}")
            back = found.keys() & self._gone
            if back:
                raise Broken(f"{len(back)} entries are back that all had agreed were gone: {min(back).hex()}")
        self.checkpoints += 1
        self._gone |= self._agreed.keys() - found.keys()
        self._gone -= found.keys()
        self._agreed = found
        flows = Counter(record[INSIDE_LOCAL] + record[OUTSIDE_LOCAL] for record in records)
        self._promises = {  # of two entries made for one flow at once, each router keeps to its own
            flow: (record[INSIDE_GLOBAL], record[ID])
            for record in records
            if flows[flow := record[INSIDE_LOCAL] + record[OUTSIDE_LOCAL]] == 1
        }
        self._deleted.clear()
        self._excused.clear()
        if self.ignorant:
            hosts = {(record[INSIDE_GLOBAL], record[INSIDE_LOCAL]) for record in records}
            uses = Counter(endpoint for endpoint, _ in hosts)
            self._twice |= {endpoint for endpoint, times in uses.items() if times > 1}
        self.ignorant = False


class Peers(PrimaryBackup):
    """Peers: nobody has the role, or each has it of what it makes."""

    name = "peers"
    rounds: ClassVar[Mapping[int, int]] = {2: 16, 3: 10, 4: 6, 5: 4}

    def __init__(self, members: int, shape: Shape, dice: random.Random) -> None:
        shape = replace(
            shape,
            pull_interval=0.0,
            retain=dice.choice((300, 300, 3)),
            as_queuing=dice.random() < 0.7,
        )
        super().__init__(members, shape, dice)
        self.roles = dict.fromkeys(self.roles, ConfiguredRole.PEERS)

    def ledger(self) -> Book:
        """Who keeps what all agreed on."""
        return PeerLedger(self.network)

    def __str__(self) -> str:
        return f"retain {self.shape.retain}, as-queuing {self.shape.as_queuing}"

    def targets(self) -> list[Router]:
        """Packets of any flow come by any router; to one that translates nothing yet none are led."""
        routers = super().targets()
        return self.dice.sample(routers, self.dice.randint(0, len(routers)))

    def disagreement(self) -> str:
        """Why this is not yet as it should be after quiet; empty if it is."""
        return disagreement(self.network.routers.values())
