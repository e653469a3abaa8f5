"""Typed tokens: the words a command is made of, how they are read, written, offered and compared."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import IPv4Address
from typing import Any, NamedTuple

from snat.config.model import Configuration

Candidates = Callable[[Configuration], Iterable[str]]
"""Words worth offering for a token, from the configuration in force."""


class Specificity(IntEnum):
    """How much a token that fits says about a word; the highest wins."""

    LINE = 0
    WORD = 1
    ADDRESS = 2
    RANGE = 3
    PREFIX = 4
    """The beginning of a keyword."""
    KEYWORD = 5
    """A whole keyword."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One word of a command. ``read`` raises ValueError, with a reason, for a word that does not fit."""

    key: str = ""
    help: str
    candidates: Candidates | None = field(default=None, compare=False)
    default: Any = None
    """An optional group whose values are all defaults is not printed."""

    def specificity(self, _word: str) -> Specificity:
        """How specific the match of a word that fits is."""
        return Specificity.WORD

    @property
    def name(self) -> str:
        """As ``?`` prints the token: a keyword, ``<1-99>``, ``A.B.C.D``, ``WORD``."""
        return "WORD"

    def read(self, word: str) -> Any:
        """The value of a word."""
        raise NotImplementedError

    def write(self, value: Any) -> str:
        """The word of a value, as the running configuration prints it."""
        return str(value)

    def complete(self, word: str, configuration: Configuration) -> list[str]:
        """The words that begin with what was typed."""
        offered = self.candidates(configuration) if self.candidates else ()
        return [candidate for candidate in offered if candidate.startswith(word)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyword(Token):
    """A fixed word; any prefix of it fits, in either case. With a key, its value is True."""

    text: str
    padding: str = ""
    """Blanks that the running configuration prints after it."""

    def specificity(self, word: str) -> Specificity:
        """A whole keyword says more than a beginning."""
        return Specificity.KEYWORD if len(word) == len(self.text) else Specificity.PREFIX

    @property
    def name(self) -> str:
        """The keyword."""
        return self.text

    def read(self, word: str) -> bool:
        """True, for a prefix."""
        if not self.text.lower().startswith(word.lower()):
            raise ValueError(f"'{word}' is not {self.text}")
        return True

    def write(self, value: Any) -> str:  # noqa: ARG002 - a keyword has but one text
        """The keyword, padded."""
        return self.text + self.padding

    def complete(self, word: str, configuration: Configuration) -> list[str]:  # noqa: ARG002 - the same
        """The keyword, where it begins with what was typed."""
        return [self.text] if self.text.lower().startswith(word.lower()) else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsupported(Keyword):
    """A word of IOS that this router does not have: typing it is answered so, and ``?`` does not show it.

    A command that begins like a supported one has it as an optional word; what follows is not looked at.
    """

    help: str = ""

    def specificity(self, word: str) -> Specificity:
        """Its beginning makes nothing that is supported ambiguous."""
        return Specificity.KEYWORD if len(word) == len(self.text) else Specificity.WORD

    def complete(self, word: str, configuration: Configuration) -> list[str]:  # noqa: ARG002 - not offered
        """Nothing."""
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Token):
    """A decimal number in a range, both ends included."""

    low: int
    high: int

    def specificity(self, _word: str) -> Specificity:
        """A number in its range."""
        return Specificity.RANGE

    @property
    def name(self) -> str:
        """``<1-99>``."""
        return f"<{self.low}-{self.high}>"

    def read(self, word: str) -> int:
        """The number; at most ten digits are looked at."""
        if not re.fullmatch(r"[0-9]{1,10}", word):
            raise ValueError(f"'{word}' is not a number in {self.low}-{self.high}")
        if not self.low <= int(word) <= self.high:
            raise ValueError(f"{word} is not in {self.low}-{self.high}")
        return int(word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address(Token):
    """An IPv4 address."""

    def specificity(self, _word: str) -> Specificity:
        """An address."""
        return Specificity.ADDRESS

    @property
    def name(self) -> str:
        """``A.B.C.D``."""
        return "A.B.C.D"

    def read(self, word: str) -> IPv4Address:
        """The address."""
        try:
            return IPv4Address(word)
        except ValueError:
            raise ValueError(f"'{word}' is not an address A.B.C.D") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAddress(Address):
    """An IPv4 address that one host can have: not 0.x, multicast, reserved or broadcast."""

    def read(self, word: str) -> IPv4Address:
        """The address."""
        address = Address.read(self, word)
        if address.packed[0] == 0 or address.packed[0] >= 224:  # RFC 1122 3.2.1.3, RFC 5771
            raise ValueError(f"{address} is not the address of a host")
        return address


@dataclass(frozen=True, slots=True, kw_only=True)
class Netmask(Address):
    """A mask of leading ones: ``255.255.255.0``. Its value is the prefix length, 1-32."""

    def read(self, word: str) -> int:  # type: ignore[override]  # a mask is read into its length
        """The prefix length."""
        ones = f"{int(Address.read(self, word)):032b}"
        if "01" in ones or ones[0] == "0":
            raise ValueError(f"{word} is not a netmask: its ones must lead")
        return ones.count("1")

    def write(self, value: int) -> str:
        """The mask of a prefix length."""
        return str(IPv4Address((0xFFFFFFFF << (32 - value)) & 0xFFFFFFFF))


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixLength(Token):
    """``/24``: the length of a prefix, 1-32."""

    @property
    def name(self) -> str:
        """``/nn``."""
        return "/nn"

    def read(self, word: str) -> int:
        """The length."""
        if not re.fullmatch(r"/[0-9]{1,2}", word) or not 1 <= int(word[1:]) <= 32:
            raise ValueError(f"'{word}' is not a prefix length /1 to /32")
        return int(word[1:])

    def write(self, value: int) -> str:
        """The length, with its slash."""
        return f"/{value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word(Token):
    """A name without blanks, of a shape."""

    shape: str = r"[!-~]{1,64}"
    """A regular expression for the whole word."""
    what: str = "a name of at most 64 characters"

    def read(self, word: str) -> str:
        """The word."""
        if not re.fullmatch(self.shape, word):
            raise ValueError(f"'{word}' is not {self.what}")
        return word


@dataclass(frozen=True, slots=True, kw_only=True)
class HostName(Word):
    """A DNS name without wildcard: letters, digits, hyphens, dots (RFC 1123 2.1)."""

    shape: str = r"(?=.{1,253}$)(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*"
    what: str = "a DNS name"


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceName(Word):
    """The name of a Linux interface: at most 15 bytes, no blank, slash or colon."""

    shape: str = r"(?!\.{1,2}$)[!-.0-9;-~]{1,15}"
    what: str = "the name of an interface: at most 15 characters, without / and :"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePath(Token):
    """An absolute path without blanks: a daemon's working directory is not the user's."""

    def read(self, word: str) -> str:
        """The path."""
        if not word.startswith("/") or not word.isprintable():
            raise ValueError(f"'{word}' is not an absolute path (it must begin with /)")
        return word


@dataclass(frozen=True, slots=True, kw_only=True)
class Line(Token):
    """The rest of the line."""

    def specificity(self, _word: str) -> Specificity:
        """Anything fits, so it says least."""
        return Specificity.LINE

    @property
    def name(self) -> str:
        """``LINE``."""
        return "LINE"

    def read(self, word: str) -> str:
        """The text."""
        return word


class Unfinished(NamedTuple):
    """The value of a text that goes on in the next line."""

    delimiter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DelimitedText(Line):
    """A text between two delimiters, which may go on over lines: ``^C`` or whatever it begins with.

    Its value is :class:`Unfinished` until the line has the second one; what follows that is not looked at.
    """

    def read(self, word: str) -> Any:
        """The text, or what it must end with."""
        delimiter = "^C" if word.startswith("^C") else word[0]
        text, found, _ = word[len(delimiter) :].partition(delimiter)
        return text if found else Unfinished(delimiter)

    def write(self, value: Any) -> str:
        """``^Ctext^C``."""
        return f"^C{value}^C"


def unfinished(values: Iterable[Any]) -> str:
    """What the values of a line still wait for; empty: for nothing."""
    return next((value.delimiter for value in values if isinstance(value, Unfinished)), "")
