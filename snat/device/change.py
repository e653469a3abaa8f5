"""From one configuration to the next: what goes on, what begins anew, and what is forgotten.

Pure, so the router can ask before it changes anything.
"""

from collections.abc import Container
from dataclasses import dataclass

from snat.config.model import Configuration, ConfiguredRole, Group
from snat.device.digest import configuration_digest
from snat.wire.header import Feed


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Two verified configurations of one running device."""

    before: Configuration
    after: Configuration

    def goes_on(self) -> dict[Group, Group]:
        """Groups that go on, with what they become: those that keep one of their mapping IDs.

        None do if the device takes another NAT ID: to its neighbors it is another device then.
        """
        if _nat_id(self.before) != _nat_id(self.after):
            return {}
        found: dict[Group, Group] = {}
        for group in self.after.groups:
            for old in self.before.groups:
                if old not in found and not set(old.mapping_ids).isdisjoint(group.mapping_ids):
                    found[old] = group
                    break
        return found

    def concerned(self) -> set[int]:
        """NAT IDs of the neighbors whose sessions begin anew, begin, or end."""
        before, after = agreements(self.before), agreements(self.after)
        return {one for one in before.keys() | after.keys() if before.get(one) != after.get(one)}

    def forgotten(self) -> list[Feed]:
        """Mappings that no group shares any more, and what those made who are no peers any more.

        Nobody answers for their entries.
        """
        after = {one: group for group in self.after.groups for one in group.mapping_ids}
        found = [Feed(0, one) for one in _mapping_ids(self.before) if one not in after]
        for group in self.before.groups:
            members = {_nat_id(self.before), *(peer.nat_id for peer in group.peers)}
            for one in group.mapping_ids:
                if one in after and after[one].role is ConfiguredRole.PEERS:
                    found += [Feed(gone, one) for gone in members - {*owners_of(self.after, after[one])}]
        return found

    def manages(self, managed: Container[Group]) -> tuple[Group, ...]:
        """What groups that are managed now become, as far as they go on."""
        return tuple(new for old, new in self.goes_on().items() if old in managed)


def owners_of(configuration: Configuration, group: Group) -> tuple[int, ...]:
    """Whose entries are managed apart: every peer's, this device's among them; 0: all together."""
    if group.role is not ConfiguredRole.PEERS:
        return (0,)
    return tuple(sorted({_nat_id(configuration), *(peer.nat_id for peer in group.peers)}))


def peers_of(configuration: Configuration) -> dict[int, str]:
    """NAT ID and name of every neighbor."""
    return {peer.nat_id: peer.name for group in configuration.groups for peer in group.peers}


def agreements(configuration: Configuration) -> dict[int, object]:
    """For each neighbor, by NAT ID, all that its sessions were begun with; sessions live as long as it.

    That is who we are and who it is, from where to where it is dialled, and what *authenticate* says of the
    mappings (doc/protocol.md). What messages say again is not among it: role, standing, positions. Nor are
    keepalive and slots, which are for information.
    """
    trusted = configuration.trustpoint
    files = trusted and (trusted.ca_certificate, trusted.certificate, trusted.private_key)
    digests = {one: configuration_digest(configuration, one) for one in _mapping_ids(configuration)}
    found: dict[int, object] = {}
    for nat_id, name in peers_of(configuration).items():
        common = tuple(
            (
                (group.address, group.port, peer.address, peer.port),
                bool(group.pull_interval),
                tuple((one, digests[one]) for one in group.mapping_ids),
            )
            for group in configuration.groups
            for peer in group.peers
            if peer.nat_id == nat_id
        )
        found[nat_id] = (_nat_id(configuration), files, name, common)
    return found


def _nat_id(configuration: Configuration) -> int:
    return configuration.stateful.nat_id if configuration.stateful is not None else 0


def _mapping_ids(configuration: Configuration) -> list[int]:
    return [one for group in configuration.groups for one in group.mapping_ids]
