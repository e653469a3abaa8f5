"""Which gateways read at which ports, as configured (``ip nat service``)."""

from collections.abc import Callable, Iterator
from typing import Final

from snat.config.gateways import ALL, ON
from snat.config.model import Configuration
from snat.config.nat import Service as Line
from snat.device.conditions import access_list_of
from snat.nat.access_list import AccessList
from snat.nat.tracking import TCP, UDP
from snat.translate.alg.reading import Service, Services
from snat.translate.alg.registry import GATEWAYS

_NUMBERS: Final = {"tcp": TCP, "udp": UDP}
_UNMISSED: Final = frozenset({"dns"})
"""Everybody speaks it, and hardly anybody about hosts with static mappings."""


def services_of(configuration: Configuration) -> Services:
    """By protocol and port. Of several lines for a port, each lets in its own hosts."""
    nat = configuration.nat
    off = {line.name for line in nat.no_services if not line.port}
    found: dict[int, dict[bytes, Service]] = {TCP: {}, UDP: {}}
    lines = [Line(name=name) for name in ON if name not in off]
    for line in (*lines, *nat.services):
        lists = _lists(configuration, line.access_list)
        for name in GATEWAYS if line.name == ALL else (line.name,):
            for protocol, port in _places(name, line):
                places, key = found[protocol], port.to_bytes(2, "big")
                known = places.get(key)
                reads = None if lists is None else _permits(lists)
                if known is not None:
                    reads = _either(known.reads, reads)
                places[key] = Service(GATEWAYS[name].gateway, reads)
    return {protocol: places for protocol, places in found.items() if places}


def missed_of(configuration: Configuration) -> dict[tuple[int, bytes], str]:
    """By protocol and port: the gateways that are off although nobody said so."""
    nat = configuration.nat
    said = {line.name for line in (*nat.services, *nat.no_services)} | {*ON, *_UNMISSED}
    return {
        (protocol, port.to_bytes(2, "big")): name
        for name, one in GATEWAYS.items()
        if name not in said and ALL not in said
        for protocol, port in one.places
    }


def _places(name: str, line: Line) -> Iterator[tuple[int, int]]:
    registered = GATEWAYS.get(name)
    for protocol, port in registered.places if registered else ():
        if not line.protocol or _NUMBERS[line.protocol] == protocol:
            yield protocol, line.port or port


def _lists(configuration: Configuration, name: str) -> AccessList | None:
    """The hosts that a line is for; None: all."""
    return next((access_list_of(one) for one in configuration.access_lists if one.name == name), None)


def _permits(chosen: AccessList) -> Callable[[bytes], bool]:
    return lambda host: chosen.permits(int.from_bytes(host, "big"))


def _either(
    one: Callable[[bytes], bool] | None, other: Callable[[bytes], bool] | None
) -> Callable[[bytes], bool] | None:
    """Whom either is for; None: all."""
    if one is None or other is None:
        return None
    return lambda host: one(host) or other(host)
