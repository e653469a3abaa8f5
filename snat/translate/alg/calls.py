"""Calls of one SIP conversation: which media of the inside host was opened for which, until it ends."""

import struct
from dataclasses import dataclass
from hashlib import blake2s

MAX_CALLS = 256
"""Calls of a conversation; the oldest is forgotten, and what it opened ages by itself."""
MAX_PORTS = 16
"""Ports of a call."""
MAX_TOLD = 28
"""Ports that a router that takes over is told of, of the newest calls."""

_TOLD = struct.Struct("!4sHB")


def call_of(call_id: bytes) -> bytes:
    """A Call-ID as stored: 4 bytes."""
    return blake2s(call_id, digest_size=4).digest()


@dataclass(slots=True)
class _Port:
    pair: bool
    agreed: bool = False
    """A final answer has accepted it, so that a failed re-INVITE does not end it."""


class Calls:
    """The ports opened for each call."""

    def __init__(self) -> None:
        self._ports: dict[bytes, dict[int, _Port]] = {}

    def __len__(self) -> int:
        return len(self._ports)

    def opened(self, call: bytes, port: int, *, pair: bool) -> bool:
        """Note a port (``pair``: and its successor); False: a call has no more than MAX_PORTS."""
        ports = self._ports.setdefault(call, {})
        if port not in ports:
            if len(ports) >= MAX_PORTS:
                return False
            ports[port] = _Port(pair)
        if len(self._ports) > MAX_CALLS:
            del self._ports[next(iter(self._ports))]
        return True

    def agreed(self, call: bytes) -> None:
        """An INVITE was accepted."""
        for port in self._ports.get(call, {}).values():
            port.agreed = True

    def ended(self, call: bytes, *, all_of_it: bool) -> list[tuple[int, bool]]:
        """Forget a call, or what of it was never accepted; the ports to close, and whether with successor."""
        ports = self._ports.get(call, {})
        closed = [number for number, port in ports.items() if all_of_it or not port.agreed]
        result = [(number, ports.pop(number).pair) for number in closed]
        if not ports:
            self._ports.pop(call, None)
        return result

    def told(self) -> bytes:
        """The newest calls for a router that takes over: 7 bytes a port, at most MAX_TOLD of them."""
        told: list[bytes] = []
        for call, ports in reversed(self._ports.items()):
            told += (_TOLD.pack(call, number, port.pair | port.agreed << 1) for number, port in ports.items())
            if len(told) >= MAX_TOLD:
                break
        return b"".join(reversed(told[:MAX_TOLD]))

    def restore(self, told: bytes) -> bool:
        """Take over what another router's :meth:`told` said; False: it is malformed."""
        if len(told) % _TOLD.size or len(told) > MAX_TOLD * _TOLD.size:
            return False
        for call, number, flags in _TOLD.iter_unpack(told):
            self._ports.setdefault(call, {})[number] = _Port(bool(flags & 1), bool(flags & 2))
        return True
