"""What HSRP asks to be done, in order, and what it counted."""

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import NamedTuple

from snat.redundancy.hsrp_message import Refusal, State


class GroupId(NamedTuple):
    """A group of an interface."""

    interface: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send a datagram, from port 1985 to port 1985 with TTL 1."""

    group: GroupId
    data: bytes
    source: IPv4Address
    destination: IPv4Address
    mac_address: bytes
    """To send it from; the virtual one teaches switches where it is. Empty: that of the interface."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChanged:
    """``%HSRP-5-STATECHANGE``."""

    group: GroupId
    before: State
    after: State


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressTaken:
    """Answer for the virtual addresses from now on."""

    group: GroupId
    addresses: tuple[IPv4Address, ...]
    mac_address: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressLeft:
    """Answer for them no more; comes before the resign or the hello that tells the others."""

    group: GroupId
    addresses: tuple[IPv4Address, ...]
    mac_address: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GratuitousArpDue:
    """Tell hosts and switches where the virtual addresses are. Comes several times (:data:`ARP_TIMES`)."""

    group: GroupId
    addresses: tuple[IPv4Address, ...]
    mac_address: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PreemptionDue:
    """Claim what the role manages, then let the group preempt (:meth:`HsrpRouter.released`).

    Comes only for groups that claim first, and again after each hold time.
    """

    group: GroupId
    active: IPv4Address
    """Who has the role."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRefused:
    """A message was not used; told at most once a minute for each reason and interface."""

    interface: str
    source: IPv4Address
    refusal: Refusal
    reason: str


Event = Send | StateChanged | AddressTaken | AddressLeft | GratuitousArpDue | PreemptionDue | MessageRefused

ARP_TIMES = (0.0, 1.0, 3.0)
"""Seconds after a group became active at which gratuitous ARP is due: one may be lost."""


@dataclass(slots=True)
class HsrpCounters:
    """What was counted of one interface. The names of :class:`Refusal` are among them."""

    hellos_in: int = 0
    coups_in: int = 0
    resigns_in: int = 0
    hellos_out: int = 0
    coups_out: int = 0
    resigns_out: int = 0
    bad_length: int = 0
    bad_version: int = 0
    bad_opcode: int = 0
    bad_state: int = 0
    bad_value: int = 0
    advertisements: int = 0
    unknown_group: int = 0
    bad_authentication: int = 0
    own_address: int = 0
    interface_down: int = 0
    bad_times: int = 0
    """Hellos whose times are not used, though the rest is: zero, too long, or hold not above hello."""
    different_address: int = 0
    """Hellos of an active router with another virtual address than ours: two configurations disagree."""
    lower_coups: int = 0
    """Coups of routers of lower priority: passed over."""
    strange_resigns: int = 0
    """Resigns of routers that were not active, as far as we know: passed over."""
    pauses: int = 0
    """Times that nobody's silence was judged, because we were paused ourselves."""

    def refuse(self, refusal: Refusal) -> None:
        """Count a message that was not used."""
        setattr(self, refusal.value, getattr(self, refusal.value) + 1)
