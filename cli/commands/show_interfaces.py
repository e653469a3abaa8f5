"""``show interfaces``, ``show ip interface [brief]``, ``show ip route``, ``show arp``."""

from cli import render_interfaces
from cli.commands.show import shown
from cli.grammar import Either, Optional, Values
from cli.router import CommandRefused, Router
from cli.tokens import InterfaceName, Keyword
from cli.tree import Command, Shows
from snat.status import InterfaceStatus

IP = Keyword(text="ip", help="IPv4")

_ONE = InterfaceName(
    key="interface",
    help="One interface",
    candidates=lambda configuration: [one.name for one in configuration.interfaces],
)
_INTERFACE = Keyword(text="interface", help="Addresses of interfaces, and what is done to packets there")
_ARP = Keyword(text="arp", help="Who has which address")


def _read(router: Router, values: Values) -> tuple[InterfaceStatus, ...]:
    """All interfaces, or the one that was asked for."""
    found, name = router.network.interfaces(), values.get("interface")
    chosen = tuple(one for one in found if name in (None, one.name))
    if not chosen:
        raise CommandRefused(f"there is no interface {name}; there are: {', '.join(o.name for o in found)}")
    return chosen


ANYBODY: tuple[Command, ...] = (
    Shows(
        pattern=shown(Keyword(text="interfaces", help="Links and their counters"), Optional(_ONE)),
        read=_read,
        render=lambda statuses, _values: render_interfaces.interfaces(statuses),
    ),
    Shows(
        pattern=shown(IP, _INTERFACE, Optional(_ONE)),
        read=_read,
        render=lambda statuses, _values: render_interfaces.ip_interfaces(statuses),
    ),
    Shows(
        pattern=shown(
            IP,
            _INTERFACE,
            Either(
                (Keyword(text="brief", help="One line an interface"),),
                (_ONE, Keyword(text="brief", help="In one line")),
            ),
        ),
        read=_read,
        render=lambda statuses, _values: render_interfaces.brief(statuses),
    ),
    Shows(
        pattern=shown(IP, Keyword(text="route", help="Connected and static routes")),
        read=lambda router, _values: router.network.routes(),
        render=lambda statuses, _values: render_interfaces.routes(statuses),
    ),
    *(
        Shows(
            pattern=shown(*before, _ARP),
            read=lambda router, _values: router.network.arp(),
            render=lambda statuses, _values: render_interfaces.arp(statuses),
        )
        for before in ((), (IP,))
    ),
)
"""Without privilege."""
