"""The gateways there are, by their names in ``ip nat service NAME``: one line each."""

from typing import Final, NamedTuple

from snat.nat.tracking import TCP, UDP
from snat.translate.alg.ftp import Ftp
from snat.translate.alg.gateway import Gateway
from snat.translate.alg.irc import Irc
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


GATEWAYS: Final = {
    "ftp": Registered(Ftp, (Place(TCP, 21),)),
    "irc": Registered(Irc, (Place(TCP, 6667),)),
    "rtsp": Registered(Rtsp, (Place(TCP, 554),)),
    "sip": Registered(Sip, (Place(UDP, 5060), Place(TCP, 5060))),
    "tftp": Registered(Tftp, (Place(UDP, 69),)),
}
