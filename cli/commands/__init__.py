"""The commands by subject, and the tree they make."""

from cli import modes
from cli.commands import clear, configuration, session, show
from cli.tree import Tree

TREE = Tree(
    {
        modes.USER: (*show.ANYBODY, *session.USER),
        modes.PRIVILEGED: (*show.ANYBODY, *show.PRIVILEGED, *clear.PRIVILEGED, *session.PRIVILEGED),
        **configuration.MODES,
    }
)
"""Every command that the shell and the configuration file know."""
