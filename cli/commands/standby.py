"""``standby``: HSRP groups of an interface (ios-cli.md 1.6). The group is always printed, 0 too.

All lines of a group are one declaration (:data:`_LINES`), so that the running configuration has them group by
group. A line is told by its first word, which is a key among its values.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from cli.commands import standby_lines as lines
from cli.commands.editing import drop, put
from cli.commands.interface import find_interface, put_interface
from cli.grammar import NOT_ALONE, Either, Optional, Options, Pattern, Tail, Values
from cli.tokens import HostAddress, Keyword, Number, Unsupported, Word
from cli.tree import Command, Configures, Refuses, Rejected
from snat.config.interface import Standby, StandbyGroup
from snat.config.model import Configuration
from snat.config.verify_interfaces import HIGHEST_NUMBER

HIGHEST_DELAY = 10000
"""Seconds."""

STANDBY = Keyword(text="standby", help="HSRP groups")
_GROUP = Number(key="group", low=0, high=HIGHEST_NUMBER[2], help="Number of the group")


def _with(configuration: Configuration, name: str, standby: Standby) -> Configuration:
    return put_interface(configuration, replace(find_interface(configuration, name), standby=standby))


def _standby(configuration: Configuration, name: str) -> Standby:
    return find_interface(configuration, name).standby


# --- the lines of a group


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One kind of line of a group."""

    pattern: Pattern
    """Begins with a keyword that has a key."""
    values: Callable[[StandbyGroup], Iterator[Values]]
    change: Callable[[StandbyGroup, Values], StandbyGroup]
    remove: Callable[[StandbyGroup, Values], StandbyGroup]
    """Gets what was typed after ``no``."""

    @property
    def key(self) -> str:
        """Of its first word."""
        word = self.pattern[0]
        assert isinstance(word, Keyword)
        return word.key


def _ip_values(group: StandbyGroup) -> Iterator[Values]:
    if group.enabled:
        yield {"ip": True} | ({"address": group.address} if group.address else {})
    for address in group.secondary:
        yield {"ip": True, "address": address, "secondary": True}


def _with_ip(group: StandbyGroup, values: Values) -> StandbyGroup:
    if "secondary" not in values:
        return replace(group, enabled=True, address=values.get("address"))
    if not group.enabled:
        raise Rejected("% A secondary address needs a virtual one. Enter standby ip first")
    return replace(group, secondary=put(group.secondary, values["address"], lambda one: one))


def _without_ip(group: StandbyGroup, values: Values) -> StandbyGroup:
    """Without the address that is named; without any where none is."""
    address = values.get("address")
    if "secondary" in values:
        return replace(group, secondary=drop(group.secondary, lambda one: one == address))
    if address not in (None, group.address):
        raise Rejected(f"% The virtual address is not {address}")
    if address and group.secondary:
        raise Rejected("% Must delete secondary before deleting primary")
    return replace(group, enabled=False, address=None, secondary=())


def _without_track(group: StandbyGroup, values: Values) -> StandbyGroup:
    target = lines.track_of(values).target
    return replace(group, tracks=drop(group.tracks, lambda one: one.target == target))


def _simple(word: str, help_text: str, attribute: str, token: Any, default: Any) -> _Line:
    """A line with one value."""
    key = f"{attribute}_line"

    def values(group: StandbyGroup) -> Iterator[Values]:
        value = getattr(group, attribute)
        if value != default:
            yield {key: True, attribute: value}

    return _Line(
        pattern=(Keyword(text=word, key=key, help=help_text), Tail(token)),
        values=values,
        change=lambda group, typed: replace(group, **{attribute: typed[attribute]}),
        remove=lambda group, _typed: replace(group, **{attribute: default}),
    )


_NORMAL = StandbyGroup(number=0)


def _group_name(key: str, help_text: str) -> Word:
    return Word(
        key=key,
        shape=lines.NAME_SHAPE,
        what="the name of a group: at most 25 characters",
        help=help_text,
        candidates=lambda configuration: [
            group.name for one in configuration.interfaces for group in one.standby.groups if group.name
        ],
    )


_LINES = (
    _Line(
        pattern=(
            Keyword(text="ip", key="ip", help="Enable the group"),
            Optional(
                HostAddress(key="address", help="Virtual address; without one it is learnt"),
                Optional(Keyword(text="secondary", key="secondary", help="One more address")),
            ),
        ),
        values=_ip_values,
        change=_with_ip,
        remove=_without_ip,
    ),
    _Line(
        pattern=lines.TIMERS,
        values=lines.timer_values,
        change=lambda group, typed: replace(
            group, hello=lines.time_of("hello", typed), hold=lines.time_of("hold", typed)
        ),
        remove=lambda group, _typed: replace(group, hello=_NORMAL.hello, hold=_NORMAL.hold),
    ),
    _simple(
        "priority",
        "Which router is active: the highest",
        "priority",
        Number(key="priority", low=0, high=255, help="Priority"),
        _NORMAL.priority,
    ),
    _Line(
        pattern=lines.PREEMPT,
        values=lines.preempt_values,
        change=lines.with_preempt,
        remove=lines.without_preempt,
    ),
    _Line(
        pattern=lines.AUTHENTICATION,
        values=lines.authentication_values,
        change=lambda group, typed: replace(group, authentication=lines.authentication_of(typed)),
        remove=lambda group, _typed: replace(group, authentication=None),
    ),
    _simple("name", "Name of the group", "name", _group_name("name", "The name"), ""),
    _simple(
        "mac-address",
        "Virtual MAC address",
        "mac_address",
        lines.MacAddress(key="mac_address", help="The address"),
        b"",
    ),
    _simple("follow", "Be what another group is", "follow", _group_name("follow", "Name of that group"), ""),
    _Line(
        pattern=lines.TRACK,
        values=lines.track_values,
        change=lambda group, typed: replace(
            group, tracks=put(group.tracks, lines.track_of(typed), lambda one: one.target)
        ),
        remove=_without_track,
    ),
)
"""In the order of the running configuration."""


def _stored(configuration: Configuration, name: str) -> Iterator[Values]:
    for group in _standby(configuration, name).groups:
        for line in _LINES:
            yield from ({"group": group.number, **values} for values in line.values(group))


def _normal(values: Values) -> Values:
    values = {"group": 0, **values}
    for normal in (
        lines.normal_timers,
        lines.normal_preempt,
        lines.normal_authentication,
        lines.normal_track,
    ):
        values = normal(values)
    return values


def _edit(configuration: Configuration, name: str, values: Values, *, remove: bool) -> Configuration:
    """With the line, or without it. A group about which nothing is said any more is gone."""
    line = next(one for one in _LINES if one.key in values)
    standby = _standby(configuration, name)
    number = values["group"]
    present = next((one for one in standby.groups if one.number == number), StandbyGroup(number=number))
    changed = (line.remove if remove else line.change)(present, values)
    groups = sorted(put(standby.groups, changed, _number), key=_number)
    kept = drop(tuple(groups), lambda one: one == StandbyGroup(number=one.number))
    return _with(configuration, name, _numbered(replace(standby, groups=kept)))


def _numbered(standby: Standby) -> Standby:
    """The same. Raises :class:`Rejected` for a group whose number the version does not have."""
    highest = HIGHEST_NUMBER[standby.version]
    for group in standby.groups:
        if group.number > highest:
            raise Rejected(
                f"% Version {standby.version} of HSRP has groups 0 to {highest}, not {group.number}"
            )
    return standby


def _number(group: StandbyGroup) -> int:
    return group.number


def _unset_group(configuration: Configuration, name: str, values: Values) -> Configuration:
    standby = _standby(configuration, name)
    groups = drop(standby.groups, lambda one: one.number == values["group"])
    return _with(configuration, name, replace(standby, groups=groups))


# --- the lines of the interface


def _of_interface(
    pattern: Pattern,
    values: Callable[[Standby], Iterator[Values]],
    change: Callable[[Standby, Values], Standby],
) -> Configures:
    """A line of all groups of the interface; its ``no`` form is a change by no values."""

    def stored(configuration: Configuration, name: str) -> Iterator[Values]:
        return values(_standby(configuration, name))

    def set_(configuration: Configuration, name: str, typed: Values) -> Configuration:
        return _with(configuration, name, change(_standby(configuration, name), typed))

    def unset(configuration: Configuration, name: str, _typed: Values) -> Configuration:
        return _with(configuration, name, change(_standby(configuration, name), {}))

    return Configures(pattern=(STANDBY, *pattern), stored=stored, set=set_, unset=unset, negatable=True)


_DEFAULT = Standby()


def _delay_values(standby: Standby) -> Iterator[Values]:
    if (standby.delay_minimum, standby.delay_reload) != (_DEFAULT.delay_minimum, _DEFAULT.delay_reload):
        yield {"minimum": standby.delay_minimum, "reload": standby.delay_reload}


def _with_delay(standby: Standby, values: Values) -> Standby:
    """One that is not said stays; both go back to the default where nothing is."""
    present = standby if values else _DEFAULT
    return replace(
        standby,
        delay_minimum=values.get("minimum", present.delay_minimum),
        delay_reload=values.get("reload", present.delay_reload),
    )


_MINIMUM = (
    Keyword(text="minimum", help="After the interface comes up"),
    Number(key="minimum", low=0, high=HIGHEST_DELAY, help="Seconds"),
)
_RELOAD = (
    Keyword(text="reload", help="After a restart"),
    Number(key="reload", low=0, high=HIGHEST_DELAY, help="Seconds"),
)

IN_INTERFACE: tuple[Command, ...] = (
    _of_interface(
        (
            Keyword(text="version", help="Of the protocol"),
            Tail(Number(key="version", low=1, high=2, help="Version")),
        ),
        lambda standby: iter([{"version": standby.version}] if standby.version != _DEFAULT.version else []),
        lambda standby, values: _numbered(replace(standby, version=values.get("version", _DEFAULT.version))),
    ),
    _of_interface(
        (
            Keyword(text="delay", help="When groups begin"),
            Tail(Either((*_MINIMUM, Options(_RELOAD)), (*_RELOAD, Options(_MINIMUM)))),
        ),
        _delay_values,
        _with_delay,
    ),
    _of_interface(
        (
            Keyword(text="mac-refresh", help="How often switches are told the virtual MAC address"),
            Tail(Number(key="seconds", low=0, high=255, help="Seconds; 0: never")),
        ),
        lambda standby: iter(
            [{"seconds": standby.mac_refresh}] if standby.mac_refresh != _DEFAULT.mac_refresh else []
        ),
        lambda standby, values: replace(standby, mac_refresh=values.get("seconds", _DEFAULT.mac_refresh)),
    ),
    Configures(
        pattern=(STANDBY, Optional(_GROUP), Either(*(line.pattern for line in _LINES))),
        stored=_stored,
        set=lambda configuration, name, values: _edit(configuration, name, values, remove=False),
        unset=lambda configuration, name, values: _edit(configuration, name, values, remove=True),
        normal=_normal,
        negatable=True,
    ),
    Configures(
        pattern=(STANDBY, _GROUP, NOT_ALONE),
        stored=lambda _configuration, _subject: (),
        set=lambda configuration, _subject, _values: configuration,
        unset=_unset_group,
        negatable=True,
    ),
    Refuses(
        pattern=(
            STANDBY,
            Either(*((Unsupported(text=word),) for word in ("bfd", "redirect", "redirects", "use-bia"))),
        ),
    ),
)
