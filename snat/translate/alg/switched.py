"""Which gateways are switched on, at which ports, and which of them is for a flow that begins."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from snat.translate.alg.gateway import Gateway
from snat.translate.alg.pptp import Pptp
from snat.translate.flow_cache import Path
from snat.translate.flows import Flows

_NEVER_CALL: Final = frozenset({"ftp", "tftp", "dns", "irc", "pptp"})
"""Gateways that never announce whom an inside host will call; where there are no others, nobody is asked."""


class Service(NamedTuple):
    """A gateway at a port."""

    gateway: type[Gateway]
    reads: Callable[[bytes], bool] | None = None
    """Which inside hosts' flows; None: all."""


Services = Mapping[int, Mapping[bytes, Service]]
"""By protocol and port (2 bytes)."""


class Switched:
    """The gateways there are, and those that are on."""

    def __init__(self, flows: Flows, gateways: Mapping[str, type[Gateway]]) -> None:
        """``gateways``: all that there are, by name; a flow that was read elsewhere may have any of them."""
        self._flows = flows
        self._gateways = gateways
        self.by_call_id = False
        """GRE packets of PPTP are told apart by call IDs (:mod:`snat.translate.gre`): its gateway is on."""
        self.services: Services = {}
        """Which gateways read at which ports."""
        self.ports: dict[int, frozenset[bytes]] = {}
        """By protocol: at which ports a flow that begins may be one to read."""
        self.calls = False
        """Whether a gateway might have said whom inside hosts will call: then any flow may be."""
        self._told: set[str] = set()
        self._off: dict[tuple[int, bytes], str] = {}
        self.unread: list[str] = []
        """Gateways that are off and would have something to read; each is told once, and cleared then."""

    def use(self, services: Services, off: Mapping[tuple[int, bytes], str] | None = None) -> None:
        """Read the flows at these ports that begin from now on.

        ``off``: by protocol and port, the gateways that are off, and whose absence is to be told.
        """
        self.services = services
        named = {one.gateway.name for ports in services.values() for one in ports.values()}
        self.by_call_id = Pptp.name in named
        self.calls = bool(named - _NEVER_CALL)
        self._off = dict(off or {})
        found: dict[int, set[bytes]] = {protocol: set(ports) for protocol, ports in services.items()}
        for protocol, port in self._off:
            found.setdefault(protocol, set()).add(port)
        self.ports = {protocol: frozenset(ports) for protocol, ports in found.items()}

    def is_read(self, protocol: int, ports: bytes) -> bool:
        """Whether a flow with these ports, source first, would be read: its datagrams are wanted whole."""
        services = self.services.get(protocol)
        return services is not None and (ports[2:] in services or ports[:2] in services)

    def chosen(self, path: Path, from_outside: bool) -> type[Gateway] | None:
        """What is to read a flow that has begun; ``path`` is that of its first packet. None: nothing."""
        record = path.record
        protocol, gateway = record[22], None
        services = self.services.get(protocol)
        if services is not None:
            service = services.get(path.tuple[10:12]) or services.get(path.target[10:12])
            if service is not None and (service.reads is None or service.reads(record[16:20])):
                gateway = service.gateway
        if gateway is None and (self.calls or self._flows.follows):
            gateway = self._expected(path, protocol, from_outside)
        if gateway is None and self._off:
            self._miss(protocol, path.tuple[10:12])
        return gateway if gateway is not None and self._may_read(record) else None

    def _miss(self, protocol: int, port: bytes) -> None:
        """A gateway that is off would have read a flow: told once."""
        name = self._off.pop((protocol, port), None)
        if name is not None and name not in self._told:
            self._told.add(name)
            self.unread.append(name)

    def _expected(self, path: Path, protocol: int, from_outside: bool) -> type[Gateway] | None:
        """What reads a flow that was announced."""
        flows = self._flows
        if not from_outside:
            record = flows.expected_to(path.record[16:20], protocol, path.record[29:35])
            if record is not None:
                flows.came(record)
        return self._gateways.get(flows.follows)

    def _may_read(self, record: bytes) -> bool:
        """Whether no static rule says ``no-payload``."""
        statics = self._flows.rules.statics
        rule = next(statics.of_local(record[16:22], record[22]), None) if statics else None
        return rule is None or not rule.no_payload
