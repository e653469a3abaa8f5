"""What a line of an access list says: its grammar, and the same as values and as a model (ios-cli.md 1.5)."""

from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import Any

from cli.grammar import Either, Element, Optional, Options, Pattern, Values
from cli.tokens import Address, HostAddress, Keyword, Line, Unsupported
from cli.tree import Rejected
from cli.well_known import ICMP, ICMP_TYPES, PROTOCOLS, TCP, TCP_PORTS, UDP, UDP_PORTS, NamedNumber
from snat.config.access import EVERY_BIT
from snat.config.model import AccessLine, ListKind, Ports

MAX_REMARK = 100
"""Characters, as in IOS."""
OPERATORS = {
    "eq": "Only this port",
    "neq": "All but this port",
    "lt": "Lower ports",
    "gt": "Higher ports",
}
_NOT_COMPARED = (
    *("dscp", "fragments", "log-input", "match-all", "match-any", "option", "precedence", "reflect"),
    *("time-range", "tos", "ttl"),
)
_TCP_FLAGS = ("ack", "fin", "psh", "rst", "syn", "urg")
_ICMP_CODES = (
    *("administratively-prohibited", "host-unreachable", "net-unreachable", "packet-too-big"),
    *("port-unreachable", "protocol-unreachable", "reassembly-timeout", "ttl-exceeded"),
)

_ACTION = Either(
    (Keyword(text="permit", key="permit", help="What belongs to the list"),),
    (Keyword(text="deny", key="deny", padding="  ", help="What does not belong to it"),),
)
_LOG = Keyword(text="log", key="log", help="Log what matches")
REMARK: Pattern = (
    Keyword(text="remark", help="A comment about the lines that follow"),
    Line(key="remark", help=f"At most {MAX_REMARK} characters"),
)

STANDARD: Pattern = (
    _ACTION,
    Either(
        (Keyword(text="any", key="any", help="Any address"),),
        (
            Address(key="address", help="Address to match"),
            Optional(Address(key="wildcard", help="Wildcard bits: those set are not compared")),
        ),
        (
            Keyword(text="host", key="host", help="A single host"),
            HostAddress(key="address", help="Address of the host"),
        ),
    ),
    Optional(_LOG),
)
"""``permit 10.0.0.0 0.0.0.255``."""


def _end(side: str) -> Either:
    """Source or destination of an extended line."""
    return Either(
        (Keyword(text="any", key=f"{side}_any", help=f"Any {side}"),),
        (
            Keyword(text="host", key=f"{side}_host", help="A single host"),
            Address(key=side, help=f"Address of the {side}"),
        ),
        (
            Address(key=side, help=f"Address of the {side}"),
            Address(key=f"{side}_wildcard", help="Wildcard bits: those set are not compared"),
        ),
        (Unsupported(text="object-group"),),
    )


def _ports(side: str, names: Mapping[str, int]) -> Optional:
    def port(key: str) -> NamedNumber:
        return NamedNumber(key=f"{side}_{key}", high=65535, names=names, help="Port, by number or name")

    single = [
        (Keyword(text=operator, key=f"{side}_{operator}", help=help_text), port("port"))
        for operator, help_text in OPERATORS.items()
    ]
    between = (Keyword(text="range", key=f"{side}_range", help="A range of ports"), port("low"), port("high"))
    return Optional(Either(*single, between))


def _options(*more: Pattern, unsupported: tuple[str, ...] = ()) -> tuple[Element, ...]:
    words = (*_NOT_COMPARED, *unsupported)
    return (Options(*more, (_LOG,)), Optional(Either(*((Unsupported(text=word),) for word in words))))


def _with_ports(name: str, names: Mapping[str, int], *rest: Element) -> Pattern:
    protocol = Keyword(text=name, key=name, help=name.upper())
    ends = (_end("source"), _ports("source", names), _end("destination"), _ports("destination", names))
    return (protocol, *ends, *rest)


EXTENDED: Pattern = (
    _ACTION,
    Either(
        _with_ports(
            "tcp",
            TCP_PORTS,
            *_options(
                (Keyword(text="established", key="established", help="With ACK or RST"),),
                unsupported=_TCP_FLAGS,
            ),
        ),
        _with_ports("udp", UDP_PORTS, *_options()),
        (
            Keyword(text="icmp", key="icmp", help="ICMP"),
            _end("source"),
            _end("destination"),
            Optional(
                NamedNumber(key="icmp_type", high=255, names=ICMP_TYPES, help="ICMP type, by number or name")
            ),
            *_options(unsupported=_ICMP_CODES),
        ),
        (
            Either(
                (Keyword(text="ip", key="ip", help="Any protocol"),),
                *((Keyword(text=name, key=name, help=f"Protocol {PROTOCOLS[name]}"),) for name in PROTOCOLS),
                (NamedNumber(key="protocol", low=1, high=255, names={}, help="Protocol"),),
                (Unsupported(text="object-group"),),
            ),
            _end("source"),
            _end("destination"),
            *_options(),
        ),
    ),
)
"""``permit tcp 10.0.0.0 0.0.0.255 any eq www``."""

_NAMES = {number: name for name, number in PROTOCOLS.items()} | {TCP: "tcp", UDP: "udp", ICMP: "icmp"}


def body(kind: ListKind) -> Pattern:
    """The grammar of the lines of a kind of list."""
    return STANDARD if kind is ListKind.STANDARD else EXTENDED


def values_of(line: AccessLine, kind: ListKind) -> dict[str, Any]:
    """A line as the running configuration prints it, without its sequence number."""
    values: dict[str, Any] = {"permit" if line.permit else "deny": True}
    if line.log:
        values["log"] = True
    if kind is ListKind.EXTENDED:
        return values | _extended_values(line)
    if line.wildcard == EVERY_BIT:
        return values | {"any": True}
    if line.wildcard == IPv4Address(0):
        return values | {"address": line.address}
    return values | {"address": line.address, "wildcard": line.wildcard}


def _extended_values(line: AccessLine) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if line.protocol is None:
        values["ip"] = True
    elif line.protocol in _NAMES:
        values[_NAMES[line.protocol]] = True
    else:
        values["protocol"] = line.protocol
    values |= _end_values("source", line.address, line.wildcard, line.ports)
    values |= _end_values("destination", line.destination, line.destination_wildcard, line.destination_ports)
    if line.established:
        values["established"] = True
    if line.icmp_type is not None:
        values["icmp_type"] = line.icmp_type
    return values


def _end_values(side: str, address: IPv4Address, wildcard: IPv4Address, ports: Ports | None) -> Values:
    values: dict[str, Any] = {side: address}
    if wildcard == EVERY_BIT:
        values = {f"{side}_any": True}
    elif wildcard == IPv4Address(0):
        values[f"{side}_host"] = True
    else:
        values[f"{side}_wildcard"] = wildcard
    if ports is None:
        return values
    values[f"{side}_{ports.operator}"] = True
    if ports.operator == "range":
        return values | {f"{side}_low": ports.low, f"{side}_high": ports.high}
    return values | {f"{side}_port": ports.low}


def line_of(values: Values, kind: ListKind) -> AccessLine:
    """The line that was typed; address bits that are not compared are cleared, as in IOS."""
    shared: dict[str, Any] = {
        "sequence": values.get("sequence", 0),
        "permit": "permit" in values,
        "log": "log" in values,
    }
    if kind is ListKind.STANDARD:
        wildcard = EVERY_BIT if "any" in values else values.get("wildcard", IPv4Address(0))
        address = _compared(values.get("address", IPv4Address(0)), wildcard)
        return AccessLine(**shared, address=address, wildcard=wildcard)
    address, wildcard = _end_of("source", values)
    destination, destination_wildcard = _end_of("destination", values)
    named = next((number for number, name in _NAMES.items() if name in values), None)
    return AccessLine(
        **shared,
        protocol=values.get("protocol", named),
        address=address,
        wildcard=wildcard,
        ports=_ports_of("source", values),
        destination=destination,
        destination_wildcard=destination_wildcard,
        destination_ports=_ports_of("destination", values),
        established="established" in values,
        icmp_type=values.get("icmp_type"),
    )


def _end_of(side: str, values: Values) -> tuple[IPv4Address, IPv4Address]:
    if f"{side}_any" in values:
        return IPv4Address(0), EVERY_BIT
    wildcard = IPv4Address(0) if f"{side}_host" in values else values[f"{side}_wildcard"]
    return _compared(values[side], wildcard), wildcard


def _compared(address: IPv4Address, wildcard: IPv4Address) -> IPv4Address:
    return IPv4Address(int(address) & ~int(wildcard))


def _ports_of(side: str, values: Values) -> Ports | None:
    if f"{side}_range" in values:
        return Ports("range", values[f"{side}_low"], values[f"{side}_high"])
    operator = next((one for one in OPERATORS if f"{side}_{one}" in values), None)
    if operator is None:
        return None
    return Ports(operator, values[f"{side}_port"], values[f"{side}_port"])


def checked(line: AccessLine) -> AccessLine:
    """The line, if its ranges of ports are none that ends before it begins."""
    for ports in (line.ports, line.destination_ports):
        if ports and ports.high < ports.low:
            raise Rejected(f"% The range of ports {ports.low} to {ports.high} ends before it begins")
    return line
