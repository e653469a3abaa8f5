"""Every configuration command by mode, and the text of a configuration."""

from collections.abc import Iterator, Mapping, Sequence

from cli.commands import (
    access_list,
    banner,
    interface,
    line,
    pki,
    replication,
    session,
    snat,
    system,
    translation,
)
from cli.modes import BACKUP, CONFIG, INTERFACE, LINE, PRIMARY, STATEFUL, TRUSTPOINT
from cli.session import Mode, Place
from cli.tree import Command, lines_below
from snat.config.model import Configuration

MODES: Mapping[Mode, Sequence[Command]] = {
    # The order of these commands is that of the running configuration.
    CONFIG: (
        *system.COMMANDS,
        *pki.COMMANDS,
        *snat.COMMANDS,
        *interface.COMMANDS,
        *translation.COMMANDS,
        *access_list.COMMANDS,
        *banner.COMMANDS,
        *line.COMMANDS,
        *session.CONFIGURATION,
    ),
    TRUSTPOINT: (*pki.IN_TRUSTPOINT, *session.CONFIGURATION),
    STATEFUL: (*snat.IN_STATEFUL, *session.CONFIGURATION),
    PRIMARY: (*snat.IN_GROUP, *replication.IN_GROUP, *session.CONFIGURATION),
    BACKUP: (*snat.IN_GROUP, *replication.IN_GROUP, *session.CONFIGURATION),
    INTERFACE: (*interface.IN_INTERFACE, *session.CONFIGURATION),
    LINE: (*line.IN_LINE, *session.CONFIGURATION),
}


def configuration_lines(configuration: Configuration, *, hidden: bool = False) -> Iterator[str]:
    """The running configuration, line by line, without line ends. A file with these lines means the same.

    With ``hidden`` also the lines that are in force by default.
    """
    yield from lines_below(MODES, configuration, Place(CONFIG), hidden=hidden)
    yield "end"
