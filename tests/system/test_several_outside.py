"""Two providers: which pool a packet gets depends on the interface that the kernel would send it by."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.daemons import poll
from tests.system.namespaces import cable
from tests.system.probes import echo_udp, udp
from tests.system.site import SERVER, TRANSIT, Site, site

pytestmark = pytest.mark.root

SECONDS = 15.0
ELSEWHERE = "192.0.2.10"
SECOND_HOP = "198.18.0.2"
CONFIGURATION = """
hostname R
interface in0
 ip nat inside
interface out0
 ip nat outside
interface out1
 ip nat outside
ip nat pool ONE 203.0.113.8 203.0.113.8 prefix-length 24
ip nat pool TWO 198.18.0.8 198.18.0.8 prefix-length 24
route-map BY-ONE permit 10
 match interface out0
route-map BY-TWO permit 10
 match interface out1
ip nat inside source route-map BY-ONE pool ONE overload
ip nat inside source route-map BY-TWO pool TWO overload
end
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path, CONFIGURATION.replace("interface out1\n ip nat outside\n", "")) as made:
        cable(made.router, "out1", made.transit, "eth2")
        made.router.ip("addr", "add", "198.18.0.1/24", "dev", "out1")
        made.transit.ip("addr", "add", f"{SECOND_HOP}/24", "dev", "eth2")
        made.transit.ip("addr", "add", f"{ELSEWHERE}/32", "dev", "lo")
        made.router.ip("route", "add", "192.0.2.0/24", "via", SECOND_HOP)
        done = made.daemon.cli("configure terminal", "interface out1", "ip nat outside", "end")
        assert done.returncode == 0, done.stdout
        yield made


def seen(place: Site, *, elsewhere: bool) -> str:
    """The client's address as it is seen at one of the two destinations."""
    host, address = (place.transit, ELSEWHERE) if elsewhere else (place.server, SERVER)
    with udp(place.client) as client, udp(host, address) as server:
        return echo_udp(client, server, server.getsockname())[0]


def test_the_route_decides_about_the_pool(place: Site) -> None:
    assert seen(place, elsewhere=False) == "203.0.113.8"
    assert seen(place, elsewhere=True) == "198.18.0.8"


def test_another_route_is_followed(place: Site) -> None:
    assert seen(place, elsewhere=True) == "198.18.0.8"
    place.router.ip("route", "replace", "192.0.2.0/24", "via", TRANSIT)
    poll(lambda: seen(place, elsewhere=True) == "203.0.113.8", seconds=SECONDS, of=(place.daemon,))
