"""``ip nat Stateful id``, its ``primary`` and ``backup`` blocks, and what stands in them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from cli.commands.editing import drop, put
from cli.grammar import Either, Element, Optional, Tail, Values
from cli.modes import BACKUP, PEERS, PRIMARY, REDUNDANCY, STATEFUL
from cli.session import Place
from cli.tokens import HostAddress, HostName, InterfaceName, Keyword, Number, Word
from cli.tree import Command, Configures, Rejected
from snat.config.model import (
    DEFAULT_HOLD_TIME,
    DEFAULT_KEEPALIVE,
    DEFAULT_PORT,
    Configuration,
    ConfiguredRole,
    Group,
    Peer,
    Stateful,
    VirtualAddress,
)

HIGHEST_ID = 2147483647
"""Of NAT IDs and mapping IDs (ios-cli.md 1.1)."""

IP_NAT = (
    Keyword(text="ip", help="Internet Protocol"),
    Keyword(text="nat", help="Network address translation"),
)
IP_SNAT = (IP_NAT[0], Keyword(text="snat", help="Stateful NAT"))
MAPPING_ID = Number(key="mapping_id", low=1, high=HIGHEST_ID, help="Mapping ID, the same on all members")

Subject = tuple[ConfiguredRole, IPv4Address | str]
"""What tells a block from others: its role, and our address or the name of the block."""

MODES = {
    ConfiguredRole.PRIMARY: PRIMARY,
    ConfiguredRole.BACKUP: BACKUP,
    ConfiguredRole.REDUNDANCY: REDUNDANCY,
    ConfiguredRole.PEERS: PEERS,
}
ADDRESSED = (ConfiguredRole.PRIMARY, ConfiguredRole.BACKUP)
"""Blocks that are told apart by our address; the others have names."""


def _stored_stateful(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    if configuration.stateful:
        yield {"nat_id": configuration.stateful.nat_id}


def _set_stateful(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    present = configuration.stateful
    if present is None:
        return replace(configuration, stateful=Stateful(nat_id=values["nat_id"]))
    if present.nat_id != values["nat_id"]:
        raise Rejected(f"% SNAT with id : {present.nat_id} already running. Please remove and reconfigure%")
    return configuration


def _unset_stateful(configuration: Configuration, _subject: Any, _values: Values) -> Configuration:
    return replace(configuration, stateful=None)


def _with_groups(configuration: Configuration, groups: tuple[Group, ...]) -> Configuration:
    if configuration.stateful is None:
        raise Rejected("% The SNAT id has been removed. Enter ip nat Stateful id again")
    return replace(configuration, stateful=replace(configuration.stateful, groups=groups))


def _group_key(group: Group) -> Subject:
    return group.role, group.address if group.role in ADDRESSED else group.name


def _group_named(values: Values) -> Subject:
    role = next(role for role in ConfiguredRole if values.get(str(role)))
    return role, values["address"] if role in ADDRESSED else values.get("name") or ""


def _find(configuration: Configuration, subject: Subject) -> Group | None:
    return next((group for group in configuration.groups if _group_key(group) == subject), None)


def _group_values(group: Group) -> Values:
    if group.role in ADDRESSED:
        return {str(group.role): True, "address": group.address, "port": group.port}
    return {str(group.role): True, "name": group.name or None}


def _set_group(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    role, told = subject = _group_named(values)
    group = _find(configuration, subject)
    if isinstance(told, str):
        group = group or Group(role=role, name=told)
    else:
        group = group or Group(role=role, address=told)
        group = replace(group, port=values.get("port", group.port))
    return _with_groups(configuration, put(configuration.groups, group, _group_key))


def _unset_group(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    subject = _group_named(values)
    return _with_groups(configuration, drop(configuration.groups, lambda g: _group_key(g) == subject))


def _place_of_group(values: Values) -> Place:
    subject = _group_named(values)
    return Place(MODES[subject[0]], subject)


def in_group(
    pattern: tuple[Element, ...],
    values: Callable[[Group], Iterator[Values]],
    change: Callable[[Group, Values], Group],
    remove: Callable[[Group, Values], Group],
    normal: Callable[[Values], Values] = lambda values: values,
) -> Configures:
    """A line of a block: how it is printed, and how it changes the group."""

    def stored(configuration: Configuration, subject: Subject) -> Iterator[Values]:
        group = _find(configuration, subject)
        return values(group) if group else iter(())

    def edited(
        by: Callable[[Group, Values], Group],
    ) -> Callable[[Configuration, Subject, Values], Configuration]:
        def edit(configuration: Configuration, subject: Subject, typed: Values) -> Configuration:
            group = _find(configuration, subject)
            if group is None:
                raise Rejected(f"% {f'{subject[0]} {subject[1]}'.rstrip()} has been removed. Enter it again")
            return _with_groups(configuration, put(configuration.groups, by(group, typed), _group_key))

        return edit

    return Configures(pattern=pattern, stored=stored, set=edited(change), unset=edited(remove), normal=normal)


def port(help_text: str) -> Optional:
    """``port N``, left out for the usual one."""
    return Optional(
        Keyword(text="port", help=help_text),
        Number(key="port", low=1, high=65535, help="TCP port", default=DEFAULT_PORT),
    )


# --- peer


def _peer_key(peer: Peer) -> tuple[IPv4Address, int]:
    return peer.address, peer.port


def _peer_values(group: Group) -> Iterator[Values]:
    for peer in group.peers:
        yield {"address": peer.address, "nat_id": peer.nat_id, "name": peer.name, "port": peer.port}


def _add_peer(group: Group, values: Values) -> Group:
    return replace(group, peers=put(group.peers, Peer(**values), _peer_key))


def _drop_peer(group: Group, values: Values) -> Group:
    peer = Peer(**values)
    return replace(group, peers=drop(group.peers, lambda old: _peer_key(old) == _peer_key(peer)))


# --- mapping-id, virtual-address


def _mapping_values(group: Group) -> Iterator[Values]:
    return ({"mapping_id": mapping_id} for mapping_id in group.mapping_ids)


def _add_mapping(group: Group, values: Values) -> Group:
    return replace(group, mapping_ids=put(group.mapping_ids, values["mapping_id"], int))


def _drop_mapping(group: Group, values: Values) -> Group:
    return replace(group, mapping_ids=drop(group.mapping_ids, lambda old: old == values["mapping_id"]))


def _virtual_values(group: Group) -> Iterator[Values]:
    for virtual in group.virtual_addresses:
        yield {"address": virtual.address, "interface": virtual.interface}


def _add_virtual(group: Group, values: Values) -> Group:
    virtual = VirtualAddress(**values)
    return replace(group, virtual_addresses=put(group.virtual_addresses, virtual, lambda v: v.address))


def _drop_virtual(group: Group, values: Values) -> Group:
    address = values["address"]
    return replace(group, virtual_addresses=drop(group.virtual_addresses, lambda v: v.address == address))


# --- timers


def _time(name: str, help_text: str, highest: int) -> Either:
    """``[msec] N``: a whole number of seconds, or of milliseconds."""
    msec = Keyword(text="msec", help=f"{help_text} in milliseconds", key=f"{name}_msec")
    return Either(
        (msec, Number(key=f"{name}_milliseconds", low=10, high=60000, help=f"{help_text} in milliseconds")),
        (Number(key=f"{name}_seconds", low=1, high=highest, help=f"{help_text} in seconds"),),
    )


def _time_values(name: str, seconds: float) -> dict[str, Any]:
    milliseconds = round(seconds * 1000)
    if milliseconds % 1000:
        return {f"{name}_msec": True, f"{name}_milliseconds": milliseconds}
    return {f"{name}_seconds": milliseconds // 1000}


def _time_read(name: str, values: Values) -> float:
    if f"{name}_seconds" in values:
        return float(values[f"{name}_seconds"])
    return float(values[f"{name}_milliseconds"]) / 1000


def _timer_values(group: Group) -> Iterator[Values]:
    if (group.keepalive, group.hold_time) != (DEFAULT_KEEPALIVE, DEFAULT_HOLD_TIME):
        yield _time_values("keepalive", group.keepalive) | _time_values("hold", group.hold_time)


def _normal_timers(values: Values) -> Values:
    if not values:
        return values
    keepalive, hold = _time_read("keepalive", values), _time_read("hold", values)
    return _time_values("keepalive", keepalive) | _time_values("hold", hold)


def _set_timers(group: Group, values: Values) -> Group:
    return replace(group, keepalive=_time_read("keepalive", values), hold_time=_time_read("hold", values))


def _unset_timers(group: Group, _values: Values) -> Group:
    return replace(group, keepalive=DEFAULT_KEEPALIVE, hold_time=DEFAULT_HOLD_TIME)


COMMANDS: tuple[Command, ...] = (
    Configures(
        pattern=(
            *IP_NAT,
            Keyword(text="Stateful", help="Share the NAT table with other routers"),
            Keyword(text="id", help="NAT ID of this router"),
            Number(key="nat_id", low=1, high=HIGHEST_ID, help="NAT ID, different on every member"),
        ),
        stored=_stored_stateful,
        set=_set_stateful,
        unset=_unset_stateful,
        enters=lambda _values: Place(STATEFUL),
        separated=True,
    ),
)

IN_STATEFUL: tuple[Command, ...] = (
    Configures(
        pattern=(
            Either(
                (
                    Either(
                        (Keyword(text="primary", key="primary", help="Translate while this router is up"),),
                        (Keyword(text="backup", key="backup", help="Translate while no primary is up"),),
                    ),
                    HostAddress(key="address", help="Address of this router for its neighbors"),
                    port("TCP port on which this router listens"),
                ),
                (
                    Keyword(
                        text="redundancy", key="redundancy", help="Translate while an HSRP group is active"
                    ),
                    Word(key="name", help="Name of the HSRP group"),
                ),
                (
                    Keyword(text="peers", key="peers", help="All members translate, each for its own flows"),
                    Optional(
                        Word(
                            key="name",
                            help="Name of this block, if there are several",
                            shape=r"[A-Za-z][!-~]{0,63}",  # an address would be meant for `peer`
                            what="a name that begins with a letter, of at most 64 characters",
                        )
                    ),
                ),
            ),
        ),
        stored=lambda configuration, _subject: (_group_values(group) for group in configuration.groups),
        set=_set_group,
        unset=_unset_group,
        enters=_place_of_group,
    ),
)

IN_GROUP: tuple[Command, ...] = (
    in_group(
        (
            Keyword(text="peer", help="A neighbor that shares the table"),
            HostAddress(key="address", help="Address of the neighbor"),
            Tail(
                Keyword(text="nat-id", help="NAT ID of the neighbor"),
                Number(key="nat_id", low=1, high=HIGHEST_ID, help="NAT ID"),
                Keyword(text="name", help="DNS name in the certificate of the neighbor"),
                HostName(key="name", help="DNS name, exactly"),
            ),
            port("TCP port on which the neighbor listens"),
        ),
        _peer_values,
        _add_peer,
        _drop_peer,
    ),
    in_group(
        (Keyword(text="mapping-id", help="Share the entries of rules with this mapping ID"), MAPPING_ID),
        _mapping_values,
        _add_mapping,
        _drop_mapping,
    ),
)

IN_ADDRESSED: tuple[Command, ...] = (
    in_group(
        (
            Keyword(text="virtual-address", help="Gateway address that follows the role"),
            HostAddress(key="address", help="Address that inside hosts have as gateway"),
            Tail(
                Keyword(text="interface", help="Interface that gets the address"),
                InterfaceName(
                    key="interface",
                    help="Name of an inside interface",
                    candidates=lambda configuration: [i.name for i in configuration.interfaces],
                ),
            ),
        ),
        _virtual_values,
        _add_virtual,
        _drop_virtual,
    ),
)
"""In primary and backup blocks only."""

TIMERS: tuple[Command, ...] = (
    in_group(
        (
            Keyword(text="timers", help="When a silent neighbor is lost"),
            Tail(_time("keepalive", "Keepalive interval", 254), _time("hold", "Hold time", 255)),
        ),
        _timer_values,
        _set_timers,
        _unset_timers,
        _normal_timers,
    ),
)
