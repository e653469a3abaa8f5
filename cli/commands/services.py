"""``ip nat service``, and what is on or off for all translation (ios-cli.md 1.4, and ours)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cli.commands.editing import drop, put
from cli.commands.names import ACCESS_LIST
from cli.commands.snat import IP_NAT
from cli.grammar import Either, Optional, Pattern, Tail, Values
from cli.tokens import Keyword, Number, Unsupported
from cli.tree import Command, Configures, Refuses
from snat.config.gateways import ALL, ON, PROTOCOLS
from snat.config.model import Configuration, Filtering, Nat, Service

DEFAULT_QUEUE = Nat().tun_queue
GATEWAYS = (*PROTOCOLS, ALL)
"""Protocols that carry addresses."""
_PROTOCOLS = Either(
    (Keyword(text="tcp", key="tcp", help="Over TCP"),), (Keyword(text="udp", key="udp", help="Over UDP"),)
)
_PORT = (Keyword(text="port", help="At another port"), Number(key="port", low=1, high=65535, help="Port"))
_SERVICE = Keyword(text="service", help="Protocols that carry addresses")


def _with(configuration: Configuration, **changes: Any) -> Configuration:
    return replace(configuration, nat=replace(configuration.nat, **changes))


def _switch(pattern: Pattern, attribute: str) -> Configures:
    """A line that is on or off; what is not the default is printed."""
    normal = getattr(Nat(), attribute)

    def stored(configuration: Configuration, _subject: Any) -> Iterator[Values]:
        value = getattr(configuration.nat, attribute)
        if value != normal:
            yield {} if value else {"no": True}

    return Configures(
        pattern=(*IP_NAT, *pattern),
        stored=stored,
        set=lambda configuration, _subject, _values: _with(configuration, **{attribute: True}),
        unset=lambda configuration, _subject, _values: _with(configuration, **{attribute: False}),
        default=lambda configuration, _subject, _values: _with(configuration, **{attribute: normal}),
        negatable=True,
    )


# --- service


def _service(values: Values) -> Service:
    return Service(
        name=next((name for name in GATEWAYS if name in values), "fullrange"),
        protocol=next((name for name in ("tcp", "udp") if name in values), ""),
        port=values.get("port", 0),
        access_list=values.get("list", ""),
    )


def _service_values(service: Service) -> dict[str, Any]:
    named = {service.name: True, service.protocol: True, "port": service.port, "list": service.access_list}
    return {key: value for key, value in named.items() if key and value}


def _switched(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    """Gateways that are switched on, and those that are switched off although on by default."""
    yield from (_service_values(one) for one in configuration.nat.services)
    yield from (_service_values(one) | {"no": True} for one in configuration.nat.no_services)


def _normally_on(service: Service) -> bool:
    return service == Service(name=service.name) and service.name in ON


def _switch_service(configuration: Configuration, service: Service, *, on: bool) -> Configuration:
    services = drop(configuration.nat.services, lambda one: one == service)
    no_services = drop(configuration.nat.no_services, lambda one: one == service)
    if on is not _normally_on(service):
        services, no_services = (
            ((*services, service), no_services) if on else (services, (*no_services, service))
        )
    return _with(configuration, services=services, no_services=no_services)


def _gateway(name: str) -> Pattern:
    return (Keyword(text=name, key=name, help="Look into it"), Optional(_PROTOCOLS), Optional(*_PORT))


# --- fullrange, switchover


def _ranges(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    return (_service_values(one) for one in configuration.nat.fullrange)


def _set_range(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    return _with(configuration, fullrange=put(configuration.nat.fullrange, _service(values), lambda s: s))


def _unset_range(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    one = _service(values)
    return _with(configuration, fullrange=drop(configuration.nat.fullrange, lambda s: s == one))


def _http(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    if not configuration.nat.http_switchover:
        yield {"no": True}
    yield from ({"port": port} for port in configuration.nat.http_ports)


def _set_http(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    if "port" not in values:
        return _with(configuration, http_switchover=True)
    return _with(configuration, http_ports=put(configuration.nat.http_ports, values["port"], int))


def _unset_http(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    if "port" not in values:
        return _with(configuration, http_switchover=False)
    return _with(configuration, http_ports=drop(configuration.nat.http_ports, lambda p: p == values["port"]))


# --- log, filtering, tun


def _log(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    if configuration.nat.log_translations:
        yield {"bind_only": configuration.nat.log_bind_only}


def _set_log(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    return _with(configuration, log_translations=True, log_bind_only="bind_only" in values)


def _unset_log(configuration: Configuration, _subject: Any, _values: Values) -> Configuration:
    return _with(configuration, log_translations=False, log_bind_only=False)


def _filtering(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    if configuration.nat.filtering is not Filtering.ADDRESS_DEPENDENT:
        yield {str(configuration.nat.filtering): True}


def _set_filtering(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    return _with(configuration, filtering=next(one for one in Filtering if str(one) in values))


def _unset_filtering(configuration: Configuration, _subject: Any, _values: Values) -> Configuration:
    return _with(configuration, filtering=Filtering.ADDRESS_DEPENDENT)


def _queue(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    if configuration.nat.tun_queue != DEFAULT_QUEUE:
        yield {"packets": configuration.nat.tun_queue}


_SETTINGS = Keyword(text="settings", help="How hosts get addresses")
_TUN = Keyword(text="tun", help="How packets come from the kernel and go back")
_FILTERS = (
    (Keyword(text="endpoint-independent", key="endpoint-independent", help="Anybody"),),
    (Keyword(text="address-dependent", key="address-dependent", help="Hosts that it has sent to"),),
    (Keyword(text="address-port-dependent", key="address-port-dependent", help="Endpoints it has sent to"),),
)

COMMANDS: tuple[Command, ...] = (
    Configures(
        pattern=(
            *(*IP_NAT, Keyword(text="log", help="Tell of entries")),
            Keyword(text="translations", help="When they are made and when they end"),
            Either(
                (
                    Keyword(text="syslog", help="In the log"),
                    Optional(
                        Keyword(text="bind-only", key="bind_only", help="Not every flow of an endpoint")
                    ),
                ),
                (Unsupported(text="flow-export"),),
            ),
        ),
        stored=_log,
        set=_set_log,
        unset=_unset_log,
    ),
    Configures(
        pattern=(
            *(*IP_NAT, Keyword(text="filtering", help="Who may send to a mapped inside endpoint")),
            Tail(Either(*_FILTERS)),
        ),
        stored=_filtering,
        set=_set_filtering,
        unset=_unset_filtering,
    ),
    _switch(
        (
            Keyword(text="create", help="What entries are made"),
            Keyword(text="flow-entries", help="One for every flow"),
        ),
        "flow_entries",
    ),
    _switch(
        (
            _SETTINGS,
            Keyword(text="pap", help="Each keeps one of its pool, also when that has no port left"),
        ),
        "paired",
    ),
    Configures(
        pattern=(
            *(*IP_NAT, Keyword(text="switchover", help="What members share")),
            *(Keyword(text="replication", help="Entries"), Keyword(text="http", help="Of web connections")),
            Optional(*_PORT),
        ),
        stored=_http,
        set=_set_http,
        unset=_unset_http,
        negatable=True,
    ),
    Configures(
        pattern=(
            *(*IP_NAT, _SERVICE),
            Either(
                (
                    Keyword(text="list", help="Only for hosts that an access list permits"),
                    ACCESS_LIST,
                    Either(_gateway("ftp"), (Unsupported(text="ESP"),), (Unsupported(text="IKE"),)),
                ),
                *(_gateway(name) for name in GATEWAYS),
                *((Unsupported(text=word),) for word in ("skinny", "ESP", "IKE")),
            ),
        ),
        stored=_switched,
        set=lambda configuration, _subject, values: _switch_service(configuration, _service(values), on=True),
        unset=lambda configuration, _subject, values: _switch_service(
            configuration, _service(values), on=False
        ),
        default=lambda configuration, _subject, values: _switch_service(
            configuration, _service(values), on=_normally_on(_service(values))
        ),
        negatable=True,
    ),
    Configures(
        pattern=(
            *(*IP_NAT, _SERVICE),
            Keyword(text="fullrange", help="A low port may become any other"),
            *(_PROTOCOLS, *_PORT),
        ),
        stored=_ranges,
        set=_set_range,
        unset=_unset_range,
    ),
    _switch(
        (_TUN, Keyword(text="offload", help="Large packets, and checksums left to hardware")), "tun_offload"
    ),
    Configures(
        pattern=(
            *(*IP_NAT, _TUN, Keyword(text="queue-length", help="Packets that wait for the translator")),
            Tail(Number(key="packets", low=10, high=100000, help="Packets")),
        ),
        stored=_queue,
        set=lambda configuration, _subject, values: _with(configuration, tun_queue=values["packets"]),
        unset=lambda configuration, _subject, _values: _with(configuration, tun_queue=DEFAULT_QUEUE),
    ),
    Refuses(pattern=(*IP_NAT, _SETTINGS, Unsupported(text="mode"))),
)
