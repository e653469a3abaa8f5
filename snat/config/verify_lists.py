"""Checks of what names access lists and route-maps, over a whole configuration."""

from collections.abc import Iterator

from snat.config import lines
from snat.config.model import Configuration, RouteMapEntry
from snat.config.problem import Problem


def verify_lists(configuration: Configuration) -> Iterator[Problem]:
    """Every list and route-map that is named and is not there."""
    lists = {one.name for one in configuration.access_lists}
    for route_map in configuration.route_maps:
        for entry in route_map.entries:
            for name in entry.lists:
                if name not in lists:
                    where = entry_line(route_map.name, entry)
                    yield _missing(where, f"there is no access list {name}", f"add ip access-list {name}")
    route_maps = {one.name for one in configuration.route_maps}
    rules = [(rule.route_map, lines.dynamic(rule)) for rule in configuration.dynamic_rules]
    rules += [(rule.route_map, lines.static(rule)) for rule in configuration.static_rules]
    for name, where in rules:
        if name and name not in route_maps:
            yield _missing(where, f"there is no route-map {name}", f"add route-map {name}")


def entry_line(name: str, entry: RouteMapEntry) -> str:
    """``route-map NAME permit 10``."""
    return f"route-map {name} {'permit' if entry.permit else 'deny'} {entry.sequence}"


def _missing(where: str, what: str, remedy: str) -> Problem:
    return Problem(what=what, where=where, remedy=remedy, missing=True)
