"""The data path of a router without TUNs: a capture is replayed in their place."""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from pathlib import Path
from typing import BinaryIO, Final

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from snat.config.model import Configuration, Group
from snat.config.networks import global_networks
from snat.config.refused import ConfigurationRefused
from snat.counters import as_dict
from snat.device.device import Device
from snat.net.capture_read import CaptureReader
from snat.net.capture_write import CaptureWriter
from snat.net.host_plan import host_plan
from snat.net.log import MESSAGES
from snat.net.realms import Realms
from snat.net.refused import KernelRefused
from snat.net.replay import CapturePort
from snat.net.virtual_links import virtual_links
from snat.translate.packet import Verdict

CAPTURE_TTL_STEP: Final = -1
"""In a capture we are the only router."""
_LOOK_AGAIN: Final = 0.1
"""Seconds between two looks for a capture that is not there yet."""


class CapturePath:
    """A capture in the TUNs' place (``--pcap IN:OUT``), replayed once this device manages and IN exists."""

    log = Logger(observer=MESSAGES)

    def __init__(
        self,
        device: Device,
        reactor: IReactorTime,
        batch_done: Callable[[], None],
        source: Path,
        target: Path,
        *,
        realtime: bool = False,
    ) -> None:
        """``realtime``: replayed as slowly as it was captured."""
        self._device = device
        self._reactor = reactor
        self._batch_done = batch_done
        self._source = source
        self._target = target
        self._realtime = realtime
        self._realms = self._realms_of(device.configuration)
        self._files: list[BinaryIO] = []
        self._port: CapturePort | None = None
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor

    def start(self) -> None:
        """Begin to look for the capture."""
        _check_no_host(self._device.configuration)
        self._looking.start(_LOOK_AGAIN).addErrback(self._failed)

    def stop(self) -> None:
        """Replay no more."""
        if self._looking.running:
            self._looking.stop()
        if self._port is not None:
            self._port.stop()
        for file in self._files:
            file.close()

    def claim(self, groups: Iterable[Group]) -> None:
        """Nobody can ask a capture for an address."""

    def configure(self, configuration: Configuration, managed: Iterable[Group]) -> None:  # noqa: ARG002
        """A capture has no kernel around it; only the pools matter, which tell the realms apart."""
        try:
            _check_no_host(configuration)
        except KernelRefused as refused:
            raise ConfigurationRefused(str(refused)) from refused
        self._realms = self._realms_of(configuration)

    def flush(self) -> None:
        """Nothing: a capture says when packets are written, and what waits goes with the next."""

    def take(self, link: str, addresses: tuple[IPv4Address, ...]) -> None:
        """A capture has no interfaces."""

    def leave(self, link: str) -> None:
        """A capture has no interfaces."""

    def counters(self) -> dict[str, dict[str, int]]:
        """Those of the replay."""
        return {} if self._port is None else {"capture": as_dict(self._port.counters)}

    def _ready(self) -> bool:
        return all(group.manages for group in self._device.groups if group.is_own)

    def _look(self) -> None:
        if not self._ready() or not self._source.exists():
            return
        self._looking.stop()
        self._files.append(self._source.open("rb"))
        reader = CaptureReader(self._files[0])
        self._files.append(self._target.open("wb"))
        self._port = CapturePort(
            reader,
            CaptureWriter.like(self._files[1], reader),
            self._reactor,
            self._received,
            self._batch_done,
            self._ready,
            from_outside=lambda packet: self._realms.from_outside(packet),
            more=self._more,
            realtime=self._realtime,
        )
        self._port.finished.addCallbacks(self._finished, self._failed)
        self._port.start()

    def _received(self, buffer: bytearray, length: int, from_outside: bool) -> bool:
        verdict = self._device.packet(buffer, length, from_outside, self._reactor.seconds())
        return verdict in (Verdict.TO_OUTSIDE, Verdict.TO_INSIDE)

    def _realms_of(self, configuration: Configuration) -> Realms:
        flows = self._device.translator.flows
        return Realms(configuration, lambda: flows.rules)

    def _more(self) -> list[bytes]:
        translator = self._device.translator
        packets = [packet for _, packet in translator.more]
        translator.more.clear()
        return packets

    def _finished(self, _: object) -> None:
        self.log.info(
            "replayed {source} to {target}",
            source=str(self._source),
            target=str(self._target),
            mnemonic="SNAT-6-CAPTURE",
        )

    def _failed(self, failure: Failure) -> None:
        self.log.error(
            "replay of {source} ended: {reason}",
            source=str(self._source),
            reason=failure.getErrorMessage(),
            mnemonic="SNAT-3-CAPTURE",
        )


def _check_no_host(configuration: Configuration) -> None:
    """Raise :class:`KernelRefused` for what only a kernel can do."""
    line = host_plan(configuration, global_networks(configuration)).first
    if not line and virtual_links(configuration):
        line = f"interface {virtual_links(configuration)[0].parent}"
    if line:
        raise KernelRefused(
            "a router that replays a capture (--pcap) leaves the kernel alone",
            where=line,
            remedy="leave out ip address, shutdown, ip tcp adjust-mss, ip route and HSRP groups; "
            "or run without --pcap",
        )
