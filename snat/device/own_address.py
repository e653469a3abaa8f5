"""ICMP errors of our own: whom they are from for inside hosts, and who gets none."""

from snat.config.model import Configuration, Side


def inside_address(configuration: Configuration) -> bytes | None:
    """4 bytes: the first virtual address, which stays when the router does not, or that of an interface."""
    for group in configuration.groups:
        for one in group.virtual_addresses:
            return one.address.packed
    for interface in configuration.interfaces:
        if interface.side is Side.INSIDE and interface.addresses:
            return interface.addresses[0].address.ip.packed
    return None


def silent_sides(configuration: Configuration) -> frozenset[bool]:
    """The sides that get no ICMP errors of ours: those with an interface that says so.

    By which of several interfaces a packet came is not known behind the TUN of their side.
    """
    return frozenset(
        interface.side is Side.OUTSIDE
        for interface in configuration.interfaces
        if interface.side is not None and not interface.unreachables
    )
