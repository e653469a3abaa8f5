"""RAS of H.323 (H.225.0 on UDP 1719): an inside host registers with a gatekeeper, which then calls it.

What the inside host registers is opened for the gatekeeper alone: for a moment, until that confirms it, then
for as long as the registration lives. Calls that do not come by the gatekeeper need a static mapping.
"""

from typing import ClassVar, Final

from snat.translate.alg.gateway import Edit, Endpoint
from snat.translate.alg.h323 import PORT as SIGNALLING
from snat.translate.alg.h323_addresses import TCP, UDP, Addresses, Way, messages
from snat.translate.alg.h323_asn1 import Found, Read, Unreadable

PORT: Final = 1719
ASKED: Final = 10.0
"""Seconds that a gatekeeper has for its answer."""
REGISTERED: Final = 3600.0
"""Seconds of a registration at most, and of one that names no time."""
_REGISTRATION: Final = Way(TCP, follows="H225", life=ASKED)
_ANSWERS: Final = Way(UDP, follows="ras", life=ASKED)
_OPENED: Final = {
    ("registrationRequest", "callSignalAddress"): _REGISTRATION,
    ("registrationRequest", "rasAddress"): _ANSWERS,
    ("gatekeeperRequest", "rasAddress"): _ANSWERS,
}
_GATEKEEPER: Final = Way(TCP, follows="H225", life=REGISTERED)
_CALL: Final = Way(TCP, follows="H225")
_NAMED: Final = {
    ("registrationConfirm", "callSignalAddress"): _GATEKEEPER,
    ("admissionConfirm", "destCallSignalAddress"): _CALL,
    ("locationConfirm", "callSignalAddress"): _CALL,
    ("gatekeeperConfirm", "rasAddress"): Way(UDP, follows="ras"),
}
"""Where a gatekeeper says that the inside host may turn to."""
_CONFIGURED: Final = frozenset({PORT, SIGNALLING})
"""Ports that are read anyway."""
_OVER: Final = frozenset({"registrationReject", "unregistrationConfirm"})


class Ras(Addresses):
    """What an inside host and its gatekeeper say to each other."""

    name: ClassVar[str] = "ras"

    def take(self, from_outside: bool, data: bytes) -> list[Edit]:
        """The addresses in a datagram."""
        try:
            read = messages().ras(data)
        except Unreadable as reason:
            self.doors.count(str(reason))
            return []
        edits = self.edits(read, data, 0, from_outside)
        if from_outside and read.kind == "registrationConfirm":
            self._confirm(read)
        elif read.kind in _OVER:
            self.close()
        return edits

    def way(self, found: Found) -> Way | Endpoint | None:
        """What is registered is opened; the address that this comes from is open already."""
        if found.field == "rasAddress" and found.port == self.conversation.inside_local.port:
            return self.conversation.inside_global
        return _OPENED.get((found.message, found.field))

    def follows(self, found: Found) -> Way | None:
        """Where the gatekeeper says that calls go to, unless that is read anyway."""
        if found.port in _CONFIGURED or found.address == self.conversation.inside_global.address:
            return None
        return _NAMED.get((found.message, found.field))

    def _confirm(self, read: Read) -> None:
        """What was registered stays open while the registration lives."""
        seconds = read.fields.get("timeToLive")
        life = min(float(seconds), REGISTERED) if isinstance(seconds, int) and seconds > 0 else REGISTERED
        for protocol, port in list(self.given):
            if protocol == TCP:
                self.open(_REGISTRATION._replace(life=life), port)
