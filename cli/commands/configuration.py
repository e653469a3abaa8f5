"""Every configuration command by mode, and the text of a configuration."""

from collections.abc import Iterator, Mapping, Sequence

from cli.commands import (
    access_list,
    asymmetric,
    banner,
    interface,
    line,
    logging,
    pki,
    pool,
    replication,
    rules,
    services,
    session,
    snat,
    static,
    system,
    timeouts,
)
from cli.modes import (
    BACKUP,
    CONFIG,
    INTERFACE,
    LINE,
    PEERS,
    POOL,
    PRIMARY,
    REDUNDANCY,
    STATEFUL,
    TRUSTPOINT,
)
from cli.session import Mode, Place
from cli.tree import Command, lines_below
from snat.config.model import Configuration

_IN_GROUP = (*snat.TIMERS, *replication.IN_GROUP, *asymmetric.IN_ANY, *session.CONFIGURATION)

MODES: Mapping[Mode, Sequence[Command]] = {
    # The order of these commands is that of the running configuration.
    CONFIG: (
        *logging.SERVICES,
        *system.COMMANDS,
        *logging.PLACES,
        *pki.COMMANDS,
        *snat.COMMANDS,
        *interface.COMMANDS,
        *timeouts.COMMANDS,
        *services.COMMANDS,
        *pool.COMMANDS,
        *static.COMMANDS,
        *rules.COMMANDS,
        *access_list.COMMANDS,
        *logging.HOSTS,
        *banner.COMMANDS,
        *line.COMMANDS,
        *session.CONFIGURATION,
    ),
    POOL: (*pool.IN_POOL, *session.CONFIGURATION),
    TRUSTPOINT: (*pki.IN_TRUSTPOINT, *session.CONFIGURATION),
    STATEFUL: (*snat.IN_STATEFUL, *session.CONFIGURATION),
    PRIMARY: (*snat.IN_GROUP, *snat.IN_ADDRESSED, *_IN_GROUP),
    BACKUP: (*snat.IN_GROUP, *snat.IN_ADDRESSED, *_IN_GROUP),
    REDUNDANCY: (*snat.IN_GROUP, *asymmetric.IN_NAMED, *asymmetric.IN_REDUNDANCY, *_IN_GROUP),
    PEERS: (*snat.IN_GROUP, *asymmetric.IN_NAMED, *asymmetric.IN_PEERS, *_IN_GROUP),
    INTERFACE: (*interface.IN_INTERFACE, *session.CONFIGURATION),
    LINE: (*line.IN_LINE, *session.CONFIGURATION),
}


def configuration_lines(configuration: Configuration, *, hidden: bool = False) -> Iterator[str]:
    """The running configuration, line by line, without line ends. A file with these lines means the same.

    With ``hidden`` also the lines that are in force by default.
    """
    yield from lines_below(MODES, configuration, Place(CONFIG), hidden=hidden)
    yield "end"
