"""Lines of ``redundancy`` and ``peers`` blocks, and ``defer``: packets that come before their entry."""

from collections.abc import Iterator
from dataclasses import replace

from cli.commands.snat import in_group
from cli.grammar import Optional, Tail, Values
from cli.tokens import HostAddress, Keyword, Number
from cli.tree import Command
from snat.config.model import DEFAULT_PORT, Group
from snat.config.stateful import ANY_ADDRESS, DEFAULT_RETAIN


def _local(group: Group) -> Iterator[Values]:
    if (group.address, group.port) != (ANY_ADDRESS, DEFAULT_PORT):
        yield {"address": group.address, "port": group.port}


def _set_local(group: Group, values: Values) -> Group:
    return replace(group, address=values["address"], port=values.get("port", DEFAULT_PORT))


def _unset_local(group: Group, _values: Values) -> Group:
    return replace(group, address=ANY_ADDRESS, port=DEFAULT_PORT)


def _udp(group: Group) -> Iterator[Values]:
    if group.udp:
        yield {}


def _as_queuing(group: Group) -> Iterator[Values]:
    if not group.as_queuing:
        yield {}


def _defer(group: Group) -> Iterator[Values]:
    if group.defer:
        yield {}


def _retain(group: Group) -> Iterator[Values]:
    if group.retain != DEFAULT_RETAIN:
        yield {"seconds": group.retain}


IN_ANY: tuple[Command, ...] = (
    in_group(
        (Keyword(text="defer", help="Hold the first packet of a flow until the members have its entry"),),
        _defer,
        lambda group, _values: replace(group, defer=True),
        lambda group, _values: replace(group, defer=False),
    ),
)

IN_NAMED: tuple[Command, ...] = (
    in_group(
        (
            Keyword(text="local-address", help="Address of this router for its neighbors"),
            Tail(HostAddress(key="address", help="Address of this router")),
            Optional(
                Keyword(text="port", help="TCP port on which this router listens"),
                Number(key="port", low=1, high=65535, help="TCP port", default=DEFAULT_PORT),
            ),
        ),
        _local,
        _set_local,
        _unset_local,
    ),
    in_group(
        (
            Keyword(text="as-queuing", help="Packets from outside that are earlier than their entry"),
            Keyword(text="disable", help="Do not wait for the entry"),
        ),
        _as_queuing,
        lambda group, _values: replace(group, as_queuing=False),
        lambda group, _values: replace(group, as_queuing=True),
    ),
)

IN_REDUNDANCY: tuple[Command, ...] = (
    in_group(
        (
            Keyword(text="protocol", padding="  ", help="Transport to the neighbors"),
            Tail(Keyword(text="udp", help="UDP instead of TCP")),
        ),
        _udp,
        lambda group, _values: replace(group, udp=True),
        lambda group, _values: replace(group, udp=False),
    ),
)

IN_PEERS: tuple[Command, ...] = (
    in_group(
        (
            Keyword(text="retain", help="How long entries of a lost peer stay if they are not used"),
            Tail(Number(key="seconds", low=0, high=86400, help="Seconds; 0: they go at once")),
        ),
        _retain,
        lambda group, values: replace(group, retain=values["seconds"]),
        lambda group, _values: replace(group, retain=DEFAULT_RETAIN),
    ),
)
