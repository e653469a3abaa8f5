"""``show standby`` (ios-cli.md 2.3)."""

from collections.abc import Iterator

from cli import render_standby
from cli.commands.names import INTERFACE
from cli.commands.show import shown
from cli.grammar import Either, Optional, Values
from cli.router import Router
from cli.tokens import Keyword, Number
from cli.tree import Command, Shows
from snat.config.interface import Standby
from snat.status import StandbyStatus

STANDBY = Keyword(text="standby", help="HSRP groups")
HIGHEST_GROUP = 4095

_INTERFACE = Optional(
    INTERFACE,
    Optional(Number(key="group", low=0, high=HIGHEST_GROUP, help="One group")),
)


def _read(router: Router, values: Values) -> tuple[StandbyStatus, ...]:
    """The groups that were asked for. Plain ``show standby`` has all but disabled ones, as IOS."""
    return tuple(
        one
        for one in router.standby()
        if values.get("interface") in (None, one.interface)
        and values.get("group") in (None, one.group.number)
        and ("all" in values or one.state != "Disabled")
    )


def _delays(router: Router, _values: Values) -> tuple[tuple[str, Standby], ...]:
    interfaces = router.running_configuration().interfaces
    return tuple((one.name, one.standby) for one in interfaces if one.standby.groups)


def _brief(statuses: tuple[StandbyStatus, ...], _values: Values) -> Iterator[str]:
    return render_standby.brief(statuses)


ANYBODY: tuple[Command, ...] = (
    Shows(
        pattern=shown(
            STANDBY,
            Either(
                (Keyword(text="all", key="all", help="Disabled groups too"),),
                (_INTERFACE,),
            ),
        ),
        read=_read,
        render=lambda statuses, _values: render_standby.groups(statuses),
    ),
    Shows(pattern=shown(STANDBY, Keyword(text="brief", help="One line a group")), read=_read, render=_brief),
    Shows(
        pattern=shown(STANDBY, Keyword(text="delay", help="How long groups wait after a start")),
        read=_delays,
        render=lambda interfaces, _values: render_standby.delays(interfaces),
    ),
)
