"""``ip route`` and ``track`` (ios-cli.md 1.6, 3)."""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from cli.commands.editing import drop, put
from cli.commands.masks import prefix_length
from cli.commands.names import INTERFACE
from cli.commands.standby_lines import HIGHEST_OBJECT
from cli.grammar import Either, Optional, Tail, Values
from cli.tokens import Address, HostAddress, Keyword, Number, Unsupported, Word
from cli.tree import Command, Configures, Rejected
from snat.config.interface import HIGHEST_DISTANCE
from snat.config.model import Configuration, StaticRoute, TrackedObject

_NEXT_HOP = HostAddress(key="next_hop", help="Address of the next router")
_BY_INTERFACE = replace(
    INTERFACE,
    shape=rf"(?![0-9.]+$){INTERFACE.shape}",  # an address that is mistyped is no interface
    help="Interface that reaches it",
)


def _route_values(route: StaticRoute) -> Values:
    values: dict[str, Any] = {"prefix": route.prefix.network_address, "mask": route.prefix.netmask}
    if route.interface:
        values["interface"] = route.interface
    if route.next_hop:
        values["next_hop"] = route.next_hop
    if route.name:
        values["name"] = route.name
    return values | {"distance": route.distance}


def _route(values: Values) -> StaticRoute:
    """The route that was typed. Raises :class:`Rejected` for a mask that does not fit."""
    return StaticRoute(
        prefix=_prefix(values),
        next_hop=values.get("next_hop"),
        interface=values.get("interface", ""),
        distance=values.get("distance", 1),
        name=values.get("name", ""),
    )


def _prefix(values: Values) -> IPv4Network:
    network = IPv4Network((values["prefix"], prefix_length(values["prefix"], values["mask"])), strict=False)
    if network.network_address != values["prefix"]:
        raise Rejected("%Inconsistent address and mask")
    return network


def _key(route: StaticRoute) -> tuple[IPv4Network, IPv4Address | None, str]:
    return route.prefix, route.next_hop, route.interface


def _set_route(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    return replace(configuration, routes=put(configuration.routes, _route(values), _key))


def _unset_route(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    """Without the route; without all to the prefix where no next hop is named."""
    named = _route(values)
    by_prefix = named.next_hop is None and not named.interface
    kept = drop(
        configuration.routes,
        lambda route: route.prefix == named.prefix if by_prefix else _key(route) == _key(named),
    )
    return replace(configuration, routes=kept)


def _tracked_values(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    for one in configuration.tracked:
        kind = "routing" if one.ip_routing else "line_protocol"
        yield {"number": one.number, "interface": one.interface, kind: True}


def _set_tracked(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    one = TrackedObject(
        number=values["number"], interface=values["interface"], ip_routing="routing" in values
    )
    if any(old.number == one.number and old != one for old in configuration.tracked):
        raise Rejected(f"% Cannot change tracked object {one.number} - delete old config first")
    tracked = put(configuration.tracked, one, lambda old: old.number)
    return replace(configuration, tracked=tuple(sorted(tracked, key=lambda old: old.number)))


def _unset_tracked(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    number = values["number"]
    return replace(configuration, tracked=drop(configuration.tracked, lambda one: one.number == number))


TRACK: tuple[Command, ...] = (
    Configures(
        pattern=(
            Keyword(text="track", help="Watch an interface for HSRP groups"),
            Number(key="number", low=1, high=HIGHEST_OBJECT, help="Number of the object"),
            Tail(
                Either(
                    (
                        Keyword(text="interface", help="Watch an interface"),
                        INTERFACE,
                        Either(
                            (
                                Keyword(
                                    text="line-protocol",
                                    key="line_protocol",
                                    help="Up while it has a carrier",
                                ),
                            ),
                            (
                                Keyword(text="ip", help="Internet Protocol"),
                                Keyword(text="routing", key="routing", help="Up while it has an address too"),
                            ),
                        ),
                    ),
                    *((Unsupported(text=word),) for word in ("ip", "list", "rtr", "stub-object")),
                ),
            ),
        ),
        stored=_tracked_values,
        set=_set_tracked,
        unset=_unset_tracked,
    ),
)

ROUTES: tuple[Command, ...] = (
    Configures(
        pattern=(
            Keyword(text="ip", help="Internet Protocol"),
            Keyword(text="route", help="A static route"),
            Either(
                (Address(key="prefix", help="Network to reach"),),
                (Unsupported(text="vrf"),),
                (Unsupported(text="static"),),
            ),
            Address(key="mask", help="Mask of the network"),
            Tail(
                Either(
                    (_BY_INTERFACE, Optional(_NEXT_HOP)),
                    (_NEXT_HOP,),
                    (Unsupported(text="Null0"),),
                    (Unsupported(text="dhcp"),),
                ),
                Optional(
                    Number(
                        key="distance",
                        low=1,
                        high=HIGHEST_DISTANCE,
                        help="Which route to prefer: the lowest",
                        default=1,
                    )
                ),
                Optional(Keyword(text="name", help="A word about it"), Word(key="name", help="The word")),
                Optional(
                    Either(
                        *(
                            (Unsupported(text=word),)
                            for word in ("multicast", "permanent", "tag", "track", "global")
                        )
                    )
                ),
            ),
        ),
        stored=lambda configuration, _subject: map(_route_values, configuration.routes),
        set=_set_route,
        unset=_unset_route,
        normal=lambda values: {"distance": 1, **values},
        negatable=True,
    ),
)
