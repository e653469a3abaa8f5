"""The sequence number that an ICMP error quotes: its receiver looks whether it sent that (RFC 5927, 4)."""

from snat.nat.tracking import ICMP, TCP
from snat.translate.alg.application import Application
from snat.translate.alg.sequence import unwrap
from snat.translate.checksum import adjust, delta
from snat.translate.icmp_error import Quote
from snat.translate.packet import CHECKSUM_AT, NEEDS_CHECKSUM, START


def requote(application: Application, buffer: bytearray, quote: Quote, from_outside: bool) -> None:
    """Say it as who sent the quoted segment counts; the error itself is translated already."""
    numbers = application.numbers(not from_outside)
    if numbers.next is None or not (numbers.changes or numbers.base):
        return
    at = quote.transport + 4
    old = bytes(buffer[at : at + 4])
    meant = numbers.meant(unwrap(int.from_bytes(old, "big"), numbers.told(numbers.next)))
    new = (meant & 0xFFFFFFFF).to_bytes(4, "big")
    buffer[at : at + 4] = new
    quoted = quote.transport + CHECKSUM_AT[TCP]
    if quoted + 2 <= quote.end:  # it takes back what the number adds to the sum of the error
        _adjust(buffer, quoted, old, new)
    elif not buffer[0] & NEEDS_CHECKSUM:
        _adjust(buffer, START + (buffer[START] & 15) * 4 + CHECKSUM_AT[ICMP], old, new)


def _adjust(buffer: bytearray, at: int, old: bytes, new: bytes) -> None:
    field = adjust(int.from_bytes(buffer[at : at + 2], "big"), delta(old, new))
    buffer[at : at + 2] = field.to_bytes(2, "big")
