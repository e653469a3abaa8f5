"""``route-map NAME [permit|deny] [SEQUENCE]`` and what stands below it (ios-cli.md 1.5)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from cli.commands.editing import drop, put
from cli.commands.names import ACCESS_LIST, INTERFACE, ROUTE_MAP
from cli.commands.texts import checked_text
from cli.grammar import NOT_ALONE, Either, Optional, Tail, Values
from cli.modes import ROUTE_MAP as MODE
from cli.session import Place
from cli.tokens import Keyword, Line, Number, Token, Unsupported
from cli.tree import Command, Configures, Refuses, Rejected
from snat.config.model import Configuration, RouteMap, RouteMapEntry

FIRST_SEQUENCE = 10
"""Of ``route-map NAME`` without a number."""
MAX_DESCRIPTION = 100
"""Characters."""
AT_ONCE = 8
"""Names on one ``match`` line; more of them take several lines."""
_UNSUPPORTED_MATCHES = (
    *("as-path", "clns", "community", "extcommunity", "ipv6", "length", "local-preference", "metric"),
    *("mpls-label", "nlri", "policy-list", "route-type", "source-protocol", "tag"),
)


class Subject(NamedTuple):
    """What tells an entry from others."""

    name: str
    sequence: int


def _find(configuration: Configuration, name: str) -> RouteMap:
    found = (one for one in configuration.route_maps if one.name == name)
    return next(found, RouteMap(name=name))


def _entry(configuration: Configuration, subject: Subject) -> RouteMapEntry | None:
    entries = _find(configuration, subject.name).entries
    return next((one for one in entries if one.sequence == subject.sequence), None)


def _put(configuration: Configuration, name: str, entry: RouteMapEntry) -> Configuration:
    present = _find(configuration, name)
    entries = sorted(put(present.entries, entry, _sequence), key=_sequence)
    return _put_map(configuration, replace(present, entries=tuple(entries)))


def _put_map(configuration: Configuration, route_map: RouteMap) -> Configuration:
    maps = put(configuration.route_maps, route_map, lambda one: one.name)
    return replace(configuration, route_maps=drop(maps, lambda one: not one.entries))


def _sequence(entry: RouteMapEntry) -> int:
    return entry.sequence


def _stored(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    for route_map in configuration.route_maps:
        for entry in route_map.entries:
            action = "permit" if entry.permit else "deny"
            yield {"route_map": route_map.name, action: True, "sequence": entry.sequence}


def _set(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    subject = _subject_of(values)
    entry = _entry(configuration, subject) or RouteMapEntry(sequence=subject.sequence)
    return _put(configuration, subject.name, replace(entry, permit="deny" not in values))


def _unset(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    subject = _subject_of(values)
    present = _find(configuration, subject.name)
    entries = drop(present.entries, lambda one: one.sequence == subject.sequence)
    return _put_map(configuration, replace(present, entries=entries))


def _unset_map(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    name = values["route_map"]
    return replace(configuration, route_maps=drop(configuration.route_maps, lambda one: one.name == name))


def _normal(values: Values) -> Values:
    action = {} if "deny" in values else {"permit": True}
    return {"sequence": FIRST_SEQUENCE, **action, **values}


def _subject_of(values: Values) -> Subject:
    return Subject(values["route_map"], values.get("sequence", FIRST_SEQUENCE))


_ROUTE_MAP = (Keyword(text="route-map", help="Choose packets by several lists"), ROUTE_MAP)

COMMANDS: tuple[Command, ...] = (
    # `no route-map NAME` is about all entries; without `no` the same words are about the first.
    Configures(
        pattern=(*_ROUTE_MAP, NOT_ALONE),
        stored=lambda _configuration, _subject: (),
        set=lambda configuration, _subject, _values: configuration,
        unset=_unset_map,
        negatable=True,
    ),
    Configures(
        pattern=(
            *_ROUTE_MAP,
            Optional(
                Either(
                    (Keyword(text="permit", key="permit", help="What matches is chosen"),),
                    (Keyword(text="deny", key="deny", help="What matches is not chosen"),),
                )
            ),
            Optional(Number(key="sequence", low=0, high=65535, help="Place among the entries of the name")),
        ),
        stored=_stored,
        set=_set,
        unset=_unset,
        normal=_normal,
        enters=lambda values: Place(MODE, _subject_of(values)),
        separated=True,
        negatable=True,
    ),
)


def _in_entry(
    pattern: tuple[Any, ...],
    values: Callable[[RouteMapEntry], Iterator[Values]],
    change: Callable[[RouteMapEntry, Values], RouteMapEntry],
    remove: Callable[[RouteMapEntry, Values], RouteMapEntry],
) -> Configures:
    """A line of an entry."""

    def stored(configuration: Configuration, subject: Subject) -> Iterator[Values]:
        entry = _entry(configuration, subject)
        return values(entry) if entry else iter(())

    def edited(
        by: Callable[[RouteMapEntry, Values], RouteMapEntry],
    ) -> Callable[[Configuration, Subject, Values], Configuration]:
        def edit(configuration: Configuration, subject: Subject, typed: Values) -> Configuration:
            entry = _entry(configuration, subject)
            if entry is None:
                raise Rejected(
                    f"% route-map {subject.name} {subject.sequence} has been removed. Enter it again"
                )
            return _put(configuration, subject.name, by(entry, typed))

        return edit

    return Configures(
        pattern=pattern, stored=stored, set=edited(change), unset=edited(remove), negatable=True
    )


def _several(token: Token) -> tuple[Any, ...]:
    """The token, once to :data:`AT_ONCE` times; the keys are numbered."""
    pattern: tuple[Any, ...] = ()
    for number in range(AT_ONCE, 0, -1):
        one = replace(token, key=f"{token.key}_{number}")
        pattern = (one, Optional(*pattern)) if pattern else (one,)
    return pattern


def _names(key: str, values: Values) -> tuple[str, ...]:
    numbered = (f"{key}_{number}" for number in range(1, AT_ONCE + 1))
    return tuple(values[one] for one in numbered if one in values)


def _name_values(key: str, names: Sequence[str]) -> Iterator[Values]:
    for start in range(0, len(names), AT_ONCE):
        together = names[start : start + AT_ONCE]
        yield {f"{key}_{number}": name for number, name in enumerate(together, start=1)}


def _together(present: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*present, *more)))


def _without(present: tuple[str, ...], unwanted: tuple[str, ...]) -> tuple[str, ...]:
    """Without those that were named; without any if none was."""
    return drop(present, lambda one: one in unwanted or not unwanted)


_MATCH = Keyword(text="match", help="What a packet must be like")

IN_ROUTE_MAP: tuple[Command, ...] = (
    _in_entry(
        (
            Keyword(text="description", help="What the entry is for"),
            Tail(Line(key="description", help=f"At most {MAX_DESCRIPTION} characters")),
        ),
        lambda entry: iter([{"description": entry.description}] if entry.description else []),
        lambda entry, values: replace(
            entry, description=checked_text(values["description"], "A description", MAX_DESCRIPTION)
        ),
        lambda entry, _values: replace(entry, description=""),
    ),
    _in_entry(
        (
            _MATCH,
            Keyword(text="ip", help="Internet Protocol"),
            Keyword(text="address", help="One of these access lists must permit it"),
            Tail(Either(_several(ACCESS_LIST), (Unsupported(text="prefix-list"),))),
        ),
        lambda entry: _name_values("list", entry.lists),
        lambda entry, values: replace(entry, lists=_together(entry.lists, _names("list", values))),
        lambda entry, values: replace(entry, lists=_without(entry.lists, _names("list", values))),
    ),
    _in_entry(
        (
            _MATCH,
            Keyword(text="interface", help="It must leave by one of these interfaces"),
            Tail(*_several(INTERFACE)),
        ),
        lambda entry: _name_values("interface", entry.interfaces),
        lambda entry, values: replace(
            entry, interfaces=_together(entry.interfaces, _names("interface", values))
        ),
        lambda entry, values: replace(
            entry, interfaces=_without(entry.interfaces, _names("interface", values))
        ),
    ),
    Refuses(
        pattern=(
            Either(
                (
                    _MATCH,
                    Either(
                        *((Unsupported(text=word),) for word in _UNSUPPORTED_MATCHES),
                        (
                            Keyword(text="ip", help="Internet Protocol"),
                            Either(*((Unsupported(text=word),) for word in ("next-hop", "route-source"))),
                        ),
                    ),
                ),
                (Unsupported(text="set"),),
                (Unsupported(text="continue"),),
            ),
        ),
    ),
)
