"""PPTP through real daemons: calls from inside and to a server inside, and a router that is killed."""

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from scapy.layers.pptp import PPTPCallDisconnectNotify, PPTPWANErrorNotify

from snat.lab.configuration import Member
from snat.lab.failover import FAILOVER
from snat.lab.laboratory import Laboratory
from snat.lab.router import Router
from snat.lab.site import Site as Pair
from snat.lab.topology import CLIENT as PAIR_CLIENT
from snat.lab.topology import SERVER as PAIR_SERVER
from tests.system.daemons import poll
from tests.system.namespaces import Namespace
from tests.system.pptp_ends import End, call, control_connection
from tests.system.site import CONFIGURATION, POOL, SERVER, Site, site

pytestmark = pytest.mark.root

FIRST, SECOND = "10.0.0.5", "10.0.0.6"
PUBLISHED = "203.0.113.20"
SERVICE = "ip nat service pptp"
LINES = f"{SERVICE}\nip nat inside source static tcp {FIRST} 1723 {PUBLISHED} 1723"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    shared = CONFIGURATION.replace(f"{POOL[0]} {POOL[-1]}", f"{POOL[0]} {POOL[0]}")
    text = shared.replace("\nend\n", f"\n{LINES}\nend\n")
    with site(tmp_path_factory.mktemp("site"), text) as made:
        made.client.ip("addr", "add", f"{SECOND}/24", "dev", "eth0")
        yield made


def talk(client: End, server: End, outside: int, theirs: int, own: int) -> None:
    """Packets both ways, with the IDs that either side gave."""
    for size in (40, 1200):
        there, back = b"to the server".ljust(size, b"."), b"to the client".ljust(size, b".")
        client.send(theirs, there)
        assert server.receive(there)[1] == theirs
        server.send(outside, back)
        assert client.receive(back)[1] == own


def test_two_clients_of_one_server_with_one_id(here: Site) -> None:
    ends = here.client, FIRST, here.server, SERVER, SERVER
    with control_connection(*ends) as (client, server):
        outside, theirs = call(client, server, 7, 101)
        again, more = call(client, server, 8, 102)
        talk(client, server, outside, theirs, 7)
        talk(client, server, again, more, 8)
        seen = here.daemon.counters()["gateway pptp"]
        assert seen["message"] == 6
    with control_connection(here.client, SECOND, *ends[2:]) as (client, server):
        other, theirs = call(client, server, 7, 103)
        assert other != outside
        talk(client, server, other, theirs, 7)
        server.tell(PPTPWANErrorNotify(peer_call_id=other))
        assert client.hear(PPTPWANErrorNotify).peer_call_id == 7
        assert len(calls(here)) == 6
        server.tell(PPTPCallDisconnectNotify(call_id=103))
        client.hear(PPTPCallDisconnectNotify)
        poll(lambda: len(calls(here)) == 4, seconds=5.0, of=(here.daemon,))


def calls(here: Site) -> list[object]:
    """The entries of GRE."""
    rows = here.daemon.show("show ip nat translations")
    return [row for row in rows or [] if row["protocol"] == 47 or row["protocol"] == "gre"]


def test_a_server_inside_of_which_one_port_is_published(here: Site) -> None:
    with control_connection(here.server, SERVER, here.client, FIRST, PUBLISHED) as (client, server):
        own, outside = call(client, server, 5, 60)
        assert own == 5
        talk(server, client, outside, 5, 60)


def _with_service(
    member: Member, members: Sequence[Member], directory: Path, prefix: tuple[str, ...]
) -> Router:
    router = FAILOVER.router_of(member, members, directory, prefix)
    file = directory / f"{member.host}.conf"
    file.write_text(file.read_text().replace("\nend\n", f"\n{SERVICE}\nend\n"))
    return router


def test_calls_outlive_their_router(tmp_path: Path) -> None:
    with Laboratory(progress=sys.stderr) as lab:
        pair = Pair(lab, dataclasses.replace(FAILOVER, router_of=_with_service))
        first, second = pair.routers
        client, server = (Namespace(pair.network.namespace(name)) for name in ("client", "server"))
        with control_connection(client, PAIR_CLIENT, server, PAIR_SERVER, PAIR_SERVER) as (one, other):
            used, theirs = call(one, other, 7, 101)
            talk(one, other, used, theirs, 7)
            unused, more = call(one, other, 8, 102)
            assert pair.equal()
            lab.kill(first)
            lab.await_standing(second, "MANAGE")
            talk(one, other, used, theirs, 7)
            talk(one, other, unused, more, 8)
            other.tell(PPTPWANErrorNotify(peer_call_id=used))
            assert one.hear(PPTPWANErrorNotify).peer_call_id == 7
            third, yet = call(one, other, 9, 103)
            talk(one, other, third, yet, 9)
