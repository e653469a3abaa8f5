"""Lines of debugging, in the forms of IOS (ios-cli.md 2.1, 2.2)."""

from collections.abc import Iterator
from typing import Final

from snat.device.links import Stage
from snat.device.tracing import Trace
from snat.translate.alg.reading import Rewrite
from snat.translate.translator import Verdict
from snat.translate.watch import Sight

_PROTOCOLS: Final = {1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp"}
_SHOWN: Final = 120
"""Bytes of what a gateway rewrote."""
_SAID_ALWAYS: Final = ("KEEPALIVE", "ROLE")
"""What every neighbor says several times in a second; only detailed debugging has it."""


def packet(sight: Sight, *, detailed: bool) -> Iterator[str]:
    """``NAT*: s=10.0.0.5->203.0.113.10, d=198.51.100.7 [6825]``; the star is for the fast path.

    Of a packet that was routed untranslated there is nothing.
    """
    name = "NAT*" if sight.fast else "NAT"
    if sight.verdict is Verdict.DROP:
        source, destination = _address(sight.before, 0), _address(sight.before, 4)
        yield f"{name}: not translated, dropped s={source}, d={destination} [{sight.identification}]"
        return
    if sight.before == sight.after:
        return
    if detailed:
        side = "o" if sight.from_outside else "i"
        protocol = _PROTOCOLS.get(sight.protocol) or str(sight.protocol)
        source, destination = _endpoint(sight.before, 0, 8), _endpoint(sight.before, 4, 10)
        yield f"{name}: {side}: {protocol} {source} -> {destination} [{sight.identification}]"
    yield f"{name}: s={_change(sight, 0)}, d={_change(sight, 4)} [{sight.identification}]"


def rewritten(rewrite: Rewrite) -> Iterator[str]:
    """``NAT: ftp i: tcp (10.0.0.5, 40001) [10,0,0,5,1,2] -> [203,0,113,1,1,2]``; IOS has no such line."""
    record = rewrite.record
    protocol = _PROTOCOLS.get(record[22]) or str(record[22])
    side = "o" if rewrite.from_outside else "i"
    inside = f"({_address(record, 16)}, {int.from_bytes(record[20:22], 'big')})"
    texts = (_printable(text) for text in (rewrite.before, rewrite.after))
    yield f"NAT: {rewrite.name} {side}: {protocol} {inside} [{'] -> ['.join(texts)}]"


def message(trace: Trace, own: int, role: str, *, detailed: bool) -> Iterator[str]:
    """One message on its way, with our NAT ID; without ``detailed`` only what is not said all the time."""
    if trace.kind in _SAID_ALWAYS and not detailed:
        return
    match trace.stage:
        case Stage.DIALLED:
            yield f"SNAT:Establish TCP peers for {role}"
        case Stage.QUEUED:
            yield f"SNAT (Send):Enqueuing {trace.kind} Message for Router-Id {trace.nat_id}"
        case Stage.SENT if detailed:
            yield f"SNAT(write2net):{trace.local_address} <---> {trace.destination_address} send message"
            yield f"SNAT(write2net):ver {trace.version}, id {own}, opcode {trace.opcode}, len {trace.length}"
        case Stage.READ:
            yield f"SNAT (readfromnet):Enqueuing {trace.kind} Message msg to readQ"
        case Stage.APPLIED:
            owner = trace.owner or trace.nat_id
            who = f"Router-Id:{trace.nat_id} for Router-Id:{owner}'s entry/entries"
            yield f"SNAT (Receive):Processed {trace.kind} Message from {who}"


def _printable(text: bytes) -> str:
    """At most so much of it, and nothing that a terminal would obey."""
    shown = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in text[:_SHOWN])
    return shown + "..." * (len(text) > _SHOWN)


def _address(endpoints: bytes, at: int) -> str:
    return ".".join(map(str, endpoints[at : at + 4]))


def _endpoint(endpoints: bytes, address: int, port: int) -> str:
    return f"({_address(endpoints, address)}, {int.from_bytes(endpoints[port : port + 2], 'big')})"


def _change(sight: Sight, at: int) -> str:
    before, after = _address(sight.before, at), _address(sight.after, at)
    return before if before == after else f"{before}->{after}"
