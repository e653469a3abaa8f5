"""A site with one router and the world behind it: client - router - transit - server, for live traffic.

The transit is another router outside: it has the smaller MTU, and its ICMP errors must find the client.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

from tests.system.daemons import Daemon, poll
from tests.system.namespaces import Namespace, cable, namespaces

INSIDE: Final = IPv4Network("10.0.0.0/24")
ROUTER: Final = "10.0.0.1"
ROUTER_OUTSIDE: Final = "203.0.113.1"
TRANSIT: Final = "203.0.113.2"
SERVER: Final = "198.51.100.10"
POOL: Final = IPv4Network("203.0.113.8/30")
NARROW: Final = 1300
"""The MTU between transit and server; that inside is the same when a test asks for it."""
CONFIGURATION: Final = f"""
hostname R
interface in0
 ip nat inside
interface out0
 ip nat outside
ip nat pool P {POOL[0]} {POOL[-1]} prefix-length 24
ip nat inside source list 1 pool P overload
access-list 1 permit 10.0.0.0 0.0.0.255
end
"""
READY: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The four hosts, and the daemon on the second."""

    client: Namespace
    router: Namespace
    transit: Namespace
    server: Namespace
    daemon: Daemon

    def start(self) -> None:
        """Start the daemon and wait until it translates."""
        self.daemon.start()
        poll(lambda: bool(self.daemon.counters()), seconds=READY, of=(self.daemon,))


@contextmanager
def site(directory: Path, configuration: str = CONFIGURATION) -> Iterator[Site]:
    """All of it, running; gone afterwards."""
    with namespaces("client", "router", "transit", "server") as (client, router, transit, server):
        cable(client, "eth0", router, "in0")
        cable(router, "out0", transit, "eth0")
        cable(transit, "eth1", server, "eth0")
        for host, interface, address in (
            (client, "eth0", "10.0.0.5/24"),
            (router, "in0", f"{ROUTER}/24"),
            (router, "out0", f"{ROUTER_OUTSIDE}/24"),
            (transit, "eth0", f"{TRANSIT}/24"),
            (transit, "eth1", "198.51.100.1/24"),
            (server, "eth0", f"{SERVER}/24"),
        ):
            host.ip("addr", "add", address, "dev", interface)
        for host, gateway in ((client, ROUTER), (router, TRANSIT), (server, "198.51.100.1")):
            host.ip("route", "add", "default", "via", gateway)
        # Each probe of a traceroute wants its answer: the kernel tells one host once a second otherwise.
        told = "net.ipv4.icmp_ratelimit=0"
        for host in (router, transit, server):
            host.run("sysctl", "-qw", "net.ipv4.ip_forward=1", told)
        prefix = ("ip", "netns", "exec", router.name)
        daemon = Daemon("r", configuration, directory=directory, prefix=prefix)
        made = Site(client=client, router=router, transit=transit, server=server, daemon=daemon)
        try:
            made.start()
            yield made
        finally:
            daemon.stop()
