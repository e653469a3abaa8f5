"""What a gateway is: it reads one conversation, says what to write otherwise, and what to expect.

A gateway of a stream sees its bytes in order from the first byte on, each once, as they pass; one of
datagrams sees whole datagrams. It never holds bytes back: an edit lies wholly in the bytes that it was just
given. What it may open it asks of :class:`Doors`, which refuse by rules that hold for all gateways
(nat-behaviour.md 2.9: never another inside host, never a port below 1024, bound to a peer, one use,
short-lived, bounded in number).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol


class Endpoint(NamedTuple):
    """An address, 4 bytes in network order, and a port; 0: any."""

    address: bytes
    port: int


class Edit(NamedTuple):
    """``data[start:end]`` of what the gateway was just given becomes ``text``."""

    start: int
    end: int
    text: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """The flow whose bytes a gateway reads (Fig. 4B): both ends, as either side knows them."""

    protocol: int
    inside_local: Endpoint
    inside_global: Endpoint
    outside_local: Endpoint
    outside_global: Endpoint
    begun_inside: bool
    """The inside host is the client."""


class Doors(Protocol):
    """What the framework does for a gateway."""

    def open(
        self,
        protocol: int,
        inside: Endpoint,
        peer: Endpoint,
        *,
        life: float,
        follows: str = "",
        pair: bool = False,
    ) -> Endpoint | None:
        """Expect ``peer`` (an outside host as it calls itself; port 0: any) to reach the inside endpoint.

        The address 0.0.0.0 is anybody's: only for protocols that do not tell who will call.

        Returns the inside-global endpoint to name to the peer; None: refused, which is counted. The same
        call again returns the same endpoint. ``life`` in seconds; a flow that came by then lives on by
        itself. ``follows`` names the gateway that reads the expected flow. ``pair``: an even port whose
        successor is opened for ``inside.port + 1`` too (RTP and RTCP, RFC 3550 section 11). GRE has call IDs
        for ports; the peer's, once it is known, lets out what the inside host sends there.
        """

    def called(self, protocol: int, peer: Endpoint, *, life: float, follows: str) -> None:
        """Expect the inside host to call ``peer``, on a port that no gateway is configured for."""

    def named(self, address: bytes, *, from_outside: bool) -> bytes | None:
        """How the other side calls an address by static mappings alone; None: there is none."""

    def close(self, protocol: int, inside: Endpoint) -> None:
        """What was opened for an inside endpoint and not used yet is expected no more; a GRE call is over."""

    def count(self, what: str) -> None:
        """One more ``message``, ``edit`` or refusal, the last by its reason in a few words."""


class Gateway(ABC):
    """One conversation as a gateway follows it. A gateway that gave up (``ended``) is asked no more."""

    name: ClassVar[str]
    """As in ``ip nat service NAME``."""
    version: ClassVar[int] = 1
    """Of what :meth:`context` returns."""

    def __init__(self, conversation: Conversation, doors: Doors) -> None:
        self.conversation = conversation
        self.doors = doors
        self.ended = False
        """Nothing of this conversation concerns the gateway any more (AUTH TLS, no such protocol)."""

    @abstractmethod
    def take(self, from_outside: bool, data: bytes) -> Sequence[Edit]:
        """Read the next bytes of one direction, or a datagram; the edits do not overlap and are in order.

        What began in bytes that have passed is not edited, opens nothing and is counted. Memory is bounded
        by named limits; whatever is said, nothing is raised.
        """

    @abstractmethod
    def context(self) -> bytes:
        """What a router that takes over needs to go on, at most 256 bytes; compared to see a change."""

    @abstractmethod
    def restore(self, context: bytes) -> bool:
        """Go on from what another router's :meth:`context` said, in the middle of the stream.

        False: it says nothing that this version understands.
        """
