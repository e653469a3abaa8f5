"""``show interfaces``, ``show ip interface``, ``show ip route`` and ``show arp`` (ios-cli.md 4.2, 4.5).

The layouts are those that parsers know. What Linux does not count or measure has no line, or is 0 in a line
that parsers want whole: no delay is configured, and an interface has no input queue of its own.
"""

from collections.abc import Iterable, Iterator

from cli.render_standby import dotted
from snat.status import ArpStatus, InterfaceStatus, RouteStatus

_KILOBITS = 1000
_DUPLEX = {True: "Full-duplex", False: "Half-duplex"}


def interfaces(shown: Iterable[InterfaceStatus]) -> Iterator[str]:
    """``show interfaces``: each with its link and its counters; no blank line between them."""
    for one in shown:
        yield _heading(one)
        yield from _link(one)
        yield from _counted(one)


def ip_interfaces(shown: Iterable[InterfaceStatus]) -> Iterator[str]:
    """``show ip interface``: each with all its addresses, and what is done to packets there."""
    for one in shown:
        yield _heading(one)
        if not one.addresses:
            yield "  Internet protocol processing disabled"
            continue
        for number, held in enumerate(one.addresses):
            yield f"  {'Secondary' if number else 'Internet'} address {'' if number else 'is '}{held.address}"
        yield f"  MTU is {one.mtu} bytes"
        translated = f"enabled, interface in domain {one.side}" if one.side else "disabled"
        yield f"  Network address translation is {translated}"
        if one.adjust_mss:
            yield f"  TCP Adjust MSS is {one.adjust_mss} bytes"


def brief(shown: Iterable[InterfaceStatus]) -> Iterator[str]:
    """``show ip interface brief``: one line each. Method ``other``: the address was not set here."""
    yield f"{'Interface':<26} {'IP-Address':<15} OK? {'Method':<6} {'Status':<21} Protocol"
    for one in shown:
        address, method = "unassigned", "unset"
        if one.addresses:
            address = str(one.addresses[0].address.ip)
            method = "manual" if one.addresses[0].configured else "other"
        line = f"{one.name:<26} {address:<15} YES {method:<6} {_status(one):<21} {_protocol(one):<8}"
        yield line


def routes(shown: Iterable[RouteStatus]) -> Iterator[str]:
    """``show ip route``: connected and static ones, each with its mask."""
    listed = tuple(shown)
    yield "Codes: C - connected, S - static, * - candidate default"
    yield ""
    last = next((one for one in listed if not one.prefix.prefixlen and one.hops), None)
    gateway = last.hops[0].gateway or last.hops[0].interface if last else None
    yield f"Gateway of last resort is {f'{gateway} to network 0.0.0.0' if gateway else 'not set'}"
    yield ""
    for one in listed:
        yield from _route(one)


def arp(shown: Iterable[ArpStatus]) -> Iterator[str]:
    """``show arp``: a dash for the age of an address of this router."""
    yield "Protocol  Address          Age (min)  Hardware Addr   Type   Interface"
    for one in shown:
        age = "-" if one.minutes is None else str(one.minutes)
        mac = dotted(one.mac_address) if one.mac_address else "Incomplete"
        yield f"Internet  {one.address!s:<15} {age:>9}   {mac:<14}  ARPA   {one.interface}"


def _heading(one: InterfaceStatus) -> str:
    return f"{one.name} is {_status(one)}, line protocol is {_protocol(one)}"


def _status(one: InterfaceStatus) -> str:
    return "administratively down" if not one.up else _protocol(one)


def _protocol(one: InterfaceStatus) -> str:
    return "up" if one.line_protocol else "down"


def _link(one: InterfaceStatus) -> Iterator[str]:
    mac = dotted(one.mac_address)
    yield f"  Hardware is {one.hardware}" + (f", address is {mac} (bia {mac})" if mac else "")
    if one.description:
        yield f"  Description: {one.description}"
    if one.addresses:
        yield f"  Internet address is {one.addresses[0].address}"
    yield f"  MTU {one.mtu} bytes, BW {(one.megabits or 0) * _KILOBITS} Kbit/sec, DLY 0 usec, "
    yield f"  Encapsulation {'ARPA' if one.mac_address else one.hardware.upper()}, loopback not set"
    if one.full_duplex is not None and one.megabits is not None:
        yield f"  {_DUPLEX[one.full_duplex]}, {one.megabits}Mb/s"


def _counted(one: InterfaceStatus) -> Iterator[str]:
    count = one.counters
    yield (
        f"  Input queue: 0/0/{count.drops_in}/0 (size/max/drops/flushes); "
        f"Total output drops: {count.drops_out}"
    )
    yield f"     {count.packets_in} packets input, {count.bytes_in} bytes, {count.missed} no buffer"
    yield f"     Received {count.multicast_in} IP multicasts"
    yield (
        f"     {count.errors_in} input errors, {count.crc} CRC, {count.frame} frame, "
        f"{count.overrun} overrun, 0 ignored"
    )
    yield f"     {count.packets_out} packets output, {count.bytes_out} bytes, {count.underruns} underruns"
    yield (
        f"     {count.errors_out} output errors, {count.collisions} collisions, "
        f"{count.resets} interface resets"
    )
    yield f"     {count.lost_carrier} lost carrier"


def _route(one: RouteStatus) -> Iterator[str]:
    code = f"{'C' if one.connected else 'S'}{' ' if one.prefix.prefixlen else '*'}"
    begin = f"{code:<6}   {one.prefix}" if one.prefix.prefixlen else f"{code:<6}{one.prefix}"
    for number, hop in enumerate(one.hops):
        if hop.gateway is None:
            yield f"{begin} is directly connected, {hop.interface}"
        else:
            head = f"{' ' * len(begin)}" if number else begin
            yield f"{head} [{one.distance}/{one.metric}] via {hop.gateway}, {hop.interface}"
