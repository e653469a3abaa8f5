"""Access lists and route-maps of the configuration as packets are compared with them."""

from collections.abc import Callable

from snat.config.model import AccessLine, Configuration, ListKind, Ports, Side
from snat.config.model import AccessList as ListConfiguration
from snat.config.model import RouteMap as RouteMapConfiguration
from snat.nat.access_list import AccessList, Condition, Line, Narrowing, PortRange, RouteMap, RouteMapEntry

Egress = Callable[[bytes], str]
"""The interface by which a packet to an address, 4 bytes, leaves; empty: it does not."""


class Conditions:
    """Those of a configuration, which is verified: every name is there."""

    def __init__(self, configuration: Configuration, egress: Egress | None = None) -> None:
        """``egress`` is asked where there are several outside interfaces; None: all leaves by the first."""
        self._lists = {one.name: access_list_of(one) for one in configuration.access_lists}
        outside = [one.name for one in configuration.interfaces if one.side is Side.OUTSIDE]
        self._egress = egress if len(outside) > 1 else None
        self._outside = set(outside[:1] if egress is None else outside)
        self._maps = {one.name: self._route_map(one) for one in configuration.route_maps}

    def of(self, access_list: str, route_map: str) -> Condition:
        """What a rule names: one of the two."""
        return self._maps[route_map] if route_map else self._lists[access_list]

    def route_map(self, name: str) -> Condition | None:
        """A route-map; None if none is named."""
        return self._maps[name] if name else None

    def _route_map(self, configured: RouteMapConfiguration) -> RouteMap:
        """What names none of the outside interfaces matches nothing."""
        return RouteMap(
            tuple(
                RouteMapEntry(
                    entry.permit,
                    tuple(self._lists[name] for name in entry.lists),
                    self._leaves(frozenset(entry.interfaces)),
                )
                for entry in configured.entries
                if not entry.interfaces or self._outside & set(entry.interfaces)
            )
        )

    def _leaves(self, interfaces: frozenset[str]) -> Callable[[int], bool] | None:
        egress = self._egress
        if egress is None or not interfaces:
            return None
        return lambda destination: egress(destination.to_bytes(4, "big")) in interfaces


def access_list_of(configured: ListConfiguration) -> AccessList:
    """A list as packets are compared with it."""
    narrow = _narrowing if configured.kind is ListKind.EXTENDED else _nothing_else
    return AccessList(
        tuple(
            Line(line.permit, int(line.address), int(line.wildcard), narrow(line))
            for line in configured.lines
        )
    )


def _nothing_else(_line: AccessLine) -> None:
    return None


def _narrowing(line: AccessLine) -> Narrowing:
    return Narrowing(
        protocol=line.protocol,
        source_ports=_ports(line.ports),
        destination=int(line.destination),
        destination_wildcard=int(line.destination_wildcard),
        destination_ports=_ports(line.destination_ports),
        established=line.established,
        icmp_type=line.icmp_type,
    )


def _ports(ports: Ports | None) -> PortRange | None:
    match ports:
        case None:
            return None
        case Ports("lt", port, _):
            return PortRange(0, port - 1)
        case Ports("gt", port, _):
            return PortRange(port + 1, 65535)
        case Ports(operator, low, high):
            return PortRange(low, high, inverted=operator == "neq")
