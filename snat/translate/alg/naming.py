"""What either side calls the two ends of the signalling, in SIP URIs and Via.

Signalling comes back the way it went: the inside host's own address, whatever port it names, becomes the
global endpoint of the flow that the message is in (symmetric signalling, RFC 3581 and RFC 5626), so nothing
is opened for it. In the other direction the endpoint becomes again what the host had written. Behind a static
mapping of the whole address only the address changes.
"""

import re

from snat.translate.alg.gateway import Conversation, Edit
from snat.translate.alg.text import ADDRESS, MAX_PORT, dotted, number, packed

_PORT = 5060

_URI = re.compile(
    rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)'
    rb'|sips?:(?:[^@<>\s"]{0,256}@)?(?P<host>' + ADDRESS + rb")(?::(?P<port>[0-9]{1,5}))?(?![0-9A-Za-z.:-])"
    rb"|;maddr=(?P<maddr>" + ADDRESS + rb")(?![0-9A-Za-z.:-])",
    re.IGNORECASE | re.DOTALL,
)
_VIA = re.compile(
    rb"\s*SIP\s*/\s*2\.0\s*/\s*[A-Za-z]{1,16}\s+(?P<host>"
    + ADDRESS
    + rb")(?:\s*:\s*(?P<port>[0-9]{1,5}))?\s*(?=;|$)",
    re.IGNORECASE,
)
_PARAMETER = re.compile(
    rb";\s*(?:received\s*=\s*(?P<received>" + ADDRESS + rb")|maddr\s*=\s*(?P<maddr>" + ADDRESS + rb")"
    rb"|rport\s*=\s*(?P<rport>[0-9]{1,5}))\s*(?=;|$)",
    re.IGNORECASE,
)
_ELEMENT = re.compile(rb"[^,]+")


class Naming:
    """The names of one conversation's ends, and the ports that the inside host wrote with its own."""

    def __init__(self, conversation: Conversation, *, whole: bool) -> None:
        self.conversation = conversation
        self.whole = whole
        """The inside address as a whole is mapped: ports stay."""
        self.written: dict[str, int | None] = {}
        """The port that the inside host named last in a Via or a URI; None: it named none."""

    def uris(self, value: bytes, at: int, *, from_outside: bool) -> list[Edit]:
        """The edits of all URIs in a header field's value (or a request URI) that begins at ``at``."""
        edits: list[Edit] = []
        for match in _URI.finditer(value):
            if match["host"]:
                edits += self._host_and_port(match, at, "uri", from_outside=from_outside)
            elif match["maddr"]:
                edits += self._address(match, "maddr", at, from_outside=from_outside)
        return edits

    def vias(self, value: bytes, at: int, *, from_outside: bool) -> list[Edit]:
        """The edits of a Via header field's value: sent-by, received=, rport=, maddr=."""
        edits: list[Edit] = []
        for element in _ELEMENT.finditer(value):
            base = at + element.start()
            via = _VIA.match(element[0])
            if via is None:
                host = b""
            else:
                host = via["host"]
                edits += self._host_and_port(via, base, "via", from_outside=from_outside)
            rport: re.Match[bytes] | None = None
            for parameter in _PARAMETER.finditer(element[0]):
                if parameter["rport"]:
                    rport = rport or parameter
                    continue
                if parameter["received"]:
                    host = parameter["received"]
                edits += self._address(parameter, parameter.lastgroup or "", base, from_outside=from_outside)
            if rport is not None:
                edits += self._rport(rport, packed(host), base, from_outside=from_outside)
        return edits

    def is_ours(self, value: bytes) -> bool:
        """Whether a value from outside names the inside host by the endpoint that it was given."""
        ours = self.conversation.inside_global
        return any(
            match["host"]
            and packed(match["host"]) == ours.address
            and (self.whole or _port(match) == ours.port)
            for match in _URI.finditer(value)
        )

    def _host_and_port(self, match: re.Match[bytes], at: int, kind: str, *, from_outside: bool) -> list[Edit]:
        address = packed(match["host"])
        port = number(match["port"], MAX_PORT) if match["port"] else None
        if address is None or (match["port"] and port is None):
            return []
        if (turned := self._turned(address, port, kind, from_outside=from_outside)) is None:
            return []
        end = match.end("port") if match["port"] else match.end("host")
        text = dotted(turned[0]) + (b"" if turned[1] is None else b":%d" % turned[1])
        return _edit(match, match.start("host"), end, at, text)

    def _turned(
        self, address: bytes, port: int | None, kind: str, *, from_outside: bool
    ) -> tuple[bytes, int | None] | None:
        """What the other side calls a host and port; None: this is neither end."""
        talk = self.conversation
        if not from_outside and address == talk.inside_local.address:
            if self.whole:
                return talk.inside_global.address, port
            self.written[kind] = port
            given = talk.inside_global.port
            return talk.inside_global.address, None if port is None and given == _PORT else given
        if from_outside and address == talk.inside_global.address:
            if self.whole:
                return talk.inside_local.address, port
            if (_PORT if port is None else port) != talk.inside_global.port:
                return None  # another inside host's, perhaps
            own = talk.inside_local.port
            unwritten = None if port is None and own == _PORT else own
            return talk.inside_local.address, self.written.get(kind, unwritten)
        here, there = talk.outside_local, talk.outside_global
        if from_outside:
            here, there = there, here
        if address != here.address:
            return None
        return there.address, there.port if port == here.port else port

    def _address(self, match: re.Match[bytes], group: str, at: int, *, from_outside: bool) -> list[Edit]:
        """The edit of an address that stands alone."""
        talk = self.conversation
        turned = {
            (False, talk.outside_local.address): talk.outside_global.address,
            (True, talk.outside_global.address): talk.outside_local.address,
            (False, talk.inside_local.address): talk.inside_global.address,
            (True, talk.inside_global.address): talk.inside_local.address,
        }.get((from_outside, packed(match[group]) or b""))
        return _edit(match, *match.span(group), at, dotted(turned)) if turned else []

    def _rport(
        self, match: re.Match[bytes], address: bytes | None, at: int, *, from_outside: bool
    ) -> list[Edit]:
        """The edit of the port that a message was received from (RFC 3581), if its address is an end's."""
        talk = self.conversation
        here, there = talk.outside_local, talk.outside_global
        if from_outside:
            here, there = talk.inside_global, talk.inside_local
        if address != here.address or number(match["rport"], MAX_PORT) != here.port:
            return []
        return _edit(match, *match.span("rport"), at, b"%d" % there.port)


def _port(match: re.Match[bytes]) -> int | None:
    return number(match["port"], MAX_PORT) if match["port"] else _PORT


def _edit(match: re.Match[bytes], start: int, end: int, at: int, text: bytes) -> list[Edit]:
    same = match.string[start:end] == text
    return [] if same else [Edit(at + start, at + end, text)]
