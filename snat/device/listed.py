"""Whether an access list permits a packet, by the configuration alone: for debugging, not to translate."""

from ipaddress import IPv4Address
from typing import Final

from snat.config.access import AccessLine, AccessList, Ports
from snat.nat.tracking import ACK, ICMP, RST, TCP

_EVERY_BIT: Final = 0xFFFFFFFF


def permits(listed: AccessList, endpoints: bytes, protocol: int, detail: int) -> bool:
    """``endpoints`` and ``detail`` are as in :class:`snat.translate.watch.Sight`; no line matches: False."""
    for line in listed.lines:
        if _matches(line, endpoints, protocol, detail):
            return line.permit
    return False


def _matches(line: AccessLine, endpoints: bytes, protocol: int, detail: int) -> bool:
    source, destination = _number(endpoints[:4]), _number(endpoints[4:8])
    return (
        line.protocol in (None, protocol)
        and _same(source, line.address, line.wildcard)
        and _same(destination, line.destination, line.destination_wildcard)
        and _in(line.ports, _number(endpoints[8:10]))
        and _in(line.destination_ports, _number(endpoints[10:12]))
        and (not line.established or (protocol == TCP and bool(detail & (ACK | RST))))
        and (line.icmp_type is None or (protocol == ICMP and detail == line.icmp_type))
    )


def _number(octets: bytes) -> int:
    return int.from_bytes(octets, "big")


def _same(address: int, wanted: IPv4Address, wildcard: IPv4Address) -> bool:
    return not (address ^ int(wanted)) & ~int(wildcard) & _EVERY_BIT


def _in(ports: Ports | None, port: int) -> bool:
    if ports is None:
        return True
    match ports.operator:
        case "eq":
            return port == ports.low
        case "neq":
            return port != ports.low
        case "lt":
            return port < ports.low
        case "gt":
            return port > ports.low
    return ports.low <= port <= ports.high
