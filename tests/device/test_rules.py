"""A device by its configured rules: what it shows, keeps, says and shares."""

import random
from dataclasses import replace

import pytest
from scapy.packet import Packet

from cli.configuration_file import read_configuration
from cli.render_nat import translations
from snat.config.model import ConfiguredRole, DynamicRule
from snat.device import report, usage
from snat.device.alarms import EXHAUSTED
from snat.device.device import Device
from snat.device.events import Noted
from snat.device.refused import CommandRefused
from snat.device.status import NatStatus
from snat.nat.own_ports import OwnPorts
from snat.nat.tracking import UDP
from snat.translate.translator import Verdict
from tests.device.groups import SERVER, settled
from tests.packets import buffer, parse, tcp, udp
from tests.simulation.network import Network

S, V = "198.51.100.10", "203.0.113.50"
LINES = f"""\
interface out0
 ip address 203.0.113.100 255.255.255.0
 ip nat outside
access-list 1 permit 10.0.0.0 0.0.0.255
access-list 2 permit 198.51.100.0 0.0.0.255
access-list 3 permit {V}
ip nat pool WHOLE 203.0.113.1 203.0.113.1 prefix-length 24
ip nat pool OL 10.9.9.1 10.9.9.1 prefix-length 24
ip nat pool TURNS 10.0.9.1 10.0.9.2 prefix-length 24 type rotary
ip nat inside source list 1 pool WHOLE
ip nat outside source list 2 pool OL
ip nat inside destination list 3 pool TURNS
ip nat inside source static 10.0.9.9 203.0.113.20
ip nat inside source static tcp 10.0.9.8 80 203.0.113.21 8080
ip nat outside source static 198.51.101.9 10.9.9.9
"""


def device_of(text: str = LINES) -> Device:
    configuration, wrong = read_configuration(text, "test")
    assert not wrong
    return Device(configuration, incarnation=1, terms={}, ports=random.Random(1), ttl_step=-1, now=0.0)


def send(device: Device, packet: Packet, *, from_outside: bool = False, now: float = 1.0) -> Verdict:
    filled, end = buffer(packet)
    return device.packet(filled, end, from_outside, now)


def busy() -> Device:
    """An entry of every kind."""
    device = device_of()
    assert send(device, udp("10.0.0.2", 5000, SERVER, 53))
    assert send(device, udp(S, 4000, "10.0.9.9", 53), from_outside=True)
    assert send(device, tcp(S, 4001, V, 80), from_outside=True)
    return device


def status(device: Device) -> NatStatus:
    *_, found = usage.nat_status(device, 2.0)
    assert found is not None
    return found


def test_show_ip_nat_translations_as_ios_prints_it() -> None:
    rows = sorted(str(line) for line in translations(report.translations(busy())))
    assert rows == sorted(
        [
            "Pro Inside global      Inside local       Outside local      Outside global",
            "--- 203.0.113.1        10.0.0.2           ---                ---",
            "udp 203.0.113.1:5000   10.0.0.2:5000      198.51.100.7:53    198.51.100.7:53",
            "--- ---                ---                10.9.9.1           198.51.100.10",
            "udp 10.0.9.9:53        10.0.9.9:53        10.9.9.1:4000      198.51.100.10:4000",
            "tcp 203.0.113.50:80    10.0.9.1:80        10.9.9.1:4001      198.51.100.10:4001",
            "--- 203.0.113.20       10.0.9.9           ---                ---",
            "tcp 203.0.113.21:8080  10.0.9.8:80        ---                ---",
            "--- ---                ---                10.9.9.9           198.51.101.9",
        ]
    )


def test_verbose_says_what_kind_they_are() -> None:
    rows = [row for row in report.translations(busy(), verbose_at=2.0) if row is not None]
    told = {
        (row.inside_local, row.outside_local): (row.detail.flags, row.detail.rule, row.detail.uses)
        for row in rows
        if row.detail is not None
    }
    assert sorted(told.values()) == sorted(
        [
            ((), 1, 1),
            (("extended",), 1, 0),
            (("outside",), 3, 2),
            (("extended", "inbound"), 0, 0),
            (("extended", "destination", "inbound"), 2, 0),
            (("static",), 0, 0),
            (("static",), 0, 0),
            (("static", "outside"), 0, 0),
        ]
    )


def test_entries_are_counted_by_kind_rule_and_pool() -> None:
    told = status(busy())
    assert (told.total, told.static, told.extended) == (8, 3, 3)
    assert [(rule.kind, rule.references) for rule in told.rules] == [
        ("inside source", 2),
        ("inside destination", 1),
        ("outside source", 1),
    ]
    assert [(pool.name, pool.addresses, pool.allocated) for pool in told.pools] == [
        ("WHOLE", 1, 1),
        ("OL", 1, 1),
        ("TURNS", 2, 1),
    ]


def test_clearing_everything_leaves_the_entries_of_static_rules() -> None:
    device = busy()
    device.clear(2.0)
    assert status(device).total == status(device).static == 3


def test_a_static_entry_cannot_be_cleared() -> None:
    device = busy()
    statics = [record for record in device.table if record[42] & 1]
    with pytest.raises(CommandRefused, match="goes with its line"):
        device.forget(statics, 2.0)
    device.forget(list(device.table), 2.0)
    assert set(device.table) == set(statics)


def test_entries_of_static_rules_follow_the_configuration() -> None:
    device = device_of()
    less = LINES.replace("ip nat inside source static 10.0.9.9 203.0.113.20\n", "")
    device.configure(read_configuration(less, "test")[0], 2.0)
    assert status(device).static == 2
    device.configure(read_configuration(LINES, "test")[0], 3.0)
    assert status(device).static == 3


def test_exhaustion_is_said_once_and_its_end_too() -> None:
    device = busy()
    said = []
    for second in range(20, 200):
        if second in (30, 31, 70):
            assert not send(device, udp("10.0.0.3", 5000 + second, SERVER, 53), now=second)
        device.turn(float(second))
        said += [
            (event.fields["alarm"], event.alarm)
            for event in device.events()
            if isinstance(event, Noted) and "exhausted" in str(event.fields.get("alarm"))
        ]
    assert [alarm for _, alarm in said] == [True, False]
    assert said[0][0] == "pool WHOLE is exhausted, misses 1"
    assert EXHAUSTED == 60.0
    (pool,) = [one for one in status(device).pools if one.name == "WHOLE"]
    assert pool.misses == 3


def test_an_interface_gets_and_loses_its_address() -> None:
    text = """\
interface out0
 ip nat outside
access-list 1 permit 10.0.0.0 0.0.0.255
ip nat inside source list 1 interface out0 overload
ip nat inside source static tcp 10.0.0.8 80 interface out0 8080
"""
    device = device_of(text)
    packet = udp("10.0.0.2", 5000, SERVER, 53)
    assert not send(device, packet)
    assert device.translator.counters.no_address == 1
    device.readdress({"out0": bytes((192, 0, 2, 9))})
    filled, end = buffer(packet)
    assert device.packet(filled, end, False, 2.0)
    assert parse(filled, end).src == "192.0.2.9"
    assert send(device, tcp(S, 4000, "192.0.2.9", 8080), from_outside=True)
    assert status(device).static == 1
    device.readdress({})
    assert not send(device, udp("10.0.0.2", 5001, SERVER, 53))
    assert not send(device, tcp("10.0.0.8", 80, SERVER, 53))
    assert status(device).static == 0
    assert send(device, packet), "what began goes on"


@pytest.mark.parametrize("rule", ["", "ip nat inside destination list 3 pool TURNS\n"])
def test_hosts_of_a_pool_for_turns_are_reached_with_and_without_a_rule(rule: str) -> None:
    pool = "ip nat pool TURNS 10.0.9.1 10.0.9.2 prefix-length 24 type rotary\n"
    device = device_of(f"access-list 3 permit {V}\n{pool}{rule}")
    for from_outside, source in ((True, S), (False, "10.0.0.2")):
        filled, end = buffer(udp(source, 4000, "10.0.9.1", 53))
        assert device.packet(filled, end, from_outside, 1.0), "it is routed untranslated"
        assert parse(filled, end).dst == "10.0.9.1"


SHARED = """\
interface out0
 ip address 203.0.113.1 255.255.255.0
 ip nat outside
access-list 1 permit 10.0.0.0 0.0.0.255
ip nat inside source list 1 interface out0 overload
"""


def seen_port(device: Device, port: int) -> int:
    """The port that an outside host sees of an inside one's."""
    filled, end = buffer(udp("10.0.0.2", port, SERVER, 53))
    assert device.packet(filled, end, False, 2.0)
    return int(parse(filled, end).sport)


def test_an_address_that_the_kernel_took_away_is_not_used_although_it_is_configured() -> None:
    """Before anybody told (a capture has no kernel) it is what the configuration says."""
    device = device_of(SHARED)
    assert send(device, udp("10.0.0.2", 5000, SERVER, 53))
    device.readdress({})
    assert not send(device, udp("10.0.0.2", 5001, SERVER, 53))
    assert device.translator.counters.no_address == 1
    device.readdress({"out0": bytes((203, 0, 113, 1))})
    assert send(device, udp("10.0.0.2", 5002, SERVER, 53))


def test_a_port_at_which_the_router_begins_to_listen_is_given_to_nobody_any_more() -> None:
    device = device_of(SHARED)
    address = {"out0": bytes((203, 0, 113, 1))}
    assert seen_port(device, 5000) == 5000
    device.readdress(address, OwnPorts([(UDP, 5000), (UDP, 5001)]))
    (pool,) = device.translator.flows.rules.pools
    assert seen_port(device, 5000) == 5000, "who has it keeps it"
    assert seen_port(device, 5001) != 5001
    assert seen_port(device, 22) == 22, "it is a port of TCP"
    assert seen_port(device, 1985) != 1985, "what the router always has comes on top"
    device.readdress(address, OwnPorts())
    assert seen_port(device, 5001) != 5001, "a flow keeps its port"
    assert device.translator.flows.rules.pools == (pool,), "with its quarantine"


def test_whole_addresses_are_shared_and_a_taker_goes_on_with_them() -> None:
    network = Network(5, {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP})
    network.run_until(network.quiet)
    for router in network.routers.values():
        was = router.device.configuration
        (rule,) = was.dynamic_rules
        whole: DynamicRule = replace(rule, overload=False)
        router.device.configure(replace(was, dynamic_rules=(whole,)), network.now)
    network.run_until(network.quiet)
    first, second = network.routers[1], network.routers[2]
    sent = first.send_from_inside(udp("10.0.0.5", 40001, SERVER, 53))
    settled(network)
    assert len(second.device.table) == len(first.device.table) == 2
    first.kill()
    network.run_until(lambda: second.device.groups[0].manages)
    again = second.send_from_inside(udp("10.0.0.5", 40002, SERVER, 53))
    assert (again.src, again.sport) == (sent.src, 40002)
