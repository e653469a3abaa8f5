"""What a daemon's shell says, asked by the control socket itself: a hundred questions a second."""

import json
from typing import Any

from cli.terminal.client import Connection
from tests.system.daemons import Daemon, rows_by_subject


def asked(daemon: Daemon, command: str) -> Any:
    """The answer to a ``show`` command. Raises ControlError while the daemon does not answer."""
    connection = Connection(str(daemon.control))
    try:
        said = connection.run(f"{command} | json")
        return json.loads("".join(part for part in said if isinstance(part, str)))
    finally:
        connection.close()


def counter(daemon: Daemon, name: str) -> int:
    """A counter, by its subject and name."""
    subject, _, of = name.partition(" ")
    return rows_by_subject(asked(daemon, "show ip nat statistics"))[subject][of]


def group_of(daemon: Daemon) -> Any:
    """Its one redundancy group."""
    (group,) = asked(daemon, "show ip snat distributed")
    return group


def table(daemon: Daemon) -> Any:
    """Its NAT table."""
    return asked(daemon, "show ip nat translations")
