"""The words by which entries of the NAT table are chosen, and what they mean (ios-cli.md 2.2)."""

from cli.grammar import Either, Element, Optional, Pattern, Values
from cli.render_nat import PROTOCOLS
from cli.tokens import HostAddress, Keyword, Number
from snat.device.selection import Place

_HELP = {"icmp": "ICMP queries", "tcp": "TCP", "udp": "UDP", "gre": "GRE", "esp": "ESP"}
WITH_PORTS = ("icmp", "tcp", "udp")
"""Protocols whose endpoints have ports, or identifiers in their place."""


def protocol_words(*names: str) -> Either:
    """One of some protocols."""
    return Either(*((Keyword(text=name, key=name, help=_HELP[name]),) for name in names))


def protocol(values: Values) -> int | None:
    """The number of the protocol that was named."""
    return next((number for name, number in PROTOCOLS.items() if name in values), None)


def place_words(key: str, help_text: str, *, port: bool) -> tuple[Element, ...]:
    """An address, perhaps followed by a port."""
    number = Number(key=f"{key}_port", low=0, high=65535, help="Port, or identifier of an ICMP query")
    address = HostAddress(key=key, help=help_text)
    return (address, Optional(number)) if port else (address,)


def place(values: Values, key: str) -> Place | None:
    """What :func:`place_words` said."""
    return Place(values[key], values.get(f"{key}_port")) if key in values else None


def inside_words(*, port: bool) -> Pattern:
    """``inside GLOBAL [PORT] LOCAL [PORT]``."""
    return (
        Keyword(text="inside", help="By the endpoint of an inside host"),
        *place_words("inside_global", "Its global address", port=port),
        *place_words("inside_local", "Its local address", port=port),
    )


def outside_words(*, port: bool) -> Pattern:
    """``outside LOCAL [PORT] GLOBAL [PORT]``."""
    return (
        Keyword(text="outside", help="By the endpoint of an outside host"),
        *place_words("outside_local", "Its local address", port=port),
        *place_words("outside_global", "Its global address", port=port),
    )
