"""HSRP of real daemons on a real link: two routers and a client on a switch."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ntc_templates.parse import parse_output

from tests.system.daemons import Daemon, poll
from tests.system.namespaces import Namespace, cable, namespaces

pytestmark = pytest.mark.root

VIRTUAL = "10.0.0.1"
SECONDS = 15.0
KEY = "a key of both"
CONFIGURATION = """
hostname {name}
interface in0
 ip nat inside
 standby version {version}
 standby delay minimum 0 reload 0
 standby 10 ip 10.0.0.1
 standby 10 priority {priority}
 standby 10 preempt
 standby 10 timers msec 200 msec 700
 standby 10 authentication md5 key-string {key}
 standby 10 track out0 60
interface out0
 ip nat outside
end
"""
VERSION_2 = pytest.mark.parametrize("link", [2], indirect=True)
"""What does not depend on the version."""
MAC = {1: "00:00:0c:07:ac:0a", 2: "00:00:0c:9f:f0:0a"}


@dataclass(frozen=True, slots=True)
class Link:
    """A client and two routers on one switch."""

    client: Namespace
    routers: tuple[Namespace, Namespace]
    daemons: tuple[Daemon, Daemon]
    version: int

    def state(self, router: int) -> str:
        """That of the one group."""
        rows = self.daemons[router].show("show standby")
        return str(rows[0]["state"]) if rows else ""

    def await_states(self, first: str, second: str) -> None:
        poll(lambda: (self.state(0), self.state(1)) == (first, second), seconds=SECONDS, of=self.daemons)

    def reached(self) -> bool:
        """Whether the client gets an answer from the virtual address."""
        process = self.client.start("ping", "-c", "1", "-W", "1", VIRTUAL)
        return " 0% packet loss" in process.communicate(timeout=SECONDS)[0]

    def mac_address(self) -> str:
        """At which the client believes it to be."""
        (entry,) = json.loads(self.client.ip("-j", "neigh", "show", VIRTUAL))
        return str(entry.get("lladdr"))


@pytest.fixture(params=[1, 2])
def link(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Link]:
    version = request.param
    with namespaces("client", "switch", "r1", "r2") as (client, switch, *routers):
        switch.ip("link", "add", "br0", "type", "bridge")
        switch.ip("link", "set", "br0", "up")
        for number, (host, interface) in enumerate(
            ((client, "eth0"), (routers[0], "in0"), (routers[1], "in0"))
        ):
            cable(host, interface, switch, f"p{number}")
            switch.ip("link", "set", f"p{number}", "master", "br0")
            host.ip("addr", "add", f"10.0.0.{(100, 2, 3)[number]}/24", "dev", interface)
        daemons = []
        for number, router in enumerate(routers):
            cable(router, "out0", switch, f"o{number}")
            text = CONFIGURATION.format(
                name=f"R{number + 1}", version=version, priority=(150, 100)[number], key=KEY.replace(" ", "-")
            )
            directory = tmp_path / f"r{number + 1}"
            directory.mkdir()
            prefix = ("ip", "netns", "exec", router.name)
            daemons.append(Daemon(f"r{number + 1}", text, directory=directory, prefix=prefix))
        try:
            for daemon in daemons:
                daemon.start()
            made = Link(client, (routers[0], routers[1]), (daemons[0], daemons[1]), version)
            made.await_states("Active", "Standby")
            yield made
        finally:
            for daemon in daemons:
                daemon.stop()


def test_the_virtual_mac_address_stays_when_the_active_router_dies(link: Link) -> None:
    assert link.reached()
    assert link.mac_address() == MAC[link.version]
    link.daemons[0].kill()
    poll(lambda: link.state(1) == "Active", seconds=SECONDS, of=link.daemons)
    poll(link.reached, seconds=SECONDS, of=link.daemons)
    assert link.mac_address() == MAC[link.version], "the client need not learn another"
    link.daemons[0].start()
    link.await_states("Active", "Standby")
    poll(link.reached, seconds=SECONDS, of=link.daemons)


@VERSION_2
def test_a_router_that_ends_hands_over_at_once(link: Link) -> None:
    link.daemons[0].terminate()
    poll(lambda: link.state(1) == "Active", seconds=SECONDS, of=link.daemons)
    assert any("Standby -> Active" in line for line in link.daemons[1].log())
    poll(link.reached, seconds=SECONDS, of=link.daemons)


@VERSION_2
def test_a_tracked_interface_moves_the_role_and_gives_it_back(link: Link) -> None:
    link.routers[0].ip("link", "set", "out0", "down")
    link.await_states("Standby", "Active")
    link.routers[0].ip("link", "set", "out0", "up")
    link.await_states("Active", "Standby")


@VERSION_2
def test_an_inside_link_that_fails_moves_the_role(link: Link) -> None:
    link.routers[0].ip("link", "set", "in0", "down")
    poll(lambda: link.state(1) == "Active", seconds=SECONDS, of=link.daemons)
    assert link.state(0) == "Init"
    poll(link.reached, seconds=SECONDS, of=link.daemons)
    link.routers[0].ip("link", "set", "in0", "up")
    link.await_states("Active", "Standby")


@VERSION_2
def test_who_has_another_key_is_not_believed(link: Link) -> None:
    link.daemons[1].cli(
        "configure terminal", "interface in0", "standby 10 authentication md5 key-string other"
    )
    poll(lambda: link.state(1) == "Active", seconds=SECONDS, of=link.daemons)
    assert link.state(0) == "Active", "two routers that do not believe each other: as in IOS"
    poll(
        lambda: any("not proved from" in line for line in link.daemons[0].log()),
        seconds=SECONDS,
        of=link.daemons,
    )


@VERSION_2
def test_show_standby_is_parsed(link: Link) -> None:
    for number, state in ((0, "Active"), (1, "Standby")):
        said = link.daemons[number].cli("show standby").stdout
        (row,) = parse_output(platform="cisco_ios", command="show standby", data=said)
        assert (row["interface"], row["group"], row["state"]) == ("in0", "10", state)
        assert row["virtual_ip"] == VIRTUAL
        (brief,) = parse_output(
            platform="cisco_ios",
            command="show standby brief",
            data=link.daemons[number].cli("show standby brief").stdout,
        )
        assert brief["state"] == state


def test_tshark_reads_what_we_say(link: Link, tmp_path: Path) -> None:
    """An independent dissector: nothing malformed, and the fields as configured."""
    capture = ["tshark", "-i", "eth0", "-a", "duration:3", "-w", str(tmp_path / "hsrp.pcap"), "-q"]
    process = link.client.start(*capture, "udp port 1985")
    process.wait(SECONDS)
    prefix = "hsrp" if link.version == 1 else "hsrp2"
    fields = (
        "_ws.malformed",
        "eth.src",
        "ip.ttl",
        f"{prefix}.state",
        f"{prefix}.priority",
        f"{prefix}.group",
    )
    read = ["tshark", "-r", str(tmp_path / "hsrp.pcap"), "-Tfields", *(f"-e{field}" for field in fields)]
    lines = subprocess.run(read, capture_output=True, text=True, check=True, timeout=30).stdout.splitlines()
    rows = [line.split("\t") for line in lines]
    assert len(rows) > 10
    assert all(row[0] == "" for row in rows)
    active, standby = ("16", "8") if link.version == 1 else ("6", "5")
    said = {(row[3], row[4], row[5]) for row in rows}
    assert said == {(active, "150", "10"), (standby, "100", "10")}
    assert {row[1] for row in rows if row[3] == active} == {MAC[link.version]}
    assert {row[2] for row in rows} == {"1"}
