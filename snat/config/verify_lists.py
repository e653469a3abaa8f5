"""Checks of the access lists that route-maps name, over a whole configuration."""

from collections.abc import Iterator

from snat.config.model import Configuration, RouteMapEntry
from snat.config.problem import Problem


def verify_lists(configuration: Configuration) -> Iterator[Problem]:
    """Every list that is named and is not there."""
    lists = {one.name for one in configuration.access_lists}
    for route_map in configuration.route_maps:
        for entry in route_map.entries:
            for name in entry.lists:
                if name not in lists:
                    where = entry_line(route_map.name, entry)
                    what, remedy = f"there is no access list {name}", f"add ip access-list {name}"
                    yield Problem(what=what, where=where, remedy=remedy, missing=True)


def entry_line(name: str, entry: RouteMapEntry) -> str:
    """``route-map NAME permit 10``."""
    return f"route-map {name} {'permit' if entry.permit else 'deny'} {entry.sequence}"
