"""How long a standby takes from the word of its redundancy module to the first packet that it translates."""

import gc
import random
import time
from ipaddress import IPv4Address
from statistics import median

from scapy.layers.inet import IP, TCP

from snat.config.model import Configuration, ConfiguredRole, Group, Peer, Stateful
from snat.config.stateful import Keepalived
from snat.device.device import Device
from snat.nat.entry import Entry
from snat.translate.translator import Verdict
from tests.bench.codec import record
from tests.bench.runs import medians
from tests.packets import buffer

RUNS = 5
SIZES = {"10k": 10_000, "1M": 1_000_000}
_LONG = 100.0
"""Seconds after which a member that hears nobody stands by."""


def takeover() -> dict[str, float]:
    """ms from the module's word to a packet of an entry that another router made, at two sizes of the table.

    The kernel's part (addresses, ARP) and the storing of the term are not in it: `snat lab` has them.
    """
    taken = {name: _each(count) for name, count in SIZES.items()}
    runs = [{f"takeover_{name}_ms": taken[name][number] * 1000 for name in SIZES} for number in range(RUNS)]
    for run in runs:
        run["takeover_1M_to_10k"] = run["takeover_1M_ms"] / run["takeover_10k_ms"]
    return medians(runs)


def takeover_seconds(count: int) -> float:
    """The median of some takeovers with a table of so many entries."""
    return median(_each(count))


def _each(count: int) -> list[float]:
    records = [record(number) for number in range(count)]
    return [_once(records, count // 2) for _ in range(RUNS)]


def _standby() -> Device:
    group = Group(
        role=ConfiguredRole.REDUNDANCY,
        name="SNAT",
        peers=(Peer(address=IPv4Address("192.0.2.1"), nat_id=1, name="r1.example"),),
        mapping_ids=(10,),
        keepalived=Keepalived(instance="V", fifo="/run/f", track_file="/run/t"),
    )
    configuration = Configuration(stateful=Stateful(nat_id=2, groups=(group,)))
    device = Device(configuration, incarnation=1, terms={}, ports=random.Random(1), ttl_step=1, now=0.0)
    for now in (0.0, _LONG / 2, _LONG):
        device.turn(now)
        device.events()
    return device


def _once(records: list[bytes], number: int) -> float:
    """Seconds of one takeover."""
    device = _standby()
    device.table.add(list(records))
    device.turn(_LONG)
    gc.collect()
    (group,) = device.groups
    assert group.standing.name == "LISTEN"
    entry, now = Entry.unpack(records[number]), _LONG
    ends = {"src": _dotted(entry.inside_local), "dst": _dotted(entry.outside_local)}
    ports = {"sport": entry.inside_local_port, "dport": entry.outside_local_port}
    filled, end = buffer(IP(**ends, flags="DF") / TCP(**ports, flags="PA", seq=1, ack=1) / b"x")
    begin = time.perf_counter()
    group.told(True, now)
    while not group.manages:
        device.turn(now)
    verdict = device.packet(filled, end, False, now)
    taken = time.perf_counter() - begin
    assert verdict is Verdict.TO_OUTSIDE
    assert filled[22:26] == entry.inside_global
    return taken


def _dotted(address: bytes) -> str:
    return ".".join(map(str, address))
