"""Every configuration command by mode, and the text of a configuration."""

from collections.abc import Iterator, Mapping, Sequence

from cli.commands import (
    access_list,
    asymmetric,
    banner,
    interface,
    line,
    logging,
    named_list,
    pki,
    pool,
    replication,
    route_map,
    routes,
    rules,
    services,
    session,
    snat,
    standby,
    static,
    system,
    timeouts,
)
from cli.modes import (
    BACKUP,
    CONFIG,
    EXTENDED_LIST,
    INTERFACE,
    LINE,
    PEERS,
    POOL,
    PRIMARY,
    REDUNDANCY,
    ROUTE_MAP,
    STANDARD_LIST,
    STATEFUL,
    SUBINTERFACE,
    TRUSTPOINT,
)
from cli.session import Mode, Place
from cli.tree import Command, lines_below
from snat.config.model import Configuration

_IN_GROUP = (*snat.TIMERS, *replication.IN_GROUP, *asymmetric.IN_ANY, *session.CONFIGURATION)
_IN_INTERFACE = (
    *interface.IN_INTERFACE,
    *standby.IN_INTERFACE,
    *interface.SHUTDOWN,
    *session.CONFIGURATION,
)

MODES: Mapping[Mode, Sequence[Command]] = {
    # The order of these commands is that of the running configuration.
    CONFIG: (
        *logging.SERVICES,
        *system.COMMANDS,
        *logging.PLACES,
        *pki.COMMANDS,
        *routes.TRACK,
        *snat.COMMANDS,
        *interface.COMMANDS,
        *timeouts.COMMANDS,
        *services.COMMANDS,
        *pool.COMMANDS,
        *static.COMMANDS,
        *rules.COMMANDS,
        *routes.ROUTES,
        *named_list.COMMANDS,
        *access_list.COMMANDS,
        *logging.HOSTS,
        *route_map.COMMANDS,
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
    INTERFACE: _IN_INTERFACE,
    SUBINTERFACE: _IN_INTERFACE,
    STANDARD_LIST: (*named_list.IN_STANDARD_LIST, *session.CONFIGURATION),
    EXTENDED_LIST: (*named_list.IN_EXTENDED_LIST, *session.CONFIGURATION),
    ROUTE_MAP: (*route_map.IN_ROUTE_MAP, *session.CONFIGURATION),
    LINE: (*line.IN_LINE, *session.CONFIGURATION),
}


def configuration_lines(configuration: Configuration, *, hidden: bool = False) -> Iterator[str]:
    """The running configuration, line by line, without line ends. A file with these lines means the same.

    With ``hidden`` also the lines that are in force by default.
    """
    yield from lines_below(MODES, configuration, Place(CONFIG), hidden=hidden)
    yield "end"
