"""``hostname``."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cli.grammar import Tail, Values
from cli.tokens import Keyword, Word
from cli.tree import Command, Configures
from snat.config.model import Configuration


def _stored(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    yield {"hostname": configuration.hostname}


def _set(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    return replace(configuration, hostname=values["hostname"])


def _unset(configuration: Configuration, _subject: Any, _values: Values) -> Configuration:
    return replace(configuration, hostname=Configuration().hostname)


COMMANDS: tuple[Command, ...] = (
    Configures(
        pattern=(
            Keyword(text="hostname", help="Set the name of this router"),
            Tail(
                Word(
                    key="hostname",
                    help="Letters, digits and hyphens",
                    shape=r"[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?",
                    what="a host name: a letter, then letters, digits, hyphens, at most 63",
                )
            ),
        ),
        stored=_stored,
        set=_set,
        unset=_unset,
        separated=True,
    ),
)
