"""Lines of ``redundancy`` and ``peers`` blocks, and ``defer``: packets that come before their entry."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from cli.commands.snat import in_group, port
from cli.grammar import Pattern, Tail, Values
from cli.tokens import FilePath, HostAddress, Keyword, Number, Word
from cli.tree import Command, Configures
from snat.config.model import DEFAULT_PORT, Group
from snat.config.stateful import ANY_ADDRESS, DEFAULT_RETAIN, Keepalived


def _local(group: Group) -> Iterator[Values]:
    if (group.address, group.port) != (ANY_ADDRESS, DEFAULT_PORT):
        yield {"address": group.address, "port": group.port}


def _set_local(group: Group, values: Values) -> Group:
    return replace(group, address=values["address"], port=values.get("port", DEFAULT_PORT))


def _unset_local(group: Group, _values: Values) -> Group:
    return replace(group, address=ANY_ADDRESS, port=DEFAULT_PORT)


def _flag(pattern: Pattern, attribute: str, *, said: bool) -> Configures:
    """A line without values: the attribute is ``said`` with it, and the opposite without."""

    def change(group: Group, value: bool) -> Group:
        changes: dict[str, Any] = {attribute: value}
        return replace(group, **changes)

    def stored(group: Group) -> Iterator[Values]:
        if getattr(group, attribute) is said:
            yield {}

    return in_group(
        pattern,
        stored,
        lambda group, _values: change(group, said),
        lambda group, _values: change(group, not said),
    )


def _keepalived(group: Group) -> Iterator[Values]:
    if group.keepalived is not None:
        yield asdict(group.keepalived)


def _set_keepalived(group: Group, values: Values) -> Group:
    return replace(group, keepalived=Keepalived(**values))


def _unset_keepalived(group: Group, _values: Values) -> Group:
    return replace(group, keepalived=None)


def _retain(group: Group) -> Iterator[Values]:
    if group.retain != DEFAULT_RETAIN:
        yield {"seconds": group.retain}


IN_ANY: tuple[Command, ...] = (
    _flag(
        (Keyword(text="defer", help="Hold the first packet of a flow until the members have its entry"),),
        "defer",
        said=True,
    ),
)

IN_NAMED: tuple[Command, ...] = (
    in_group(
        (
            Keyword(text="local-address", help="Address of this router for its neighbors"),
            Tail(HostAddress(key="address", help="Address of this router")),
            port("TCP port on which this router listens"),
        ),
        _local,
        _set_local,
        _unset_local,
    ),
    _flag(
        (
            Keyword(text="as-queuing", help="Packets from outside that are earlier than their entry"),
            Keyword(text="disable", help="Do not wait for the entry"),
        ),
        "as_queuing",
        said=False,
    ),
)

IN_REDUNDANCY: tuple[Command, ...] = (
    in_group(
        (
            Keyword(text="keepalived", help="Follow a VRRP instance of keepalived, not an HSRP group"),
            Tail(
                Word(key="instance", help="Name of the instance"),
                Keyword(text="fifo", help="Where keepalived writes changes"),
                FilePath(key="fifo", help="Absolute path, its vrrp_notify_fifo"),
                Keyword(text="track-file", help="What keepalived reads"),
                FilePath(key="track_file", help="Absolute path, the file of its vrrp_track_file"),
            ),
        ),
        _keepalived,
        _set_keepalived,
        _unset_keepalived,
    ),
    _flag(
        (
            Keyword(text="protocol", padding="  ", help="Transport to the neighbors"),
            Tail(Keyword(text="udp", help="UDP instead of TCP")),
        ),
        "udp",
        said=True,
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
