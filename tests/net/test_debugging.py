"""``debug ip nat`` and ``debug ip snat`` on whole routers."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogLevel

from snat.config.access import AccessLine, AccessList, Ports
from snat.config.model import Configuration
from snat.device.device import Device
from snat.device.listed import permits
from snat.net.debugging import LINES_A_SECOND, Debugging
from snat.net.log import Budget
from snat.status import DebugStatus
from snat.translate.translator import Translator
from tests.net.memory import Log, Member, Reactor, become_pair, pair
from tests.packets import buffer, echo, parse, tcp, udp
from tests.simulation.network import configuration

from ipaddress import IPv4Address  # isort: skip

INSIDE, OUTSIDE = "10.0.0.5", "198.51.100.7"
EVERY = IPv4Address("255.255.255.255")


class Scene:
    """A device without neighbors that translates, and its debugging."""

    def __init__(self, *lists: AccessList) -> None:
        self.clock = Clock()
        self.suppressed = 0
        made = replace(configuration(1, None, ()) if False else _alone(), access_lists=(*_alone().access_lists, *lists))
        self.device = Device(
            made, incarnation=1, terms={}, ports=random.Random(1), ttl_step=1, now=0.0
        )
        self.debugging = Debugging(self.device, self.clock, lambda: made, self._count)

    def _count(self, number: int) -> None:
        self.suppressed += number

    def send(self, packet: Any, *, from_outside: bool = False) -> Any:
        filled, end = buffer(packet)
        self.device.packet(filled, end, from_outside, self.clock.seconds())
        return parse(filled, end)
