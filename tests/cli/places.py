"""Where a session can be, for tests of commands; and what a line does there."""

from cli.commands import TREE
from cli.commands.configuration import configuration_lines
from cli.commands.route_map import Subject
from cli.configuration_file import read_configuration
from cli.modes import (
    CONFIG,
    EXTENDED_LIST,
    INTERFACE,
    PRIVILEGED,
    ROUTE_MAP,
    STANDARD_LIST,
    SUBINTERFACE,
)
from cli.session import Path, Place
from snat.config.model import Configuration

CONFIGURING: Path = (Place(PRIVILEGED), Place(CONFIG))
PLACES: dict[str, Path] = {
    "exec": (Place(PRIVILEGED),),
    "config": CONFIGURING,
    "interface": (*CONFIGURING, Place(INTERFACE, "in0")),
    "subinterface": (*CONFIGURING, Place(SUBINTERFACE, "in0.5")),
    "standard": (*CONFIGURING, Place(STANDARD_LIST, "WEB")),
    "extended": (*CONFIGURING, Place(EXTENDED_LIST, "OUT")),
    "route-map": (*CONFIGURING, Place(ROUTE_MAP, Subject("RM", 10))),
}


def made(text: str) -> Configuration:
    """The configuration of a text that has no bad line; what verification says is not looked at."""
    read, problems = read_configuration(text, "test")
    assert [one for one in problems if "this version does not" not in one.reason and one.line] == []
    return read


def edited(place: str, line: str, configuration: Configuration) -> Configuration:
    """The configuration after a line that is typed in a place."""
    return TREE.edit(TREE.match(PLACES[place], line), configuration)


def section(configuration: Configuration, *begin: str) -> list[str]:
    """The lines of the running configuration that begin so, and those that stand below them."""
    lines: list[str] = []
    taken = False
    for line in configuration_lines(configuration):
        taken = line.startswith(begin) or (taken and line.startswith(" "))
        if taken:
            lines.append(line)
    return lines
