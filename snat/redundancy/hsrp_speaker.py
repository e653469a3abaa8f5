"""HSRP on one interface: its groups, and which of them a datagram is for."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from math import inf
from typing import Final

from snat.config.interface import Standby, StandbyGroup
from snat.redundancy.hsrp_events import Event, HsrpCounters, MessageRefused
from snat.redundancy.hsrp_follower import Follower
from snat.redundancy.hsrp_group import Group
from snat.redundancy.hsrp_message import HsrpError, Refusal, decode
from snat.redundancy.hsrp_virtual_router import Attachment

TELL_EVERY: Final = 60.0
"""Seconds between two reports of one kind of refused message."""


class Speaker:
    """The groups of an interface."""

    def __init__(
        self, name: str, events: list[Event], tracked: Mapping[str, bool], dice: random.Random, started: float
    ) -> None:
        self.attachment = Attachment(interface=name)
        self.counters = HsrpCounters()
        self.groups: dict[int, Group | Follower] = {}
        self._standby = Standby()
        self._events = events
        self._tracked = tracked
        self._dice = dice
        self._started = started
        self._was_up = False
        self._told: dict[Refusal, float] = {}

    def configure(self, standby: Standby, now: float) -> None:
        """Take other ``standby`` lines. A group that stays goes on; a new one begins with a tick."""
        if standby.version != self._standby.version:
            self.stop(now)
            self.groups.clear()
        self._standby = standby
        self.attachment = replace(self.attachment, version=standby.version, mac_refresh=standby.mac_refresh)
        configured = {group.number: group for group in standby.groups}
        for number, present in list(self.groups.items()):
            new = configured.get(number)
            if new is None or isinstance(present, Follower) is not bool(new.follow):
                present.stop(now)
                del self.groups[number]
        for number, configuration in configured.items():
            if number in self.groups:
                self.groups[number].adopt(configuration, now)
            else:
                self.groups[number] = self._made(configuration, now)
            self.groups[number].attachment = self.attachment

    def _made(self, configuration: StandbyGroup, now: float) -> Group | Follower:
        if configuration.follow:
            return Follower(configuration, self.attachment, self.counters, self._events, now)
        return Group(
            configuration,
            self.attachment,
            self.counters,
            self._events,
            now,
            started=self._started,
            tracked=self._tracked,
            dice=self._dice,
        )

    def attach(self, *, up: bool, address: IPv4Address | None, mac_address: bytes, now: float) -> None:
        """The state of the interface. ``standby delay`` counts from when it comes up."""
        present = self.attachment
        ready_at = present.ready_at
        if up and not present.up:
            delay = self._standby.delay_minimum if self._was_up else self._standby.delay_reload
            ready_at = now + delay
            self._was_up = True
        self.attachment = replace(present, up=up, address=address, mac_address=mac_address, ready_at=ready_at)
        if self.attachment != present:
            for group in self.groups.values():
                group.attach(self.attachment, now)

    def receive(self, data: bytes, source: IPv4Address, now: float) -> None:
        """A datagram to the address and port of the version. Whatever is wrong with it is counted."""
        try:
            self._receive(data, source, now)
        except HsrpError as error:
            self.counters.refuse(error.refusal)
            told = self._told.get(error.refusal, -inf)
            if error.refusal is not Refusal.ADVERTISEMENT and now - told >= TELL_EVERY:
                self._told[error.refusal] = now
                self._events.append(
                    MessageRefused(
                        interface=self.attachment.interface,
                        source=source,
                        refusal=error.refusal,
                        reason=str(error),
                    )
                )

    def _receive(self, data: bytes, source: IPv4Address, now: float) -> None:
        if not self.attachment.usable or not self.groups:
            raise HsrpError(Refusal.INTERFACE, f"{self.attachment.interface} runs no HSRP now")
        decoded = decode(data, self.attachment.version)
        if source == self.attachment.address:
            raise HsrpError(Refusal.OWN_ADDRESS, f"{source} is the address of this router")
        group = self.groups.get(decoded.message.group)
        if group is None or not group.configuration.enabled:
            raise HsrpError(Refusal.GROUP, f"group {decoded.message.group} does not run here")
        if not group.authentic(data, decoded, source, now):
            raise HsrpError(Refusal.AUTHENTICATION, f"group {decoded.message.group}: not proved")
        group.receive(decoded.message, source, now)

    def tick(self, now: float) -> None:
        """Do what is due."""
        for group in self.groups.values():
            group.tick(now)

    def deadlines(self) -> Iterable[float]:
        """When something is due."""
        every = (group.next_deadline() for group in self.groups.values())
        return (one for one in every if one is not None)

    def stop(self, now: float) -> None:
        """Leave every group in good order."""
        for group in self.groups.values():
            group.stop(now)
