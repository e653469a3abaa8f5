"""A laboratory of network namespaces on one machine: demonstration, system tests, measurements.

``snat lab TOPOLOGY`` builds routers (real ``twistd snat``), gives them traffic, breaks something and
reports what the traffic noticed. :data:`TOPOLOGIES` names what can be built.
"""

from collections.abc import Sequence
from typing import Final

TOPOLOGIES: Final = ("failover", "standby", "vrrp", "peers", "rolling", "splitbrain", "alg", "none")
"""With root, in namespaces, with TUNs and live traffic: ``failover`` (primary and backup), ``standby`` (three
routers, HSRP), ``vrrp`` (keepalived): the active router dies and comes back; ``rolling``: three routers are
restarted in turn; ``splitbrain``: two halves that each go on alone, and meet again; ``alg``: an FTP session.
``none``: two daemons on loopback and captures, for anybody."""


def run(topology: str, *, json: bool, flows: int, keep: bool, faults: Sequence[str] = ()) -> int:
    """Play ``topology`` and print its report; the exit status: 0 only if nothing was lost.

    ``flows`` TCP connections carry numbered bytes (``none`` has those of its capture); ``keep`` leaves
    the routers running until interrupted; ``json`` makes the last line of standard output one object.
    ``faults``: what is done instead of the topology's own, by the names of :data:`snat.lab.faults.FAULTS`.
    """
    # Late, so that the traffic programs in the namespaces start without TLS and all the rest.
    from snat.lab.play import play

    return play(topology, json=json, flows=flows, keep=keep, faults=faults)
