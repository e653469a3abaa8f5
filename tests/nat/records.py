"""Records for tests, by the few fields that matter to one."""

from ipaddress import IPv4Address

from snat.nat.entry import NEVER, Entry, Flag, State, TimeoutClass

MAPPING = 10


def packed(address: str) -> bytes:
    return IPv4Address(address).packed


def record(
    number: int = 1,
    *,
    nat_id: int = 1,
    mapping_id: int = MAPPING,
    protocol: int = 17,
    inside_local: tuple[str, int] = ("10.0.0.2", 5000),
    inside_global: tuple[str, int] = ("203.0.113.1", 5000),
    outside: tuple[str, int] = ("198.51.100.10", 53),
    outside_local: tuple[str, int] | None = None,
    state: int = State.OPEN,
    timeout_class: int = TimeoutClass.UDP,
    context: bytes = b"",
    remaining: int = NEVER,
) -> bytes:
    """An entry of an inside host's flow; outside local and global are the same unless told."""
    near = outside_local or outside
    return Entry(
        nat_id,
        number,
        mapping_id,
        packed(inside_local[0]),
        inside_local[1],
        protocol,
        packed(inside_global[0]),
        inside_global[1],
        packed(near[0]),
        near[1],
        packed(outside[0]),
        outside[1],
        Flag.EXTENDED,
        state,
        timeout_class,
        context,
        remaining,
    ).pack()
