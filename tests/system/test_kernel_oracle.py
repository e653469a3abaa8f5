"""The same packets through the kernel's NAT and through our translator: what comes out must be the same.

Outside ports and identifiers are each NAT's own choice, so a packet from outside is addressed to what that
NAT chose, and what is compared has them left out. Where the two differ, ``EXPLAINED`` says why, and nothing
else may. Checksums are compared by what is left over when they are checked: a wrong one stays as wrong.
"""

import os
import random
import select
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Packet

from snat.net.tun import BUFFER, Offload, open_tun
from snat.translate.translator import Verdict
from tests.packets import buffer, internet_checksum, recomputed, udp
from tests.system.namespaces import Namespace, namespaces
from tests.translate.nat import A, B, Nat, P, S, T, rules

pytestmark = pytest.mark.root

STEPS: Final = 500
UNMAPPED: Final = 9
"""An outside port that nobody has."""
SENTINEL: Final = ("10.0.0.250", 7, "198.51.100.250", 7)
"""A flow of the kernel's own: once its packet is out, what was written before it is out too, or dropped."""
RULES: Final = f"""
table ip nat {{
    chain leave {{
        type nat hook postrouting priority srcnat;
        ip saddr 10.0.0.0/8 oifname "outside" snat to {P}
    }}
}}
table ip filter {{
    chain pass {{
        type filter hook forward priority filter;
        ct state invalid drop
        iifname "outside" ct state new drop
    }}
}}
"""
SYSCTLS: Final = (
    "net.ipv4.ip_forward=1",
    "net.ipv4.conf.all.rp_filter=0",
    "net.ipv4.conf.default.rp_filter=0",
    "net.ipv6.conf.all.disable_ipv6=1",
    "net.netfilter.nf_conntrack_checksum=0",  # as we: a wrong checksum is the receiver's to find
    "net.netfilter.nf_conntrack_tcp_loose=0",  # as we: only a SYN opens
)


# The two


class KernelNat:
    """Netfilter between two TUNs of a namespace."""

    def __init__(self, inside: int, outside: int) -> None:
        self._tuns = {False: inside, True: outside}

    def send(self, packet: bytes, from_outside: bool) -> bytes | None:
        os.write(self._tuns[from_outside], bytes(10) + packet)
        return self._read(self._tuns[not from_outside])

    def _read(self, tun: int) -> bytes | None:
        """The next packet that is not the sentinel; None if the sentinel is the first."""
        found: bytes | None = None
        os.write(self._tuns[False], bytes(10) + bytes(udp(*SENTINEL)))
        while True:
            assert select.select([self._tuns[True], tun], [], [], 5)[0], "the sentinel is lost"
            for one in {self._tuns[True], tun}:
                try:
                    got = os.read(one, BUFFER)[10:]
                except BlockingIOError:
                    continue
                if IP(got).dst == SENTINEL[2]:
                    return found
                if one == tun:
                    found = got


class OurNat:
    """The translator, as the only router between both sides."""

    def __init__(self) -> None:
        self._nat = Nat(rules(slots=range(16)))

    def send(self, packet: bytes, from_outside: bool) -> bytes | None:
        filled, end = buffer(packet)
        verdict = self._nat.translator.translate(filled, end, from_outside, self._nat.now)
        expected = Verdict.TO_INSIDE if from_outside else Verdict.TO_OUTSIDE
        return bytes(filled[10:end]) if verdict == expected else None


@contextmanager
def kernel_nat(router: Namespace) -> Iterator[KernelNat]:
    with router.entered():
        inside, outside = (open_tun(name, Offload.OFF) for name in ("inside", "outside"))
    try:
        router.run("sysctl", "-qw", *SYSCTLS)
        for name, address in (("inside", "10.0.0.1/8"), ("outside", "192.0.2.1/24")):
            router.ip("addr", "add", address, "dev", name)
            router.ip("link", "set", name, "up")
        router.ip("route", "add", "default", "dev", "outside")
        router.ip("route", "add", "blackhole", P)
        nft = ["ip", "netns", "exec", router.name, "nft", "-f", "-"]
        subprocess.run(nft, input=RULES, text=True, check=True)
        yield KernelNat(inside, outside)
    finally:
        os.close(inside)
        os.close(outside)


# What is sent


@dataclass(eq=False)
class Flow:
    """A conversation. What its far end answers to is each NAT's own."""

    protocol: str
    near: tuple[str, int]
    far: tuple[str, int]
    tcp: list[int] = field(default_factory=lambda: [1000, 5000])
    """The next sequence numbers of both ends."""
    said: list[str] = field(default_factory=list)
    """Flags so far, of either end: lower case from outside."""
    mapped: dict[object, int] = field(default_factory=dict)
    """Outside port or identifier, by NAT."""


@dataclass(frozen=True)
class Step:
    """A packet of a flow, before it is known what the NAT chose."""

    flow: Flow
    from_outside: bool
    make: Callable[[str, int, str, int], Packet]
    stranger: str = ""
    """Who sends it from outside: the far end, or "port", "host", or to "nobody"."""

    def packet(self, nat: object) -> bytes:
        flow = self.flow
        if not self.from_outside:
            return bytes(self.make(*flow.near, *flow.far))
        host, port = flow.far
        host, port = {"port": (host, port + 1), "host": ("198.51.100.77", port)}.get(
            self.stranger, (host, port)
        )
        mapped = UNMAPPED if self.stranger == "nobody" else flow.mapped.get(nat, UNMAPPED)
        return bytes(self.make(host, port, P, mapped))


class Script:
    """Steps, as a seed decides."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._flows: dict[tuple[Any, ...], Flow] = {}

    def step(self) -> Step:
        dice = self._dice
        flow = self._flow()
        if flow.protocol == "tcp":
            return self._segment(flow)
        from_outside = dice.random() < 0.45
        stranger = dice.choice(("", "", "", "port", "host", "nobody")) if from_outside else ""
        if flow.protocol == "icmp":
            return Step(flow, from_outside, self._echo(from_outside), stranger)
        return Step(flow, from_outside, self._datagram(), stranger)

    def _flow(self) -> Flow:
        dice = self._dice
        if self._flows and dice.random() < 0.85:
            return dice.choice(list(self._flows.values()))
        protocol = dice.choice(("udp", "tcp", "icmp"))
        near = dice.choice((A, B)), dice.choice((600, 5000, 5001, 5002, dice.randrange(1024, 65536)))
        far = dice.choice((S, T)), dice.choice((53, 443))
        return self._flows.setdefault((protocol, near, far), Flow(protocol, near, far))

    def _ip(self) -> dict[str, Any]:
        dice = self._dice
        flags = dice.choice(("DF", "DF", 0))
        return {
            "flags": flags,
            "ttl": dice.choice((2, 64, 255)),
            "tos": dice.choice((0, 0x2E << 2, 3)),
            "id": dice.randrange(65536),
        }

    def _payload(self) -> bytes:
        return self._dice.randbytes(self._dice.choice((0, 1, 2, 100, 999, 1400)))

    def _datagram(self) -> Callable[[str, int, str, int], Packet]:
        ip, payload, kind = (
            self._ip(),
            self._payload(),
            self._dice.choice(("right", "right", "none", "wrong")),
        )

        def make(source: str, sport: int, destination: str, dport: int) -> Packet:
            made = IP(src=source, dst=destination, **ip) / UDP(sport=sport, dport=dport) / payload
            return _with_checksum(made, UDP, kind)

        return make

    def _echo(self, from_outside: bool) -> Callable[[str, int, str, int], Packet]:
        ip, payload, kind = self._ip(), self._payload(), self._dice.choice(("right", "right", "wrong"))
        number = self._dice.randrange(65536)

        def make(source: str, sport: int, destination: str, dport: int) -> Packet:
            identifier = dport if from_outside else sport
            query = ICMP(type=0 if from_outside else 8, id=identifier, seq=number)
            return _with_checksum(IP(src=source, dst=destination, **ip) / query / payload, ICMP, kind)

        return make

    def _segment(self, flow: Flow) -> Step:
        """The next of a well-behaved connection, one sent again, or one that belongs to nothing."""
        dice = self._dice
        if dice.random() < 0.1:
            stranger = dice.choice(("host", "nobody"))
            return Step(flow, True, self._tcp(dice.choice(("S", "SA", "A", "R")), 77, 99, b""), stranger)
        if "S" in flow.said and "sa" not in flow.said and dice.random() < 0.1:
            return Step(flow, False, self._tcp("A", flow.tcp[0], flow.tcp[1], b"too early"))
        from_outside, flags, payload = self._next(flow)
        near, far = flow.tcp
        own, other = (far, near) if from_outside else (near, far)
        step = Step(flow, from_outside, self._tcp(flags, own, other if "A" in flags else 0, payload))
        if dice.random() < 0.9:  # else it is sent again later
            flow.said.append(flags.lower() if from_outside else flags)
            flow.tcp[from_outside] += len(payload) + ("S" in flags) + ("F" in flags)
        return step

    def _next(self, flow: Flow) -> tuple[bool, str, bytes]:
        dice, said = self._dice, flow.said
        if "S" not in said:
            return (False, "A", b"early") if dice.random() < 0.1 else (False, "S", b"")
        if "sa" not in said:
            return True, "SA", b""
        if not said.count("A"):
            return False, "A", b""
        if "FA" not in said:
            return (
                (False, "FA", b"") if dice.random() < 0.15 else (dice.random() < 0.5, "PA", self._payload())
            )
        if "fa" not in said:
            return True, "FA", b""
        if dice.random() < 0.5:
            return False, "A", b""
        flow.said, flow.tcp = [], [flow.tcp[0] + 100_000, flow.tcp[1] + 100_000]
        return False, "S", b""

    def _tcp(
        self, flags: str, own: int, other: int, payload: bytes
    ) -> Callable[[str, int, str, int], Packet]:
        ip, kind = self._ip(), self._dice.choice(("right", "right", "wrong"))
        options = self._dice.choice(([], [("Timestamp", (1, 2))]))

        def make(source: str, sport: int, destination: str, dport: int) -> Packet:
            segment = TCP(sport=sport, dport=dport, flags=flags, seq=own, ack=other, options=options)
            return _with_checksum(IP(src=source, dst=destination, **ip) / segment / payload, TCP, kind)

        return make


def _with_checksum(packet: Packet, layer: type[Packet], kind: str) -> Packet:
    made = recomputed(packet)
    if kind == "none":
        made[layer].chksum = 0
    elif kind == "wrong":
        made[layer].chksum = (made[layer].chksum + 1) % 0xFFFF or 1
    return made


# What is compared


def normalised(data: bytes | None, from_outside: bool) -> dict[str, Any] | None:
    """All of a packet but what each NAT may choose; None: nothing came out."""
    if data is None:
        return None
    packet = IP(data)
    ihl = packet.ihl * 4
    pseudo = (
        b""
        if packet.proto == 1
        else data[12:20] + bytes((0, packet.proto)) + (len(data) - ihl).to_bytes(2, "big")
    )
    found: dict[str, Any] = {
        "addresses": (packet.src, packet.dst),
        "header": (packet.tos, packet.ttl, str(packet.flags), packet.frag, data[20:ihl]),
        # Whoever may be fragmented must have an ID that is unique outside (RFC 6864): then it is our own.
        "id": packet.id if packet.flags.DF else None,
        "checksums": (internet_checksum(data[:ihl]), internet_checksum(pseudo + data[ihl:])),
        "payload": bytes(packet.payload.payload),
    }
    if TCP in packet:
        tcp = packet[TCP]
        found["transport"] = (tcp.seq, tcp.ack, str(tcp.flags), tcp.window, tcp.options, tcp.urgptr)
    if ICMP in packet:
        found["transport"] = (packet[ICMP].type, packet[ICMP].code, packet[ICMP].seq)
        found["port"] = packet[ICMP].id if from_outside else None
    elif UDP in packet or TCP in packet:
        found["port"] = (packet.sport if from_outside else None, packet.dport)
    if UDP in packet and packet[UDP].chksum == 0:
        found["checksums"] = (found["checksums"][0], "none")
    return found


@dataclass(frozen=True)
class Difference:
    """One that is meant."""

    why: str
    explains: Callable[[Step, Any, Any], bool]
    """By the step, what the kernel made of it, and what we did."""


EXPLAINED: Final = {
    "filtering": Difference(
        "Any port of a host that was sent to may answer (RFC 4787 REQ-8, address-dependent filtering); "
        "netfilter lets in the very port only.",
        lambda step, kernel, ours: step.stranger == "port" and kernel is None and ours is not None,
    ),
    "unanswered": Difference(
        "Netfilter drops what does not fit a connection's state; we translate what belongs to an entry and "
        "leave the rest to the ends (RFC 5382 REQ-2).",
        lambda step, kernel, ours: (
            step.flow.protocol == "tcp" and "sa" not in step.flow.said and kernel is None and ours is not None
        ),
    ),
}


def differences(script: Script, kernel: KernelNat, count: int) -> Counter[str]:
    """Play a script to both; how often each explanation was needed, and what both translated.

    Fails where the two differ and no explanation fits.
    """
    ours = OurNat()
    seen: Counter[str] = Counter()
    for number in range(count):
        step = script.step()
        made = {}
        for nat in (kernel, ours):
            sent = step.packet(nat)
            out = nat.send(sent, step.from_outside)
            if out is not None and not step.from_outside:
                packet = IP(out)
                step.flow.mapped[nat] = packet[ICMP].id if ICMP in packet else packet.sport
            made[nat] = normalised(out, step.from_outside)
        if made[kernel] != made[ours]:
            name = next((n for n, d in EXPLAINED.items() if d.explains(step, made[kernel], made[ours])), None)
            shown = f"step {number}: {step}\nkernel: {made[kernel]}\n  ours: {made[ours]}"
            assert name is not None, shown
            seen[name] += 1
        elif made[kernel] is not None:
            seen[f"{step.flow.protocol} {'back' if step.from_outside else 'out'}"] += 1
        else:
            seen["dropped"] += 1
    return seen


SEEDS: Final = (1, 2, 3, 4)
TRANSLATED: Final = {f"{protocol} {way}" for protocol in ("udp", "tcp", "icmp") for way in ("out", "back")}


def test_what_we_make_of_packets_is_what_the_kernel_makes_of_them() -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        with namespaces("oracle") as (router,), kernel_nat(router) as kernel:
            seen += differences(Script(seed), kernel, STEPS)
    assert set(EXPLAINED) <= set(seen), f"an explanation that nothing needs: {seen}"
    assert all(seen[one] > STEPS / 20 for one in (*TRANSLATED, "dropped")), f"too little to compare: {seen}"


# ICMP errors, whose quotation is restored to what its receiver sent

NEAR_ROUTER, FAR_ROUTER = "10.0.0.254", "192.0.2.77"
ERRORS: Final = {
    "host unreachable": ICMP(type=3, code=1),
    "port unreachable": ICMP(type=3, code=3),
    "fragmentation needed": ICMP(type=3, code=4, nexthopmtu=1300),
    "prohibited": ICMP(type=3, code=13),
    "time exceeded": ICMP(type=11, code=0),
    "parameter problem": ICMP(type=12, code=0, ptr=1),
}
QUOTES: Final = {"8 bytes": 28, "TCP header": 40, "all": 2000}
KINDS: Final = ("udp", "udp without checksum", "tcp", "icmp")


def asking(kind: str, host: str, port: int) -> Packet:
    """The first packet of a flow; both NATs keep the port."""
    ip = IP(src=host, dst=S, flags="DF", ttl=33)
    if kind == "tcp":
        return ip / TCP(sport=port, dport=80, seq=77)
    if kind == "icmp":
        return ip / ICMP(id=port, seq=1) / b"ping"
    checksum = {"chksum": 0} if kind == "udp without checksum" else {}
    return ip / UDP(sport=port, dport=53, **checksum) / b"some question"


def answering(asked: Packet) -> Packet:
    ip = IP(src=asked.dst, dst=asked.src, flags="DF", ttl=44)
    if TCP in asked:
        return ip / TCP(sport=asked.dport, dport=asked.sport, flags="SA", seq=55, ack=asked[TCP].seq + 1)
    if ICMP in asked:
        return ip / ICMP(type=0, id=asked[ICMP].id, seq=1) / b"ping"
    return ip / UDP(sport=asked.dport, dport=asked.sport) / b"some answer"


def error(source: str, destination: str, kind: str, quoted: bytes) -> bytes:
    return bytes(IP(src=source, dst=destination, flags="DF", ttl=60) / ERRORS[kind] / quoted)


def shown(data: bytes | None) -> str:
    return "nothing" if data is None else str(IP(data).show2(dump=True))


@pytest.fixture(scope="module")
def netfilter() -> Iterator[KernelNat]:
    with namespaces("oracle") as (router,), kernel_nat(router) as nat:
        yield nat


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("told", ERRORS)
@pytest.mark.parametrize("length", QUOTES)
def test_i4_t9_u12_an_error_from_outside_is_restored_as_the_kernel_does(
    netfilter: KernelNat, kind: str, told: str, length: str
) -> None:
    port = 2000 + 100 * KINDS.index(kind) + 10 * list(ERRORS).index(told) + list(QUOTES).index(length)
    made = []
    for nat in (netfilter, OurNat()):
        out = nat.send(bytes(asking(kind, A, port)), from_outside=False)
        assert out is not None
        made.append(nat.send(error(FAR_ROUTER, P, told, out[: QUOTES[length]]), from_outside=True))
    assert made[0] is not None
    assert shown(made[1]) == shown(made[0])
    assert made[1] == made[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("told", ERRORS)
@pytest.mark.parametrize("length", QUOTES)
@pytest.mark.parametrize("source", [B, NEAR_ROUTER])
def test_i5_an_error_from_inside_is_hidden_as_the_kernel_does(
    netfilter: KernelNat, kind: str, told: str, length: str, source: str
) -> None:
    port = 6000 + 100 * KINDS.index(kind) + 10 * list(ERRORS).index(told) + list(QUOTES).index(length)
    port += 1000 if source == B else 0
    made = []
    for nat in (netfilter, OurNat()):
        out = nat.send(bytes(asking(kind, B, port)), from_outside=False)
        assert out is not None
        back = nat.send(bytes(answering(IP(out))), from_outside=True)
        assert back is not None
        made.append(nat.send(error(source, S, told, back[: QUOTES[length]]), from_outside=False))
    assert made[0] is not None
    assert shown(made[1]) == shown(made[0])
    assert made[1] == made[0]
