"""The row ``codec``: records to messages, and messages to a table with its digest."""

from collections.abc import Iterable

from xxhash import xxh3_64_intdigest

from snat.nat.entry import FIXED, TAIL
from snat.nat.table import NatTable
from snat.replication.feed import FeedCounters, FeedState
from snat.replication.receiver import Receiver
from snat.replication.sender import Sender
from snat.wire.actions import Action
from snat.wire.framing import Framing
from snat.wire.header import SIZE, Feed, Position, Term
from tests.bench.clock import by_turns
from tests.bench.runs import medians

ENTRIES = 300_000
FEED, TERM = Feed(0, 10), Term(1, 1)
_BATCH = 308
"""Records of one message, told at once."""
_WEB = b"\xc6\x33\x64\x02"
_ITEM = 4 + FIXED.size + TAIL.size


class _Telling(NatTable):
    """Only tells. What a table costs itself is in the member's figure."""

    def add(self, records: Iterable[bytes]) -> list[bytes]:
        """Tell listeners of a list of new records."""
        assert isinstance(records, list)
        self._tell([], records)
        return []


def record(number: int) -> bytes:
    """The number-th of many TCP entries, as in shared/prototype/tls_replication_floor.py."""
    host = (0x0A000000 + number // 50000).to_bytes(4, "big")
    outside = (0xCB007100 + number // 60000).to_bytes(4, "big")
    near = (host, 1024 + number % 50000, 6, outside, 1024 + number % 60000)
    return FIXED.pack(1, number, 10, *near, _WEB, 443, _WEB, 443, 2, 2, 1) + TAIL.pack(7440)


def codec() -> dict[str, float]:
    """CPU us an entry: queue and encode; framing, decode, indexes and digest; and the prototype's loop."""
    records = [record(number) for number in range(ENTRIES)]
    messages = _messages(records)
    turns = by_turns(
        {
            "encode_us": lambda: _messages(records),
            "decode_apply_digest_us": lambda: _receive(messages),
            "prototype_decode_apply_digest_us": lambda: _prototype(messages),
        },
        ENTRIES,
        turns=9,
    )
    for one in turns:
        prototype = one["prototype_decode_apply_digest_us"]
        one["ratio_to_prototype"] = one["decode_apply_digest_us"] / prototype
        one["encode_to_prototype"] = one["encode_us"] / prototype
    return medians(turns) | {"wire_bytes_per_entry": sum(map(len, messages)) / ENTRIES}


def _messages(records: list[bytes]) -> list[bytes]:
    """What a manager makes of them: told by the table in batches, queued, drained, digested, encoded."""
    table = _Telling()
    sender = Sender(FeedState(FEED), table, TERM, FeedCounters())
    messages: list[bytes] = []
    for at in range(0, len(records), _BATCH):
        table.add(records[at : at + _BATCH])
        messages += sender.compile()
    return messages


def _receive(messages: list[bytes]) -> Receiver:
    """Framing, decoding, applying, digesting: what a member does with a feed."""
    receiver = Receiver(FeedState(FEED, Position(TERM, 0)), NatTable(), FeedCounters(), synchronised=True)
    framing = Framing()
    for message in messages:
        framing.feed(message)
        for whole in framing.messages():
            receiver.apply(whole, 0.0)
    assert len(receiver.table) == ENTRIES == receiver.state.digest.count
    return receiver


def _prototype(messages: list[bytes]) -> tuple[dict[bytes, bytes], dict[bytes, bytes], int]:
    """The loop of the prototype on our layout: the least that the idea costs."""
    inside: dict[bytes, bytes] = {}
    outside: dict[bytes, bytes] = {}
    digest = 0
    for message in messages:
        for at in range(SIZE + 4, len(message), _ITEM):
            entry = message[at : at + _ITEM - 4]
            for index, key in ((inside, entry[16:23]), (outside, entry[22:29])):
                known = index.get(key)
                if known is None:
                    index[key] = entry
            digest += xxh3_64_intdigest(entry[:-4])
    assert message[SIZE] == Action.ADD
    return inside, outside, digest
