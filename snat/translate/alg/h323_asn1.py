"""Transport addresses in the messages of H.323, which are in ASN.1 (PER aligned), and where they are.

pycrate reads them (LGPL; the extra ``h323``). It does not say where a value is in the bytes, but an address
and its port always are six bytes in a row, for both are aligned to bytes, and so are open types and octet
strings around. If those six bytes are in a message as often as it has that address, all of them are found;
if they are there more often, by chance or on purpose, nothing is known and nothing is changed.
"""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, NamedTuple

LONGEST: Final = 4096
"""Bytes of a message that is read."""
VALUES: Final = 20000
"""Values of a message that are looked at."""
WITHIN: Final = 32
"""H.245 messages within one of H.225.0."""
_LIBRARY: Final = "pycrate_asn1dir"

_ADDRESSES: Final = {"ipAddress": ("ip", "port"), "iPAddress": ("network", "tsapIdentifier")}
"""Choices that are an IPv4 address with a port, of H.225.0 and of H.245, and the names of these within."""
CHANNEL: Final = "openLogicalChannel"
_CHANNELS: Final = "fastStart"
"""Where messages of that name are, without it."""
_TUNNELLED: Final = frozenset({"h245Control", "parallelH245Control"})


class Unreadable(ValueError):
    """A message that cannot be read; its text is the reason as it is counted."""


class Found(NamedTuple):
    """An address in a message."""

    message: str
    """The message that it is in; of those within another one their own name."""
    field: str
    """The innermost field that it is the value of."""
    address: bytes
    port: int

    @property
    def six(self) -> bytes:
        """As it is in the message."""
        return self.address + self.port.to_bytes(2, "big")


class Read(NamedTuple):
    """What was read."""

    kind: str
    """The name of the message, as in ``setup`` or ``registrationRequest``; of H.245 that within a request."""
    fields: dict[str, Any]
    """Its own fields, as pycrate has them."""
    found: list[Found]

    def by_address(self) -> dict[bytes, list[Found]]:
        """What was found, by the six bytes that it is."""
        by: dict[bytes, list[Found]] = {}
        for one in self.found:
            by.setdefault(one.six, []).append(one)
        return by

    def places(self, data: bytes) -> dict[bytes, list[int]]:
        """Where each address is in the message, its six bytes being the key; without those in doubt."""
        expected = {six: len(found) for six, found in self.by_address().items()}
        places = {six: list(_occurrences(data, six)) for six in expected}
        return {six: at for six, at in places.items() if len(at) == expected[six]}


class Messages:
    """The types of H.225.0 and H.245. Raises ImportError without pycrate."""

    def __init__(self) -> None:
        h225 = import_module(f"{_LIBRARY}.H225").H323_MESSAGES
        h245 = import_module(f"{_LIBRARY}.H245").MULTIMEDIA_SYSTEM_CONTROL
        self._signalling, self._ras = h225.H323_UserInformation, h225.RasMessage
        self._control, self._channel = h245.MultimediaSystemControlMessage, h245.OpenLogicalChannel

    def signalling(self, data: bytes) -> Read:
        """An H.225.0 message of a call, with the H.245 ones within. Raises :class:`Unreadable`."""
        value = _decoded(self._signalling, data)
        return self._read(value["h323-uu-pdu"]["h323-message-body"], value)

    def ras(self, data: bytes) -> Read:
        """A message to or from a gatekeeper. Raises :class:`Unreadable`."""
        value = _decoded(self._ras, data)
        return self._read(value, value)

    def control(self, data: bytes) -> Read:
        """An H.245 message. Raises :class:`Unreadable`."""
        value = _decoded(self._control, data)
        return self._read(value[1], value)

    def _read(self, body: Any, value: Any) -> Read:
        kind, fields = _named(body)
        within: list[tuple[str, bytes]] = []
        found = list(_addresses(kind, value, within))
        if len(within) > WITHIN:
            raise Unreadable("too many messages within")
        # pycrate keeps what it read in its types, so a value must be done with before the next is read.
        named = dict(fields) if isinstance(fields, dict) else {}
        for name, inner in within:
            if name == _CHANNELS:
                found += _addresses(CHANNEL, _decoded(self._channel, inner), [])
            else:
                control = _decoded(self._control, inner)
                found += _addresses(_named(control[1])[0], control, [])
        return Read(kind, named, found)


def is_available() -> bool:
    """Whether pycrate is installed."""
    return find_spec(_LIBRARY) is not None


def _decoded(type_: Any, data: bytes) -> Any:
    if len(data) > LONGEST:
        raise Unreadable("message too long")
    try:
        type_.from_aper(data)
        return type_.get_val()
    except Exception as error:
        # The one place where pycrate meets bytes from the network. Beside its own errors it lets out what its
        # parsing meets by accident (IndexError, KeyError, TypeError, AttributeError, OverflowError,
        # UnicodeError, AssertionError, RecursionError), which is no part of its contract: no list of them
        # would be complete, and what is raised here would stop the router.
        raise Unreadable("unreadable message") from error


def _named(body: Any) -> tuple[str, Any]:
    """The name of a message, and its fields. Raises :class:`Unreadable` for one of a newer version: bytes."""
    if not isinstance(body, tuple):
        raise Unreadable("unknown message")
    return body[0], body[1]


def _addresses(message: str, value: Any, within: list[tuple[str, bytes]]) -> Iterator[Found]:
    """Every IPv4 address with a port in a value; and the messages within, with their field."""
    waiting: list[tuple[str, Any]] = [("", value)]
    looked = 0
    while waiting:
        looked += 1
        if looked > VALUES:
            raise Unreadable("too many values")
        field, one = waiting.pop()
        if isinstance(one, dict):
            waiting += reversed(one.items())
        elif isinstance(one, list):
            waiting += [(field, item) for item in reversed(one)]
        elif isinstance(one, bytes):
            if field == _CHANNELS or field in _TUNNELLED:
                within.append((field, one))
        elif isinstance(one, tuple) and len(one) == 2 and isinstance(one[0], str):
            address, port = _ADDRESSES.get(one[0], ("", ""))
            if address:
                yield Found(message, field, one[1][address], one[1][port])
            else:
                waiting.append((field, one[1]))


def _occurrences(data: bytes, six: bytes) -> Iterator[int]:
    at = data.find(six)
    while at >= 0:
        yield at
        at = data.find(six, at + 1)
