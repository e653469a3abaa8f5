"""Access lists, route-maps, interfaces with HSRP groups, and routes, as the shell can have made them."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

from hypothesis import strategies as st

from snat.config.model import (
    AccessLine,
    AccessList,
    Authentication,
    AuthenticationKind,
    Interface,
    InterfaceAddress,
    ListKind,
    Ports,
    RouteMap,
    RouteMapEntry,
    Side,
    Standby,
    StandbyGroup,
    StaticRoute,
    Track,
    TrackedObject,
)

EVERY_BIT = 0xFFFFFFFF
BITS = st.integers(0, EVERY_BIT)
WORDS = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,12}", fullmatch=True)
TEXTS = st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,6}(\.[0-9]{1,3})?", fullmatch=True)
"""Of interfaces."""
HOSTS = st.integers(0x01000000, 0x7EFFFFFF).map(IPv4Address)

# --- access lists

PORT = st.integers(0, 65535)
PORTS = st.none() | st.one_of(
    st.tuples(st.sampled_from(["eq", "neq", "lt", "gt"]), PORT).map(lambda said: Ports(*said, said[1])),
    st.tuples(PORT, PORT).map(lambda ends: Ports("range", min(ends), max(ends))),
)


@st.composite
def ends(draw: st.DrawFn) -> tuple[IPv4Address, IPv4Address]:
    """An address, with the bits cleared that its wildcard does not compare."""
    wildcard = draw(st.sampled_from([0, 0xFF, EVERY_BIT]) | BITS)
    return IPv4Address(draw(BITS) & ~wildcard), IPv4Address(wildcard)


@st.composite
def lines(draw: st.DrawFn, kind: ListKind) -> AccessLine:
    """A line without number and remarks."""
    address, wildcard = draw(ends())
    said: dict[str, Any] = {"permit": draw(st.booleans()), "address": address, "wildcard": wildcard}
    said["log"] = draw(st.booleans())
    if kind is ListKind.STANDARD:
        return AccessLine(**said)
    said["destination"], said["destination_wildcard"] = draw(ends())
    protocol = draw(st.none() | st.sampled_from([1, 6, 17]) | st.integers(1, 255))
    if protocol in (6, 17):
        said |= {"ports": draw(PORTS), "destination_ports": draw(PORTS)}
    if protocol == 6:
        said["established"] = draw(st.booleans())
    if protocol == 1:
        said["icmp_type"] = draw(st.none() | st.integers(0, 255))
    return AccessLine(protocol=protocol, **said)


@st.composite
def access_lists(draw: st.DrawFn) -> AccessList:
    """A list of any kind; its lines are numbered 10, 20, 30 or otherwise, with remarks here and there."""
    kind = draw(st.sampled_from(ListKind))
    ranges = ((1, 99), (1300, 1999)) if kind is ListKind.STANDARD else ((100, 199), (2000, 2699))
    name = draw(WORDS | st.one_of(*(st.integers(*one) for one in ranges)).map(str))
    said = draw(st.lists(lines(kind), max_size=4, unique=True))
    numbers = sorted(draw(st.sets(st.integers(1, 99999), min_size=len(said), max_size=len(said))))
    if draw(st.booleans()):
        numbers = [10 * place for place in range(1, len(said) + 1)]
    remarks = iter(draw(st.lists(TEXTS, max_size=6, unique=True)))
    numbered = tuple(
        AccessLine(**{field: getattr(line, field) for field in line.__slots__} | _placed(number, remarks))
        for line, number in zip(said, numbers, strict=True)
    )
    return AccessList(name=name, kind=kind, lines=numbered, remarks=tuple(remarks))


def _placed(number: int, remarks: Any) -> dict[str, Any]:
    return {"sequence": number, "remarks": tuple(text for text in [next(remarks, None)] if text)}


def list_order(access_list: AccessList) -> tuple[bool, bool, int, str]:
    """Blocks first; then standard lists first, by number, then by name."""
    regular = [line.sequence for line in access_list.lines] == [
        10 * place for place in range(1, len(access_list.lines) + 1)
    ]
    numbered = access_list.name.isdecimal()
    said = bool(access_list.lines or access_list.remarks)
    number = int(access_list.name) if numbered else 1 << 31
    return numbered and said and regular, access_list.kind is ListKind.EXTENDED, number, access_list.name


LISTS = st.lists(access_lists(), max_size=4, unique_by=lambda one: one.name).map(
    lambda made: tuple(sorted(made, key=list_order))
)

# --- route-maps

LIST_NAMES = st.sampled_from(["1", "1300", "100", "2699"]) | WORDS
ENTRIES = st.builds(
    RouteMapEntry,
    sequence=st.integers(0, 65535),
    permit=st.booleans(),
    description=st.just("") | TEXTS,
    lists=st.lists(LIST_NAMES, max_size=10, unique=True).map(tuple),
    interfaces=st.lists(NAMES, max_size=10, unique=True).map(tuple),
)
ROUTE_MAPS = st.builds(
    RouteMap,
    name=WORDS,
    entries=st.lists(ENTRIES, min_size=1, max_size=3, unique_by=lambda entry: entry.sequence).map(
        lambda entries: tuple(sorted(entries, key=lambda entry: entry.sequence))
    ),
)

# --- interfaces

HELLO = st.integers(1, 254).map(float) | st.integers(15, 999).map(lambda ms: ms / 1000)
HOLD = st.integers(1, 255).map(float) | st.integers(50, 3000).map(lambda ms: ms / 1000)
DELAY = st.just(0) | st.integers(0, 3600)
AUTHENTICATION = st.none() | st.one_of(
    st.builds(Authentication, key=st.from_regex(r"[!-~]{1,8}", fullmatch=True)),
    st.builds(
        Authentication,
        kind=st.just(AuthenticationKind.KEY_STRING),
        key=st.from_regex(r"(?![07]\Z)[!-~]{1,20}", fullmatch=True),
        timeout=st.just(0) | st.integers(1, 32767),
    ),
)
TRACKS = st.one_of(
    st.builds(Track, st.integers(1, 1000).map(str), st.just(10) | st.integers(1, 255), st.just(False)),
    st.builds(Track, st.integers(1, 1000).map(str), st.just(10), st.just(True)),
    st.builds(Track, NAMES, st.just(10) | st.integers(1, 255), st.just(False)),
)
MAC_ADDRESSES = st.binary(min_size=6, max_size=6).map(lambda mac: bytes([mac[0] & 0xFE | 2, *mac[1:]]))


@st.composite
def standby_groups(draw: st.DrawFn, number: int) -> StandbyGroup:
    """A group with lines that say something."""
    enabled = draw(st.booleans())
    preempt = draw(st.booleans())
    delays = [draw(DELAY) if preempt else 0 for _ in range(3)]
    unique = {"max_size": 2, "unique": True}
    return StandbyGroup(
        number=number,
        enabled=enabled,
        address=draw(st.none() | HOSTS) if enabled else None,
        secondary=tuple(draw(st.lists(HOSTS, **unique))) if enabled else (),  # type: ignore[arg-type]
        priority=draw(st.just(100) | st.integers(0, 255)),
        preempt=preempt,
        preempt_minimum=delays[0],
        preempt_reload=delays[1],
        preempt_sync=delays[2],
        hello=draw(st.just(3.0) | HELLO),
        hold=draw(st.just(10.0) | HOLD),
        authentication=draw(AUTHENTICATION),
        name=draw(st.just("") | WORDS),
        mac_address=draw(st.just(b"") | MAC_ADDRESSES),
        follow=draw(st.just("") | WORDS),
        tracks=tuple(draw(st.lists(TRACKS, max_size=2, unique_by=lambda track: track.target))),
    )


@st.composite
def standbys(draw: st.DrawFn) -> Standby:
    """All HSRP lines of an interface."""
    version = draw(st.sampled_from([1, 2]))
    numbers = sorted(draw(st.sets(st.integers(0, 255 if version == 1 else 4095), max_size=2)))
    groups = [draw(standby_groups(number)) for number in numbers]
    return Standby(
        version=version,
        delay_minimum=draw(st.just(1) | st.integers(0, 10000)),
        delay_reload=draw(st.just(5) | st.integers(0, 10000)),
        mac_refresh=draw(st.just(10) | st.integers(0, 255)),
        groups=tuple(group for group in groups if group != StandbyGroup(number=group.number)),
    )


@st.composite
def addresses(draw: st.DrawFn, place: int) -> tuple[InterfaceAddress, ...]:
    """A primary address, perhaps, and more of them; ``place`` keeps them apart from other interfaces'."""
    hosts = draw(st.lists(st.integers(1, 0xFFFE), max_size=3, unique=True))
    made = [IPv4Interface(((10 << 24) | (place << 16) | host, draw(st.integers(17, 32)))) for host in hosts]
    fit = [
        one
        for one in made
        if one.network.prefixlen >= 31
        or one.ip not in (one.network.network_address, one.network.broadcast_address)
    ]
    return tuple(InterfaceAddress(one, secondary=bool(number)) for number, one in enumerate(fit))


@st.composite
def interfaces(draw: st.DrawFn) -> tuple[Interface, ...]:
    """Interfaces with networks of their own."""
    names = draw(st.lists(NAMES, max_size=3, unique=True))
    return tuple(
        Interface(
            name=name,
            description=draw(st.just("") | TEXTS),
            addresses=draw(addresses(place)),
            side=draw(st.none() | st.sampled_from(Side)),
            unreachables=draw(st.booleans()),
            adjust_mss=draw(st.just(0) | st.integers(500, 1460)),
            shutdown=draw(st.none() | st.booleans()),
            standby=draw(standbys()),
        )
        for place, name in enumerate(names)
    )


# --- routes, tracked objects

TRACKED = st.lists(
    st.builds(TrackedObject, number=st.integers(1, 1000), interface=NAMES, ip_routing=st.booleans()),
    max_size=3,
    unique_by=lambda one: one.number,
).map(lambda made: tuple(sorted(made, key=lambda one: one.number)))
PREFIXES = st.builds(
    lambda address, length: IPv4Network((address, length), strict=False), BITS, st.integers(0, 32)
)


@st.composite
def routes(draw: st.DrawFn) -> StaticRoute:
    """A route by an address, by an interface or by both."""
    interface = draw(st.just("") | NAMES)
    return StaticRoute(
        prefix=draw(PREFIXES),
        interface=interface,
        next_hop=draw(HOSTS if not interface else st.none() | HOSTS),
        distance=draw(st.just(1) | st.integers(1, 255)),
        name=draw(st.just("") | WORDS),
    )


ROUTES = routes()
