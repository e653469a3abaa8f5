"""``show ip snat ...`` (ios-cli.md 2.1)."""

from collections.abc import Iterator

from cli import render_snat
from cli.commands.clear import PEER
from cli.commands.show import shown
from cli.commands.snat import IP_SNAT
from cli.grammar import Optional, Values
from cli.router import Router
from cli.tokens import Keyword
from cli.tree import Command, Rejected, Shows
from snat.device.selection import Selection
from snat.device.status import Translation


def _read_peer(router: Router, values: Values) -> Iterator[Translation | None]:
    peers = [peer for group in router.running_configuration().groups for peer in group.peers]
    nat_id = next((peer.nat_id for peer in peers if peer.address == values["address"]), None)
    if nat_id is None:
        known = ", ".join(str(peer.address) for peer in peers) or "none"
        raise Rejected(f"% No peer has the address {values['address']}; configured: {known}")
    return router.nat.translations(Selection(nat_id=nat_id))


ANYBODY: tuple[Command, ...] = (
    Shows(
        pattern=shown(
            *IP_SNAT,
            Optional(
                Keyword(text="distributed", help="Redundancy groups, neighbors and feeds"),
                Optional(Keyword(text="verbose", key="verbose", help="Every link with its counters")),
            ),
        ),
        read=lambda router, _values: router.distributed(),
        render=lambda groups, values: render_snat.distributed(groups, verbose="verbose" in values),
    ),
    Shows(
        pattern=shown(*IP_SNAT, Keyword(text="peer", help="Entries that a peer made"), PEER),
        read=_read_peer,
        render=lambda rows, values: render_snat.created_by(values["address"], rows),
    ),
)
"""Without privilege."""
