"""The gateways there are, by their names in ``ip nat service NAME``: one line each."""

from typing import Final, NamedTuple

from snat.nat.tracking import TCP, UDP
from snat.translate.alg.dns import Dns
from snat.translate.alg.ftp import Ftp
from snat.translate.alg.gateway import Gateway
from snat.translate.alg.h323 import H245, H323
from snat.translate.alg.h323_asn1 import is_available
from snat.translate.alg.irc import Irc
from snat.translate.alg.pptp import Pptp
from snat.translate.alg.ras import Ras
from snat.translate.alg.rtsp import Rtsp
from snat.translate.alg.sip import Sip
from snat.translate.alg.tftp import Tftp


class Place(NamedTuple):
    """Where a protocol is spoken when nothing else is said."""

    protocol: int
    port: int


class Registered(NamedTuple):
    """A gateway, and where its protocol is spoken. Its first place says the protocol of other ports."""

    gateway: type[Gateway]
    places: tuple[Place, ...]


_ALL: Final = {
    "ftp": Registered(Ftp, (Place(TCP, 21),)),
    "irc": Registered(Irc, (Place(TCP, 6667),)),
    "rtsp": Registered(Rtsp, (Place(TCP, 554),)),
    "sip": Registered(Sip, (Place(UDP, 5060), Place(TCP, 5060))),
    "tftp": Registered(Tftp, (Place(UDP, 69),)),
    "dns": Registered(Dns, (Place(UDP, 53), Place(TCP, 53))),
    "pptp": Registered(Pptp, (Place(TCP, 1723),)),
    "H225": Registered(H323, (Place(TCP, 1720),)),
    "ras": Registered(Ras, (Place(UDP, 1719),)),
    "h245": Registered(H245, ()),  # at ports that calls name
}
_READ_BY_PYCRATE: Final = frozenset({"H225", "h245", "ras"})
GATEWAYS: Final = {name: one for name, one in _ALL.items() if is_available() or name not in _READ_BY_PYCRATE}
"""Those that can work. What another router read by one that cannot is kept, and goes on unread."""
