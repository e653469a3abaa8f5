"""The commands by subject, and the tree they make."""

from cli import modes
from cli.commands import (
    clear,
    configuration,
    configuring,
    debugging,
    files,
    session,
    show_interfaces,
    show_lists,
    show_log,
    show_nat,
    show_snat,
    show_standby,
    show_system,
)
from cli.tree import Tree

ANYBODY = (
    *show_interfaces.ANYBODY,
    *show_lists.ANYBODY,
    *show_nat.ANYBODY,
    *show_snat.ANYBODY,
    *show_standby.ANYBODY,
    *show_system.ANYBODY,
)
"""Exec commands without privilege."""
PRIVILEGED = (
    *show_system.PRIVILEGED,
    *clear.PRIVILEGED,
    *configuring.PRIVILEGED,
    *files.PRIVILEGED,
    *show_log.PRIVILEGED,
    *debugging.PRIVILEGED,
)
"""Those with it."""

TREE = Tree(
    {
        modes.USER: (*ANYBODY, *session.USER),
        modes.PRIVILEGED: (*ANYBODY, *PRIVILEGED, *session.PRIVILEGED),
        **configuration.MODES,
    }
)
"""Every command that the shell and the configuration file know."""
