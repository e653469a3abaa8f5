"""``interface NAME`` and what stands under it, but for HSRP (ios-cli.md 1.4, 1.6)."""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Interface
from typing import Any

from cli.commands.editing import drop, put
from cli.commands.masks import host_address
from cli.commands.snat import IP_NAT
from cli.commands.texts import checked_text
from cli.grammar import Either, Optional, Tail, Values
from cli.modes import INTERFACE, SUBINTERFACE
from cli.session import Place
from cli.tokens import Address, HostAddress, InterfaceName, Keyword, Line, Number, Unsupported
from cli.tree import Command, Configures, Rejected
from snat.config.model import Configuration, Interface, InterfaceAddress, Side
from snat.config.verify_interfaces import overlapping

LOWEST_MSS, HIGHEST_MSS = 500, 1460
"""Bytes, as in IOS."""
MAX_DESCRIPTION = 240
"""Characters, as in IOS."""


def find_interface(configuration: Configuration, name: str) -> Interface:
    """The interface; one that was removed meanwhile comes back, as its lines follow one another."""
    found = (interface for interface in configuration.interfaces if interface.name == name)
    return next(found, Interface(name=name))


def put_interface(configuration: Configuration, interface: Interface) -> Configuration:
    """The configuration with the interface."""
    return replace(configuration, interfaces=put(configuration.interfaces, interface, lambda i: i.name))


def _stored(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    return ({"interface": interface.name} for interface in configuration.interfaces)


def _set(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    return put_interface(configuration, find_interface(configuration, values["interface"]))


def _unset(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    kept = drop(configuration.interfaces, lambda interface: interface.name == values["interface"])
    return replace(configuration, interfaces=kept)


def _place(values: Values) -> Place:
    name = values["interface"]
    return Place(SUBINTERFACE if "." in name else INTERFACE, name)


# --- description


def _stored_description(configuration: Configuration, name: str) -> Iterator[Values]:
    if text := find_interface(configuration, name).description:
        yield {"description": text}


def _describe(configuration: Configuration, name: str, text: str) -> Configuration:
    checked_text(text, "A description", MAX_DESCRIPTION)
    return put_interface(configuration, replace(find_interface(configuration, name), description=text))


# --- ip address


def _stored_addresses(configuration: Configuration, name: str) -> Iterator[Values]:
    for one in find_interface(configuration, name).addresses:
        values = {"address": one.address.ip, "mask": one.address.netmask}
        yield values | ({"secondary": True} if one.secondary else {})


def _set_address(configuration: Configuration, name: str, values: Values) -> Configuration:
    """With the address: a primary one takes the place of the primary one, secondary ones are added."""
    address = host_address(values["address"], values["mask"])
    present = find_interface(configuration, name)
    primary = [one for one in present.addresses if not one.secondary]
    others = [one for one in present.addresses if one.secondary]
    if "secondary" not in values:
        if any(one.address.ip == address.ip for one in others):
            raise Rejected(f"% {address.ip} is a secondary address already. Remove it first")
        addresses = (InterfaceAddress(address), *others)
    elif not primary:
        raise Rejected("% A secondary address needs a primary one. Enter that first")
    elif primary[0].address.ip == address.ip:
        raise Rejected("% Secondary can't be same as primary")
    else:
        addresses = put(
            present.addresses, InterfaceAddress(address, secondary=True), lambda one: one.address.ip
        )
    changed = replace(present, addresses=addresses)
    _refuse_overlap(configuration, changed, address)
    return put_interface(configuration, changed)


def _refuse_overlap(configuration: Configuration, interface: Interface, address: IPv4Interface) -> None:
    other = overlapping(configuration, interface, address)
    if other:
        raise Rejected(f"% {address.network.network_address} overlaps with {other}")


def _unset_address(configuration: Configuration, name: str, values: Values) -> Configuration:
    """Without the address; without all of them where none is named."""
    present = find_interface(configuration, name)
    if "address" not in values:
        return put_interface(configuration, replace(present, addresses=()))
    wanted = InterfaceAddress(host_address(values["address"], values["mask"]), "secondary" in values)
    if wanted not in present.addresses:
        if any(one.address.ip == wanted.address.ip for one in present.addresses):
            raise Rejected("% The configured line differs: see its mask, and whether it is secondary")
        return configuration
    if not wanted.secondary and len(present.addresses) > 1:
        raise Rejected("% Must delete secondary before deleting primary")
    return put_interface(
        configuration, replace(present, addresses=drop(present.addresses, lambda one: one == wanted))
    )


# --- ip nat, ip unreachables, ip tcp adjust-mss, shutdown


def _stored_side(configuration: Configuration, name: str) -> Iterator[Values]:
    if side := find_interface(configuration, name).side:
        yield {str(side): True}


def _with_side(configuration: Configuration, name: str, side: Side | None) -> Configuration:
    return put_interface(configuration, replace(find_interface(configuration, name), side=side))


def _stored_unreachables(configuration: Configuration, name: str) -> Iterator[Values]:
    if not find_interface(configuration, name).unreachables:
        yield {"unreachables": True, "no": True}


def _with_unreachables(configuration: Configuration, name: str, told: bool) -> Configuration:
    return put_interface(configuration, replace(find_interface(configuration, name), unreachables=told))


def _stored_mss(configuration: Configuration, name: str) -> Iterator[Values]:
    if size := find_interface(configuration, name).adjust_mss:
        yield {"size": size}


def _with_mss(configuration: Configuration, name: str, size: int) -> Configuration:
    return put_interface(configuration, replace(find_interface(configuration, name), adjust_mss=size))


def _stored_shutdown(configuration: Configuration, name: str) -> Iterator[Values]:
    shutdown = find_interface(configuration, name).shutdown
    if shutdown is not None:
        yield {"shutdown": True} | ({} if shutdown else {"no": True})


def _with_shutdown(configuration: Configuration, name: str, shutdown: bool | None) -> Configuration:
    return put_interface(configuration, replace(find_interface(configuration, name), shutdown=shutdown))


COMMANDS: tuple[Command, ...] = (
    Configures(
        pattern=(
            Keyword(text="interface", help="Configure an interface"),
            InterfaceName(
                key="interface",
                help="Name of the interface, as the kernel has it",
                candidates=lambda configuration: [i.name for i in configuration.interfaces],
            ),
        ),
        stored=_stored,
        set=_set,
        unset=_unset,
        enters=_place,
        separated=True,
    ),
)

_IP = Keyword(text="ip", help="Internet Protocol")

IN_INTERFACE: tuple[Command, ...] = (
    Configures(
        pattern=(
            Keyword(text="description", help="What the interface is for"),
            Tail(Line(key="description", help=f"At most {MAX_DESCRIPTION} characters")),
        ),
        stored=_stored_description,
        set=lambda configuration, name, values: _describe(configuration, name, values["description"]),
        unset=lambda configuration, name, _values: _describe(configuration, name, ""),
        negatable=True,
    ),
    Configures(
        pattern=(
            _IP,
            Keyword(text="address", help="An address of this router"),
            Tail(
                Either(
                    (
                        HostAddress(key="address", help="Address"),
                        Address(key="mask", help="Mask of the network"),
                        Optional(Keyword(text="secondary", key="secondary", help="One more address")),
                    ),
                    (Unsupported(text="dhcp"),),
                    (Unsupported(text="negotiated"),),
                    (Unsupported(text="pool"),),
                )
            ),
        ),
        stored=_stored_addresses,
        set=_set_address,
        unset=_unset_address,
        negatable=True,
    ),
    Configures(
        pattern=(
            *IP_NAT,
            Either(
                (Keyword(text="inside", key="inside", help="The private network is here"),),
                (Keyword(text="outside", key="outside", help="The public network is here"),),
                (Unsupported(text="enable"),),
            ),
        ),
        stored=_stored_side,
        set=lambda configuration, name, values: _with_side(
            configuration, name, Side.INSIDE if "inside" in values else Side.OUTSIDE
        ),
        unset=lambda configuration, name, _values: _with_side(configuration, name, None),
    ),
    Configures(
        pattern=(
            _IP,
            Keyword(text="unreachables", key="unreachables", help="Tell hosts here why packets are dropped"),
        ),
        stored=_stored_unreachables,
        set=lambda configuration, name, _values: _with_unreachables(configuration, name, True),
        unset=lambda configuration, name, _values: _with_unreachables(configuration, name, False),
        default=lambda configuration, name, _values: _with_unreachables(configuration, name, True),
        negatable=True,
    ),
    Configures(
        pattern=(
            _IP,
            Keyword(text="tcp", help="TCP connections through this router"),
            Keyword(text="adjust-mss", help="Lower the segment size that they agree on"),
            Tail(Number(key="size", low=LOWEST_MSS, high=HIGHEST_MSS, help="Bytes")),
        ),
        stored=_stored_mss,
        set=lambda configuration, name, values: _with_mss(configuration, name, values["size"]),
        unset=lambda configuration, name, _values: _with_mss(configuration, name, 0),
        negatable=True,
    ),
)
"""Before the lines of HSRP, in the order of the running configuration."""

SHUTDOWN: tuple[Command, ...] = (
    Configures(
        pattern=(Keyword(text="shutdown", key="shutdown", help="Take the interface down"),),
        stored=_stored_shutdown,
        set=lambda configuration, name, _values: _with_shutdown(configuration, name, True),
        unset=lambda configuration, name, _values: _with_shutdown(configuration, name, False),
        default=lambda configuration, name, _values: _with_shutdown(configuration, name, None),
        negatable=True,
    ),
)
"""After them."""
