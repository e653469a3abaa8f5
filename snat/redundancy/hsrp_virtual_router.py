"""A virtual router on an interface: what groups that elect and groups that follow have in common."""

from dataclasses import dataclass
from ipaddress import IPv4Address
from math import inf
from typing import Final

from snat.config.interface import StandbyGroup
from snat.redundancy.hsrp import SPEAKING, virtual_mac
from snat.redundancy.hsrp_events import (
    ARP_TIMES,
    AddressLeft,
    AddressTaken,
    Event,
    GratuitousArpDue,
    GroupId,
    HsrpCounters,
    Send,
    StateChanged,
)
from snat.redundancy.hsrp_message import DESTINATIONS, Decoded, HsrpMessage, Opcode, State, encode
from snat.redundancy.hsrp_proof import MD5, proved_by_digest, proved_by_text, secret

_COUNTED: Final = {Opcode.HELLO: "hellos_out", Opcode.COUP: "coups_out", Opcode.RESIGN: "resigns_out"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """The interface of a group, as far as it concerns the group."""

    interface: str
    version: int = 1
    up: bool = False
    address: IPv4Address | None = None
    """That hellos come from; None: it has none."""
    mac_address: bytes = bytes(6)
    ready_at: float = 0.0
    """When its groups may begin (``standby delay``)."""
    mac_refresh: int = 10
    """Seconds between the hellos of an active group that follows; 0: never."""

    @property
    def usable(self) -> bool:
        """Whether hellos can be sent."""
        return self.up and self.address is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Another router, as its last hello showed it."""

    address: IPv4Address
    message: HsrpMessage
    expires: float


class VirtualRouter:
    """A virtual address and MAC, and whether this router has them."""

    def __init__(
        self,
        configuration: StandbyGroup,
        attachment: Attachment,
        counters: HsrpCounters,
        events: list[Event],
        now: float,
    ) -> None:
        self.configuration = configuration
        self.attachment = attachment
        self.counters = counters
        self.state = State.INITIAL
        self.changes = 0
        self.changed_at = now
        self.learned: IPv4Address | None = None
        """A virtual address that another router told."""
        self.active: Heard | None = None
        self.standby: Heard | None = None
        self._events = events
        self._taken: tuple[tuple[IPv4Address, ...], bytes] | None = None
        self._arp_due: list[float] = []
        self._next_hello = inf
        self._old_key = b""
        self._old_key_until = -inf

    # What it is

    @property
    def id(self) -> GroupId:
        """Interface and number."""
        return GroupId(self.attachment.interface, self.configuration.number)

    @property
    def address(self) -> IPv4Address | None:
        """The virtual one, configured or learnt."""
        return self.configuration.address or self.learned

    @property
    def mac_address(self) -> bytes:
        """The virtual one."""
        configured = self.configuration.mac_address
        return configured or virtual_mac(self.attachment.version, self.configuration.number)

    @property
    def priority(self) -> int:
        """That it says of itself."""
        return self.configuration.priority

    @property
    def hello(self) -> float:
        """Seconds between hellos."""
        return self.configuration.hello

    @property
    def hold(self) -> float:
        """Seconds after which a silent router is lost."""
        return self.configuration.hold

    @property
    def next_hello(self) -> float | None:
        """When the next hello is due; None: it sends none."""
        return self._next_hello if self.state in SPEAKING and self._next_hello < inf else None

    @property
    def why_initial(self) -> str:
        """What keeps it in Init; empty: nothing but the delay after a start."""
        return "" if self.attachment.usable else "interface down"

    # Changes of configuration

    def adopt(self, configuration: StandbyGroup, now: float) -> None:
        """Take another configuration of the same group. The MD5 key before is accepted for the time-out."""
        old, new = secret(self.configuration.authentication), secret(configuration.authentication)
        if old and configuration.authentication and old != new:
            self._old_key = old
            self._old_key_until = now + configuration.authentication.timeout
        self.configuration = configuration
        if configuration.address is not None:
            self.learned = None

    # Proof

    def authentic(self, data: bytes, decoded: Decoded, source: IPv4Address, now: float) -> bool:
        """Whether a message for this group proves itself."""
        authentication = self.configuration.authentication
        key, md5 = secret(authentication), decoded.md5
        if not key:
            return md5 is None and proved_by_text(decoded.text, authentication)
        if md5 is None or md5.algorithm != MD5 or md5.source != source.packed:
            return False
        if proved_by_digest(data, md5.at, key):
            return True
        return now < self._old_key_until and proved_by_digest(data, md5.at, self._old_key)

    # What it does

    def _say(self, opcode: Opcode, state: State) -> None:
        """Send a message that says the state. An active router says it from its virtual MAC address."""
        attachment = self.attachment
        if not attachment.up or attachment.address is None:
            return
        message = HsrpMessage(
            version=attachment.version,
            opcode=opcode,
            state=state,
            group=self.configuration.number,
            priority=self.priority,
            hello=self.hello,
            hold=self.hold,
            address=self.address,
            identifier=attachment.mac_address,
        )
        name = _COUNTED[opcode]
        setattr(self.counters, name, getattr(self.counters, name) + 1)
        self._events.append(
            Send(
                group=self.id,
                data=encode(message, self.configuration.authentication, attachment.address),
                source=attachment.address,
                destination=DESTINATIONS[attachment.version],
                mac_address=self.mac_address if self.state is State.ACTIVE else b"",
            )
        )

    def _enter(self, state: State, now: float) -> None:
        before, self.state = self.state, state
        if before is not state:
            self.changes += 1
            self.changed_at = now
            self._events.append(StateChanged(group=self.id, before=before, after=state))
        self._settle_addresses(now)

    def _settle_addresses(self, now: float) -> None:
        """Take or leave the virtual addresses as the state has it; also when they change."""
        due = None
        if self.state is State.ACTIVE and self.address is not None:
            due = ((self.address, *self.configuration.secondary), self.mac_address)
        if due == self._taken:
            return
        if self._taken is not None:
            addresses, mac = self._taken
            self._events.append(AddressLeft(group=self.id, addresses=addresses, mac_address=mac))
            self._arp_due = []
        self._taken = due
        if due is not None:
            self._events.append(AddressTaken(group=self.id, addresses=due[0], mac_address=due[1]))
            self._announce(now)

    def _announce(self, now: float) -> None:
        """Gratuitous ARP, now and again."""
        self._arp_due = [now + after for after in ARP_TIMES]

    def _announce_due(self, now: float) -> None:
        while self._arp_due and self._arp_due[0] <= now:
            del self._arp_due[0]
            if self._taken is not None:
                addresses, mac = self._taken
                self._events.append(GratuitousArpDue(group=self.id, addresses=addresses, mac_address=mac))
