"""Static rules: two addresses, networks or endpoints that stand for each other, and how they are found.

A static rule of an inside host and one of an outside host are the same thing with other names: ``local`` is
what the inside calls the host, ``global_`` what the outside calls it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from xxhash import xxh3_64_intdigest

from snat.nat.access_list import Condition
from snat.nat.entry import FIXED, LOCAL_NAT_ID, NEVER, TAIL, Flag, State, TimeoutClass

_WHOLE: Final = bytes(3)
"""Port and protocol of a rule for all of them."""
_ADDRESS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Static:
    """One static rule. Addresses are 4 bytes in network order."""

    local: bytes
    global_: bytes | None
    """None: of an interface that has no address now."""
    protocol: int = 0
    """0: all."""
    local_port: int = 0
    global_port: int = 0
    prefix_length: int = _ADDRESS
    """Less than 32: networks, whose hosts keep their part of the address."""
    mapping_id: int = 0
    condition: Condition | None = None
    """For which packets of the inside host; None: for all."""
    reversible: bool = False
    """With a condition: what outside hosts begin is translated too, where an answer would meet it."""
    no_payload: bool = False
    """What its flows carry is not read (``no-payload``)."""

    def to_global(self, endpoint: bytes) -> bytes:
        """What a local address and port become, 6 bytes each way. The rule has a global address."""
        return self._other(endpoint, self.global_ or self.local, self.global_port)

    def to_local(self, endpoint: bytes) -> bytes:
        """What a global address and port become."""
        return self._other(endpoint, self.local, self.local_port)

    def base(self, *, outside: bool) -> bytes:
        """The entry that shows the rule: simple, local to this device, ageless. It has a global address."""
        local = self.local, self.local_port
        ends = (local, (self.global_ or self.local, self.global_port))
        none = (bytes(4), 0)
        (il, il_port), (ig, ig_port), (ol, ol_port), (og, og_port) = (
            (none, none, *ends) if outside else (*ends, none, none)
        )
        flags = Flag.STATIC | Flag.OUTSIDE if outside else Flag.STATIC
        rest = (
            *(self.mapping_id, il, il_port, self.protocol, ig, ig_port, ol, ol_port, og, og_port),
            *(flags, State.OPEN, TimeoutClass.STATIC),
        )
        # By its content: the same rule has the same entry, whatever other rules there are.
        number = xxh3_64_intdigest(FIXED.pack(LOCAL_NAT_ID, self.prefix_length, *rest))
        return FIXED.pack(LOCAL_NAT_ID, number, *rest) + TAIL.pack(NEVER)

    def _other(self, endpoint: bytes, address: bytes, port: int) -> bytes:
        if self.protocol:
            return address + port.to_bytes(2, "big")
        if self.prefix_length == _ADDRESS:
            return address + endpoint[4:]
        hosts = (1 << _ADDRESS - self.prefix_length) - 1
        value = int.from_bytes(address, "big") & ~hosts | int.from_bytes(endpoint[:4], "big") & hosts
        return value.to_bytes(4, "big") + endpoint[4:]


Found = dict[bytes, tuple[Static, ...]]


class Statics:
    """Static rules by both of their sides: those of ports come before those of addresses, networks last."""

    def __init__(self, rules: Iterable[Static] = ()) -> None:
        self.rules = tuple(rules)
        self._by_local = _Side((rule.local, rule.local_port, rule) for rule in self.rules)
        self._by_global = _Side(
            (rule.global_, rule.global_port, rule) for rule in self.rules if rule.global_ is not None
        )

    def __bool__(self) -> bool:
        return bool(self.rules)

    def of_local(self, endpoint: bytes, protocol: int) -> Iterator[Static]:
        """The rules of a local address and port (6 bytes), best first."""
        return self._by_local.of(endpoint, protocol)

    def of_global(self, endpoint: bytes, protocol: int) -> Iterator[Static]:
        """The rules of a global address and port (6 bytes), best first."""
        return self._by_global.of(endpoint, protocol)

    def ranges(self, *, local: bool) -> Iterator[tuple[int, int]]:
        """First and last of the global addresses of each, or of the local ones."""
        for rule in self.rules:
            address = rule.local if local else rule.global_
            if address is not None:
                hosts = (1 << _ADDRESS - rule.prefix_length) - 1
                first = int.from_bytes(address, "big") & ~hosts
                yield first, first | hosts


class _Side:
    """Rules by address, port and protocol; of networks, by network and prefix length."""

    def __init__(self, rules: Iterable[tuple[bytes, int, Static]]) -> None:
        self._exact: Found = {}
        self._networks: dict[int, Found] = {}
        for address, port, rule in rules:
            if rule.prefix_length < _ADDRESS:
                at = self._networks.setdefault(rule.prefix_length, {})
                key = _network(address, rule.prefix_length)
            elif rule.protocol:
                at, key = self._exact, address + port.to_bytes(2, "big") + bytes((rule.protocol,))
            else:
                at, key = self._exact, address + _WHOLE
            at[key] = (*at.get(key, ()), rule)
        self._lengths = sorted(self._networks, reverse=True)

    def of(self, endpoint: bytes, protocol: int) -> Iterator[Static]:
        yield from self._exact.get(endpoint + bytes((protocol,)), ())
        if endpoint[4:] != b"\0\0" or protocol:
            yield from self._exact.get(endpoint[:4] + _WHOLE, ())
        for length in self._lengths:
            yield from self._networks[length].get(_network(endpoint, length), ())


def _network(address: bytes, length: int) -> bytes:
    hosts = (1 << _ADDRESS - length) - 1
    return (int.from_bytes(address[:4], "big") & ~hosts).to_bytes(4, "big")
