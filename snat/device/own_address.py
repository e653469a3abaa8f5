"""The address that inside hosts know this router by, if its configuration tells one."""

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
