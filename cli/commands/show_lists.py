"""``show access-lists``, ``show ip access-lists`` and ``show route-map`` (ios-cli.md 4.5)."""

from collections.abc import Iterator

from cli import render_lists
from cli.commands.list_edit import shown_order
from cli.commands.names import ACCESS_LIST, ROUTE_MAP
from cli.commands.show import shown
from cli.grammar import Optional, Pattern, Values
from cli.router import Router
from cli.tokens import Keyword
from cli.tree import Command, Shows
from snat.config.model import AccessList, RouteMap


def _lists(router: Router, values: Values) -> tuple[AccessList, ...]:
    lists = router.running_configuration().access_lists
    return tuple(sorted((one for one in lists if values.get("list") in (None, one.name)), key=shown_order))


def _maps(router: Router, values: Values) -> tuple[RouteMap, ...]:
    maps = router.running_configuration().route_maps
    return tuple(one for one in maps if values.get("route_map") in (None, one.name))


def _render_lists(lists: tuple[AccessList, ...], _values: Values) -> Iterator[str]:
    return render_lists.access_lists(lists)


def _access_lists(*before: Keyword) -> Shows:
    words: Pattern = (*before, Keyword(text="access-lists", help="Access lists with their lines"))
    return Shows(pattern=shown(*words, Optional(ACCESS_LIST)), read=_lists, render=_render_lists)


ANYBODY: tuple[Command, ...] = (
    _access_lists(),
    _access_lists(Keyword(text="ip", help="Internet Protocol")),
    Shows(
        pattern=shown(Keyword(text="route-map", help="Route-maps with their entries"), Optional(ROUTE_MAP)),
        read=_maps,
        render=lambda maps, _values: render_lists.route_maps(maps),
    ),
)
