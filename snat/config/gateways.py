"""``ip nat service``: the protocols that carry addresses, how they are spoken, and which lines fit them."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Final

from snat.config import lines
from snat.config.model import Configuration
from snat.config.nat import Service
from snat.config.problem import Problem

ALL: Final = "all-algs"
"""Every gateway there is, at its own ports."""
ON: Final = ("ftp",)
"""Those that are looked into unless told otherwise."""
PROTOCOLS: Final = {
    "ftp": ("tcp",),
    "dns": ("udp", "tcp"),
    "sip": ("udp", "tcp"),
    "tftp": ("udp",),
    "rtsp": ("tcp",),
    "pptp": ("tcp",),
    "H225": ("tcp",),
    "ras": ("udp",),
    "ldap": ("tcp",),
    "irc": ("tcp",),
}
"""What each is spoken over, by the names of the lines."""
UNBUILT: Final = frozenset({"ldap"})
"""Those that this version has no gateway for."""
NEEDS: Final = {"H225": "pycrate_asn1dir", "ras": "pycrate_asn1dir"}
"""Modules that some need beside what a router needs anyway."""


def is_available(name: str) -> bool:
    """Whether what a gateway needs is installed."""
    return name not in NEEDS or find_spec(NEEDS[name]) is not None


def verify_services(configuration: Configuration) -> Iterator[Problem]:
    """Lines that name a protocol over the wrong transport, or two at one port."""
    at: dict[tuple[str, int], Service] = {}
    for service in configuration.nat.services:
        spoken = PROTOCOLS.get(service.name, ("tcp", "udp"))
        where = lines.service(service)
        if service.protocol and service.protocol not in spoken:
            what = f"{service.name} is not spoken over {service.protocol}"
            yield Problem(what=what, where=where, remedy=f"say {' or '.join(spoken)}, or leave it out")
        if not is_available(service.name):
            what = f"{service.name} needs pycrate, which is not installed"
            yield Problem(what=what, where=where, remedy="install snat-router[h323], or remove the line")
        if service.name == ALL and (service.protocol or service.port):
            yield Problem(what="each has its own port", where=where, remedy=f"say {ALL} alone")
        for protocol in (service.protocol,) if service.protocol else spoken if service.port else ():
            other = at.setdefault((protocol, service.port), service)
            if service.port and other.name != service.name:
                what = f"{other.name} is looked for at this port already"
                yield Problem(what=what, where=where, remedy="choose another port, or remove one of them")
