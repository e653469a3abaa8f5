"""What can be configured and is not carried out by this version yet: refused, never ignored.

Each line here goes with the issue that builds the thing.
"""

from collections.abc import Iterator

from snat.config.model import Configuration, ConfiguredRole
from snat.config.problem import Problem


def unbuilt_roles(configuration: Configuration) -> Iterator[Problem]:
    """Blocks and lines of ``ip nat Stateful id`` that this version has no roles for."""
    for group in configuration.stateful.groups if configuration.stateful else ():
        if group.role is ConfiguredRole.REDUNDANCY:
            yield _not_yet("follow the role of an HSRP group", f"redundancy {group.name}", _BLOCKS)
        elif group.role is ConfiguredRole.PEERS:
            yield _not_yet("share a table among peers", f"peers {group.name}".rstrip(), _BLOCKS)
        if group.udp:
            yield _not_yet("speak UDP to neighbors", "protocol   udp", "leave it out: links are TLS over TCP")
        if group.defer:
            yield _not_yet("hold packets back", "defer", "leave it out")


_BLOCKS = "use primary and backup blocks"


def _not_yet(what: str, where: str, remedy: str) -> Problem:
    return Problem(what=f"this version does not {what} yet", where=where, remedy=remedy)
