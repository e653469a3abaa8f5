"""Lines of a ``primary`` or ``backup`` block about messages of changes: how long, how often, who asks."""

from collections.abc import Iterator
from dataclasses import replace

from cli.commands.snat import in_group
from cli.grammar import Either, Tail, Values
from cli.tokens import Keyword, Number
from cli.tree import Command
from snat.config.model import DEFAULT_MAXIMUM_BYTES, Group

MAXIMUM = Keyword(text="maximum", help="How much a message of changes holds")


# --- maximum entries, maximum bytes


def _entries(group: Group) -> Iterator[Values]:
    if group.maximum_entries:
        yield {"entries": group.maximum_entries}


def _set_entries(group: Group, values: Values) -> Group:
    return replace(group, maximum_entries=values["entries"])


def _unset_entries(group: Group, _values: Values) -> Group:
    return replace(group, maximum_entries=0)


def _bytes(group: Group) -> Iterator[Values]:
    if group.maximum_bytes != DEFAULT_MAXIMUM_BYTES:
        yield {"bytes": group.maximum_bytes}


def _set_bytes(group: Group, values: Values) -> Group:
    return replace(group, maximum_bytes=values["bytes"])


def _unset_bytes(group: Group, _values: Values) -> Group:
    return replace(group, maximum_bytes=DEFAULT_MAXIMUM_BYTES)


# --- update-interval, pull interval


def _update_interval(group: Group) -> Iterator[Values]:
    if group.update_interval:
        yield {"milliseconds": round(group.update_interval * 1000)}


def _set_update_interval(group: Group, values: Values) -> Group:
    return replace(group, update_interval=values.get("milliseconds", 0) / 1000)


def _unset_update_interval(group: Group, _values: Values) -> Group:
    return replace(group, update_interval=0.0)


def _pull_interval(group: Group) -> Iterator[Values]:
    if group.pull_interval:
        yield {"seconds": round(group.pull_interval)}


def _set_pull_interval(group: Group, values: Values) -> Group:
    return replace(group, pull_interval=float(values["seconds"]))


def _unset_pull_interval(group: Group, _values: Values) -> Group:
    return replace(group, pull_interval=0.0)


IN_GROUP: tuple[Command, ...] = (
    in_group(
        (
            MAXIMUM,
            Keyword(text="entries", help="Entries, however short"),
            Tail(Number(key="entries", low=1, high=1000, help="Entries")),
        ),
        _entries,
        _set_entries,
        _unset_entries,
    ),
    in_group(
        (
            MAXIMUM,
            Keyword(text="bytes", help="Bytes, header included"),
            Tail(Number(key="bytes", low=1024, high=32768, help="Bytes")),
        ),
        _bytes,
        _set_bytes,
        _unset_bytes,
    ),
    in_group(
        (
            Keyword(text="update-interval", help="When changes leave for the neighbors"),
            Tail(
                Either(
                    (Keyword(text="triggered", key="triggered", help="Each at once"),),
                    (
                        Keyword(text="msec", help="Collected, and sent at intervals"),
                        Number(key="milliseconds", low=5, high=100, help="Milliseconds"),
                    ),
                )
            ),
        ),
        _update_interval,
        _set_update_interval,
        _unset_update_interval,
    ),
    in_group(
        (
            Keyword(text="pull", help="Ask for changes instead of listening (backup only)"),
            Keyword(text="interval", help="How often"),
            Tail(Number(key="seconds", low=1, high=3600, help="Seconds")),
        ),
        _pull_interval,
        _set_pull_interval,
        _unset_pull_interval,
    ),
)
