"""Tokens for the names of things that are configured elsewhere, with those there are for completion."""

import re

from cli.tokens import InterfaceName, Word

STANDARD = ((1, 99), (1300, 1999))
"""Numbers of standard access lists."""
EXTENDED = ((100, 199), (2000, 2699))
"""Numbers of extended ones."""
NAME = r"[A-Za-z][!-~]{0,63}"
"""Of an access list or a route-map."""


class ListName(Word):
    """An access list, by number or name."""

    def read(self, word: str) -> str:
        """The name; numbers without leading zeros."""
        if not re.fullmatch(r"[0-9]{1,4}", word):
            return Word.read(self, word)
        if not any(low <= int(word) <= high for low, high in STANDARD + EXTENDED):
            raise ValueError(f"{word} is not the number of a list: 1-199 or 1300-2699")
        return str(int(word))


ACCESS_LIST = ListName(
    key="list",
    shape=NAME,
    what="an access list: 1-199, 1300-2699, or a name that begins with a letter",
    help="Access list: <1-199>, <1300-2699> or its name",
    candidates=lambda configuration: [one.name for one in configuration.access_lists],
)
ROUTE_MAP = Word(
    key="route_map",
    shape=NAME,
    what="the name of a route-map",
    help="Name of the route-map",
    candidates=lambda configuration: [one.name for one in configuration.route_maps],
)
POOL = Word(
    key="pool",
    help="Name of the pool",
    candidates=lambda configuration: [pool.name for pool in configuration.pools],
)
INTERFACE = InterfaceName(
    key="interface",
    help="Name of the interface",
    candidates=lambda configuration: [one.name for one in configuration.interfaces],
)
