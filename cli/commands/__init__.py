"""The commands by subject, and the tree they make."""

from cli import modes
from cli.commands import clear, configuration, configuring, files, session, show, show_system
from cli.tree import Tree

TREE = Tree(
    {
        modes.USER: (*show.ANYBODY, *show_system.ANYBODY, *session.USER),
        modes.PRIVILEGED: (
            *show.ANYBODY,
            *show_system.ANYBODY,
            *show_system.PRIVILEGED,
            *clear.PRIVILEGED,
            *configuring.PRIVILEGED,
            *files.PRIVILEGED,
            *session.PRIVILEGED,
        ),
        **configuration.MODES,
    }
)
"""Every command that the shell and the configuration file know."""
