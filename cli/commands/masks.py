"""Masks as IOS answers for them: ``Bad mask /24 for address 10.0.0.0`` (ios-cli.md 3)."""

from ipaddress import IPv4Address, IPv4Interface

from cli.tree import Rejected


def prefix_length(address: IPv4Address, mask: IPv4Address) -> int:
    """The length of a prefix, 0-32. Raises :class:`Rejected` for a mask whose ones do not lead."""
    ones = f"{int(mask):032b}"
    if "01" in ones:
        raise Rejected(f"% Bad mask 0x{int(mask):X} for address {address}")
    return ones.count("1")


def host_address(address: IPv4Address, mask: IPv4Address) -> IPv4Interface:
    """An address that an interface can have. Raises :class:`Rejected` for one that is the network's."""
    if address.is_loopback:
        raise Rejected(f"% Not a valid host address - {address}")
    length = prefix_length(address, mask)
    interface = IPv4Interface((address, length))
    network = interface.network
    if length == 0 or (length < 31 and address in (network.network_address, network.broadcast_address)):
        raise Rejected(f"% Bad mask /{length} for address {address}")
    return interface
