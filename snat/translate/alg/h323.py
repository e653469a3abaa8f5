"""H.323 as NetMeeting uses it: calls (H.225.0 on TCP 1720) and what they negotiate by H.245.

H.245 has a connection of its own, or goes within the call's messages (tunnelled, and as fastStart); it
negotiates audio and video, which are opened as pairs of ports, and T.120 for data. T.120 (TCP 1503) and
ILS, which is LDAP (TCP 389), pass as any TCP does: nothing reads them. The address of T.120 is in H.245 and
opened there. A directory (ILS) names users by the addresses that they registered with, so whoever shall be
called through one from outside needs a static mapping. Gatekeepers: :mod:`snat.translate.alg.ras`.

A call is forwarded (Facility, H.450) to wherever its addresses lead by themselves: nothing is opened for it.
"""

from abc import abstractmethod
from typing import ClassVar, Final

from snat.translate.alg.gateway import Conversation, Doors, Edit, Endpoint
from snat.translate.alg.h323_addresses import TCP, UDP, Addresses, Way, messages
from snat.translate.alg.h323_asn1 import CHANNEL, Found, Unreadable
from snat.translate.alg.tpkt import SETUP, Tpkt, user_user

PORT: Final = 1720
UNREADABLE: Final = 8
"""Messages of a conversation that cannot be read, until it is left alone."""
_RELEASE_COMPLETE: Final = 0x5A
_H245: Final = "h245Address"
_CONTROL: Final = Way(TCP, follows="h245")
_MEDIA: Final = Way(UDP, pair=True)
_DATA: Final = Way(TCP)
_OPENED: Final = {
    (message, field): way
    for message in (CHANNEL, "openLogicalChannelAck")
    for field, way in (("mediaChannel", _MEDIA), ("mediaControlChannel", _MEDIA), ("networkAddress", _DATA))
}
"""What is opened, by message of H.245 and field; the last is for T.120."""


class _Connection(Addresses):
    """A connection of H.323: messages in TPKT."""

    def __init__(self, conversation: Conversation, doors: Doors) -> None:
        super().__init__(conversation, doors)
        self._streams = Tpkt(), Tpkt()
        self._unreadable = 0

    def take(self, from_outside: bool, data: bytes) -> list[Edit]:
        """The addresses in the messages that are whole in ``data``."""
        stream = self._streams[from_outside]
        edits: list[Edit] = []
        for at, message in stream.messages(data, self.doors.count):
            try:
                edits += self._message(message, at, from_outside)
            except Unreadable as reason:
                self.doors.count(str(reason))
                self._unreadable += 1
                if self._unreadable == UNREADABLE or not self.started:
                    self.ended = True
            if self.ended:
                break
        self.ended = self.ended or stream.broken
        return edits

    def restore(self, context: bytes) -> bool:
        """Go on with what is opened; the messages of either side are to be found anew."""
        restored = super().restore(context)
        for stream in self._streams:
            stream.lost = self.started
        return restored

    def way(self, found: Found) -> Way | Endpoint | None:
        """What is negotiated is opened; where a call comes from is its connection."""
        if found.message == "setup" and found.field == "sourceCallSignalAddress":
            return self.conversation.inside_global
        return _CONTROL if found.field == _H245 else _OPENED.get((found.message, found.field))

    def follows(self, found: Found) -> Way | None:
        """The connection for H.245, if it is to the outside host itself."""
        mine = found.address == self.conversation.outside_global.address
        return _CONTROL if mine and found.field == _H245 else None

    @abstractmethod
    def _message(self, message: bytes, at: int, from_outside: bool) -> list[Edit]:
        """What of a message, which is at ``at`` of what was just given, becomes what."""


class H323(_Connection):
    """The connection of a call."""

    name: ClassVar[str] = "H225"

    def _message(self, message: bytes, at: int, from_outside: bool) -> list[Edit]:
        found = user_user(message)
        begins = found is not None and found[0] == SETUP
        if not self.started and (not begins or from_outside is self.conversation.begun_inside):
            self.give_up("no call")
            return []
        if found is None:
            return []
        kind, start, end = found
        if kind == _RELEASE_COMPLETE:
            self.close()
            return []
        data = message[start:end]
        if self.started and not self.concerns(data, from_outside):
            return []
        if not self.may_read():
            return []
        read = messages().signalling(data)
        if not self.started and read.kind != "setup":
            self.give_up("no call")
            return []
        self.started = True
        return self.edits(read, data, at + start, from_outside)


class H245(_Connection):
    """The connection on which a call's channels are negotiated. It was expected, or nobody would read it."""

    name: ClassVar[str] = "h245"

    def _message(self, message: bytes, at: int, from_outside: bool) -> list[Edit]:
        if self.started and not self.concerns(message, from_outside):
            return []
        if not self.may_read():
            return []
        read = messages().control(message)
        self.started = True
        return self.edits(read, message, at, from_outside)
