"""What ``show standby`` is given, as the shell renders it and a parser reads it."""

from dataclasses import replace
from typing import Any

from ntc_templates.parse import parse_output

from cli.render_standby import brief, groups
from snat.config.interface import Track
from snat.redundancy.hsrp_status import status
from snat.status import StandbyStatus
from tests.redundancy.lan import BETTER, NAME, NORMAL, Host, Lan, returned, settled, standby

SLOW = standby(hello=3.0, hold=10.0)


def shown(lan: Lan, host: Host) -> StandbyStatus:
    assert host.router is not None
    (one,) = status(host.router, lan.now)
    return one


def parsed(one: StandbyStatus) -> dict[str, Any]:
    text = "\n".join(groups([one])) + "\n"
    (found,) = parse_output(platform="cisco_ios", command="show standby", data=text)
    assert isinstance(found, dict)
    return found


def test_an_active_and_a_standby_router_show_each_other() -> None:
    lan = Lan(1, [standby(SLOW), standby(SLOW, priority=110, preempt=True)])
    lan.run(60)
    active, waiting = shown(lan, lan.hosts[2]), shown(lan, lan.hosts[1])
    assert (active.state, active.active.address, active.standby.address) == ("Active", "local", "10.0.0.11")
    assert (waiting.state, waiting.active.address, waiting.standby.address) == (
        "Standby",
        "10.0.0.12",
        "local",
    )
    assert (waiting.active.priority, waiting.active.mac_address) == (110, lan.hosts[2].mac_address)
    assert 7 <= waiting.active.expires <= 10
    assert active.next_hello is not None
    assert 0 <= active.next_hello <= 3
    assert (active.changes, active.mac_address) == (4, bytes.fromhex("00000c9ff001"))
    assert 30 < active.changed < 60
    assert parsed(waiting)["active_router"] == "10.0.0.12"
    assert "Active  local" in "\n".join(brief([active]))


def test_a_router_that_was_lost_is_unknown() -> None:
    lan = Lan(1, [standby(SLOW), standby(SLOW, priority=110)])
    lan.run(60)
    lan.kill(lan.hosts[1])
    lan.run(20)
    lone = shown(lan, next(host for host in lan.hosts.values() if host.router))
    assert (lone.state, lone.active.address, lone.standby.address) == ("Active", "local", "")


def test_init_and_listen_say_why() -> None:
    tracked = standby(tracks=(Track("eth1", shutdown=True), Track("1", 30)))
    lan = Lan(1, [tracked, tracked])
    host, other = lan.hosts.values()
    lan.synchronise(host, synchronised=False)
    lan.run(3)
    assert (shown(lan, host).state, shown(lan, host).why) == ("Listen", "not synchronised")
    assert parsed(shown(lan, host))["state"] == "Listen"
    lan.link(host, up=False)
    assert (shown(lan, host).state, shown(lan, host).why) == ("Init", "interface down")
    assert host.router is not None
    assert other.router is not None
    other.router.track("eth1", lan.now, up=False)
    other.router.track("1", lan.now, up=False)
    assert (shown(lan, other).state, shown(lan, other).why) == ("Init", "tracking shutdown")
    assert shown(lan, other).priority == 70
    assert [(one.target, one.up) for one in shown(lan, other).tracks] == [("eth1", False), ("1", False)]
    assert [one.up for one in shown(lan, host).tracks] == [None, None]
    lan.configure(other, replace(tracked, groups=(replace(tracked.groups[0], enabled=False),)))
    assert (shown(lan, other).state, shown(lan, other).why) == ("Disabled", "")


def test_a_router_that_claims_first_says_what_preemption_waits_for() -> None:
    lan = settled(NORMAL, BETTER)
    host = lan.hosts[2]
    returned(lan, host)
    assert host.router is not None
    host.router.claim_first([NAME])
    lan.run(2)
    assert (shown(lan, host).state, shown(lan, host).why) == ("Standby", "claims the role, to preempt")
    assert parsed(shown(lan, host))["state"] == "Standby"
    host.router.released(NAME, lan.now)
    lan.settle(host)
    assert (shown(lan, host).state, shown(lan, host).why) == ("Active", "")


def test_learnt_times_and_addresses_are_shown() -> None:
    lan = Lan(1, [standby(SLOW, address=None), standby(SLOW, hello=1.0, hold=4.0, priority=110)])
    lan.run(60)
    one = shown(lan, lan.hosts[1])
    assert (one.group.hello, one.group.hold, one.address) == (1.0, 4.0, "10.0.0.1")
    assert parsed(one)["hello_time"] == "1"
