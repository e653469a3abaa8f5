"""``none``: two routers on loopback with captures in the TUNs' place; needs no privilege.

R1 translates the bundled capture; what it wrote tells each flow's outside address and port. The servers'
replies to those, and the inside hosts' next packets, are then put in R2's capture, which R2 replays once R1
is killed and it manages. Every packet must come out, right to the last field, with right checksums.
"""

import secrets
import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from snat.lab.capture import (
    CapturedFlow,
    Endpoint,
    append,
    bundled_capture,
    bundled_flows,
    continuing_packets,
    flow_number,
    opening_packets,
    read,
    write,
)
from snat.lab.configuration import Member, issue_certificates, router_text
from snat.lab.laboratory import Laboratory, within
from snat.lab.measure import FaultOutcome, FlowOutcome
from snat.lab.packets import ICMP, PROTOCOL_NAMES, Packet
from snat.lab.report import Report
from snat.lab.router import Router

LOOPBACK: Final = "127.0.0.1"
LOWEST: Final = 10240
"""Below are the ports that services are known by."""
EPHEMERAL: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
REPLAY_TIMEOUT: Final = 10.0


def play(lab: Laboratory) -> Report:
    """Replay through R1, kill it, go on through R2."""
    pair = _build(lab)
    lab.await_ready({"r1": "MANAGE", "r2": "LISTEN"})
    lab.say("R1 manages, R2 listens; linked both ways, synchronised and verified")
    opened, wrong_before = _replayed(pair.written["r1"], len(list(opening_packets())))
    outside = outside_endpoints(opened)
    lab.say(f"R1 translated {len(opened)} packets of {len(bundled_flows())} flows")
    equal = lab.tables_equal([pair.r1, pair.r2])
    following = list(continuing_packets(outside))
    append(pair.later, following)
    lab.say(f"tables {'equal' if equal else 'DIFFERENT'}; {len(following)} packets wait for R2")

    lab.say("kill -9 of R1")
    moment, killed = lab.elapsed, time.monotonic()
    lab.kill(pair.r1)
    within(lambda: bool(read(pair.written["r2"])[0]), seconds=REPLAY_TIMEOUT)
    outage = time.monotonic() - killed
    lab.observe()
    continued, wrong_after = _replayed(pair.written["r2"], len(following))
    lab.say(f"R2 manages as proxy primary; translated {len(continued)} packets of flows it never saw begin")
    outcomes = tuple(judge(flow, opened, continued) for flow in bundled_flows())
    fault = FaultOutcome(
        name="kill -9 of R1",
        moment=moment,
        manager="R2",
        outage=outage,
        flows_lost=sum(not outcome.survived for outcome in outcomes),
        bytes_lost=0,
        bytes_repeated=0,
        tables_equal=None,
    )
    return Report(
        topology="none",
        outcomes=outcomes,
        outage=outage,
        outage_meaning="from kill -9 until R2 had translated its first packet",
        tables_equal=equal,
        faults=(fault,),
        seconds=lab.elapsed,
        timeline=tuple(lab.timeline),
        wrong=(*wrong_before, *wrong_after),
    )


class Pair:
    """Two routers on loopback, and the captures they write."""

    def __init__(self, directory: Path) -> None:
        self.later = directory / "later.pcap"
        self.written = {host: directory / f"{host}.pcap" for host in ("r1", "r2")}
        begins = directory / "inside.pcap"
        begins.write_bytes(bundled_capture())
        with self.later.open("wb") as file:
            write(file, ())
        members = _members()
        certificates = directory / "pki"
        issue_certificates(certificates, members)
        self.r1, self.r2 = (
            Router(
                member.host,
                router_text(member, members, certificates=certificates, virtual_address=False),
                directory=directory,
                captures=(replayed, self.written[member.host]),
            )
            for member, replayed in zip(members, (begins, self.later), strict=True)
        )


def _members() -> tuple[Member, Member]:
    first, second = free_ports(2)
    return (
        Member(host="r1", nat_id=1, role="primary", address=LOOPBACK, port=first),
        Member(host="r2", nat_id=2, role="backup", address=LOOPBACK, port=second),
    )


def free_ports(count: int) -> list[int]:
    """Different TCP ports on loopback that nobody listens on now.

    Below those that the kernel gives to connections: a router that dials before the other listens could
    otherwise be given the very port, as its own end, and keep it from the other.
    """
    first = int(EPHEMERAL.read_text().split()[0])
    with ExitStack() as held:
        ports: list[int] = []
        while len(ports) < count:
            port = secrets.choice(range(LOWEST, first))
            each = held.enter_context(socket.socket())
            with suppress(OSError):
                each.bind((LOOPBACK, port))
                ports.append(port)
        return ports


def _build(lab: Laboratory) -> Pair:
    directory = Path(lab.enter_context(tempfile.TemporaryDirectory(prefix="snat-lab-")))
    pair = Pair(directory)
    lab.start(pair.r1, pair.r2)
    lab.say("certificates issued, R1 (primary) and R2 (backup) started on loopback")
    return pair


def _replayed(path: Path, count: int) -> tuple[list[Packet], list[str]]:
    """The packets a router wrote, once they are ``count`` or no more come; and what is wrong with any."""
    within(lambda: sum(len(part) for part in read(path)) >= count, seconds=REPLAY_TIMEOUT)
    packets, wrong = read(path)
    return packets, [f"{path.name}: {fault}" for fault in wrong]


def outside_endpoints(packets: Sequence[Packet]) -> dict[int, Endpoint]:
    """By flow, the address and port that its first translated packet left with."""
    endpoints: dict[int, Endpoint] = {}
    for packet in packets:
        if number := flow_number(packet):
            endpoints.setdefault(number, packet.source)
    return endpoints


def translated_out(packet: Packet, outside: Endpoint) -> Packet:
    """What a right translator makes of a packet from inside."""
    return _with_ends(packet, outside, packet.destination)


def translated_in(packet: Packet, inside: Endpoint) -> Packet:
    """What a right translator makes of a packet from outside."""
    return _with_ends(packet, packet.source, inside)


def _with_ends(packet: Packet, source: Endpoint, destination: Endpoint) -> Packet:
    """An ICMP query has one identifier: the translated one stands for both ports."""
    if packet.protocol == ICMP and not packet.reply:
        destination = (destination[0], source[1])
    elif packet.protocol == ICMP:
        source = (source[0], destination[1])
    return replace(packet, source=source, destination=destination)


def judge(flow: CapturedFlow, opened: Sequence[Packet], continued: Sequence[Packet]) -> FlowOutcome:
    """What became of one flow, by what the two routers wrote."""
    before = outside_endpoints(opened).get(flow.number)
    own = [packet for packet in continued if flow_number(packet) == flow.number]
    after = next((packet.source for packet in own if packet.destination != flow.inside), None)
    return FlowOutcome(
        protocol=PROTOCOL_NAMES[flow.protocol],
        inside=_text(flow.inside),
        outside_before=_text(before),
        outside_after=_text(after),
        faults=tuple(_faults(flow, before, opened, continued)),
    )


def _faults(
    flow: CapturedFlow, outside: Endpoint | None, opened: Sequence[Packet], continued: Sequence[Packet]
) -> list[str]:
    if outside is None:
        return ["R1 did not translate it"]
    wanted: Mapping[str, tuple[list[Packet], Sequence[Packet]]] = {
        "R1: a packet from inside": ([translated_out(each, outside) for each in flow.opening()], opened),
        "R2: a reply from outside": (
            [translated_in(each, flow.inside) for each in flow.replies(outside)],
            continued,
        ),
        "R2: the next packet from inside": ([translated_out(flow.continuation(), outside)], continued),
    }
    return [
        f"{what} did not come out as it should"
        for what, (packets, written) in wanted.items()
        if any(packet not in written for packet in packets)
    ]


def _text(end: Endpoint | None) -> str:
    return f"{end[0]}:{end[1]}" if end else ""
