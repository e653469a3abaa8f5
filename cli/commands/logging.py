"""``logging ...``, ``service timestamps``, ``service sequence-numbers`` (ios-cli.md 3)."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from cli.commands.editing import drop, put
from cli.grammar import Either, Optional, Options, Pattern, Tail, Values
from cli.tokens import HostAddress, Keyword, Number, Unsupported
from cli.tree import Command, Configures, Refuses
from snat.config.model import Configuration, Level, Logging, Stamp, StampKind
from snat.config.system import DEFAULT_STAMP

SMALLEST_BUFFER: Final = 4096
LARGEST_BUFFER: Final = 16 << 20
"""Bytes."""
DEFAULT: Final = Logging()
FACILITIES: Final = (
    *("auth", "cron", "daemon", "kern", "lpr", "mail", "news", "sys9", "sys10", "sys11", "sys12", "sys13"),
    *("sys14", "syslog", "user", "uucp", *(f"local{number}" for number in range(8))),
)
_HELP: Final = {
    Level.EMERGENCIES: "The router is unusable",
    Level.ALERTS: "Something must be done at once",
    Level.CRITICAL: "Something essential fails",
    Level.ERRORS: "Something fails",
    Level.WARNINGS: "Something may fail",
    Level.NOTIFICATIONS: "Something changed that matters",
    Level.INFORMATIONAL: "Something happened",
    Level.DEBUGGING: "What debug shows",
}
NAMES: Final = {level: level.name.lower() for level in Level}
_WORDS: Final = Either(
    *((Keyword(text=NAMES[level], key=NAMES[level], help=_HELP[level]),) for level in Level),
    (Number(key="level", low=0, high=7, help="The level as a number"),),
)
_LOGGING: Final = Keyword(text="logging", help="Where messages of the log go")

Changed = Callable[[Configuration, Any, Values], Configuration]


def _with(configuration: Configuration, **changes: Any) -> Configuration:
    system = configuration.system
    return replace(configuration, system=replace(system, logging=replace(system.logging, **changes)))


def _level(values: Values, otherwise: Level = Level.DEBUGGING) -> Level:
    """The level that a line says, by its name or its number."""
    if "level" in values:
        return Level(values["level"])
    return next((level for level, name in NAMES.items() if name in values), otherwise)


def _named(values: Values) -> Values:
    """With the name of the level in the place of its number."""
    if "level" not in values:
        return values
    return {key: value for key, value in values.items() if key != "level"} | {NAMES[_level(values)]: True}


def _destination(place: str, help_text: str, otherwise: Level) -> Configures:
    """``logging console LEVEL`` and its like; printed where it is not the default."""
    default = getattr(DEFAULT, place)

    def line(level: Level | None) -> Values:
        return {"no": True} if level is None else {NAMES[level]: True}

    def stored(configuration: Configuration, _subject: Any) -> Iterator[Values]:
        level = getattr(configuration.system.logging, place)
        if level != default:
            yield line(level)

    def hidden(configuration: Configuration, _subject: Any) -> Iterator[Values]:
        if getattr(configuration.system.logging, place) == default:
            yield line(default)

    return Configures(
        pattern=(_LOGGING, Keyword(text=place, help=help_text), Optional(_WORDS)),
        stored=stored,
        hidden=hidden,
        normal=_named,
        set=lambda configuration, _subject, values: _with(
            configuration, **{place: _level(values, otherwise)}
        ),
        unset=lambda configuration, _subject, _values: _with(configuration, **{place: None}),
        default=lambda configuration, _subject, _values: _with(configuration, **{place: default}),
        negatable=True,
    )


# --- logging on, buffered, host, facility


def _switch(pattern: Pattern, name: str) -> Configures:
    """A line that is there or not; printed where it is not the default."""
    default = getattr(DEFAULT, name)

    def stored(configuration: Configuration, _subject: Any) -> Iterator[Values]:
        on = getattr(configuration.system.logging, name)
        if on != default:
            yield {} if on else {"no": True}

    def hidden(configuration: Configuration, _subject: Any) -> Iterator[Values]:
        if getattr(configuration.system.logging, name) == default:
            yield {} if default else {"no": True}

    return Configures(
        pattern=pattern,
        stored=stored,
        hidden=hidden,
        set=lambda configuration, _subject, _values: _with(configuration, **{name: True}),
        unset=lambda configuration, _subject, _values: _with(configuration, **{name: False}),
        default=lambda configuration, _subject, _values: _with(configuration, **{name: default}),
        negatable=True,
    )


def _buffer_line(settings: Logging) -> Values:
    if settings.buffered is None:
        return {"no": True}
    return {"size": settings.buffer_size, NAMES[settings.buffered]: True}


def _is_default_buffer(settings: Logging) -> bool:
    return (settings.buffered, settings.buffer_size) == (DEFAULT.buffered, DEFAULT.buffer_size)


def _buffered(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    if not _is_default_buffer(configuration.system.logging):
        yield _buffer_line(configuration.system.logging)


def _hidden_buffer(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    if _is_default_buffer(configuration.system.logging):
        yield _buffer_line(configuration.system.logging)


def _set_buffer(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    return _with(configuration, buffered=_level(values), buffer_size=values.get("size", DEFAULT.buffer_size))


def _reset_buffer(configuration: Configuration, _subject: Any, _values: Values) -> Configuration:
    return _with(configuration, buffered=DEFAULT.buffered, buffer_size=DEFAULT.buffer_size)


def _hosts(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    return ({"address": host} for host in configuration.system.logging.hosts)


def _set_host(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    hosts = put(configuration.system.logging.hosts, values["address"], int)
    return _with(configuration, hosts=hosts)


def _unset_host(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    hosts = drop(configuration.system.logging.hosts, lambda host: host == values["address"])
    return _with(configuration, hosts=hosts)


def _facility(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    if configuration.system.logging.facility != DEFAULT.facility:
        yield {configuration.system.logging.facility: True}


def _hidden_facility(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    if configuration.system.logging.facility == DEFAULT.facility:
        yield {DEFAULT.facility: True}


def _set_facility(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    return _with(configuration, facility=next(name for name in FACILITIES if name in values))


def _unset_facility(configuration: Configuration, _subject: Any, _values: Values) -> Configuration:
    return _with(configuration, facility=DEFAULT.facility)


# --- service timestamps


def _stamp_line(stamp: Stamp | None) -> Values:
    if stamp is None:
        return {"no": True}
    if stamp.kind is StampKind.UPTIME:
        return {"uptime": True}
    options = {"msec": stamp.milliseconds, "localtime": stamp.localtime, "zone": stamp.show_timezone}
    return {"datetime": True} | {name: True for name, wanted in options.items() if wanted}


def _stamp(values: Values) -> Stamp:
    if "datetime" not in values:
        return Stamp(kind=StampKind.UPTIME)
    return Stamp(
        milliseconds="msec" in values, localtime="localtime" in values, show_timezone="zone" in values
    )


def _timestamps(kind: str, help_text: str) -> Configures:
    """``service timestamps log|debug ...``; without more, since the router began, as in IOS."""
    name = f"{kind}_stamp"

    def stored(configuration: Configuration, _subject: Any) -> Iterator[Values]:
        stamp = getattr(configuration.system.logging, name)
        if stamp != DEFAULT_STAMP:
            yield _stamp_line(stamp)

    def hidden(configuration: Configuration, _subject: Any) -> Iterator[Values]:
        if getattr(configuration.system.logging, name) == DEFAULT_STAMP:
            yield _stamp_line(DEFAULT_STAMP)

    def changed(stamp: Callable[[Values], Stamp | None]) -> Changed:
        return lambda configuration, _subject, values: _with(configuration, **{name: stamp(values)})

    return Configures(
        pattern=(
            _SERVICE,
            Keyword(text="timestamps", help="How messages are dated"),
            Keyword(text=kind, help=help_text),
            Optional(
                Either(
                    (
                        Keyword(text="datetime", key="datetime", help="With date and time"),
                        Options(
                            (Keyword(text="msec", key="msec", help="To a millisecond"),),
                            (Keyword(text="localtime", key="localtime", help="In local time, not in UTC"),),
                            (Keyword(text="show-timezone", key="zone", help="With the time zone"),),
                            (Unsupported(text="year"),),
                        ),
                    ),
                    (Keyword(text="uptime", key="uptime", help="Since the router began"),),
                )
            ),
        ),
        stored=stored,
        hidden=hidden,
        set=changed(_stamp),
        unset=changed(lambda _values: None),
        default=changed(lambda _values: DEFAULT_STAMP),
        negatable=True,
    )


_SERVICE: Final = Keyword(text="service", help="What the router does besides")
_OTHERS: Final = (
    *("alarm", "buginf", "cns-events", "count", "discriminator", "dmvpn", "esm", "event", "exception"),
    *("filter", "history", "message-counter", "origin-id", "persistent", "queue-limit", "rate-limit"),
    *("reload", "server-arp", "smartlog", "snmp-authfail", "snmp-trap", "source-interface", "userinfo"),
)

SERVICES: Final[tuple[Command, ...]] = (
    _timestamps("debug", "Lines of debugging"),
    _timestamps("log", "Messages of the log"),
    _switch((_SERVICE, Keyword(text="sequence-numbers", help="Number messages")), "sequence_numbers"),
)
"""They stand first in the running configuration."""

PLACES: Final[tuple[Command, ...]] = (
    _switch((_LOGGING, Keyword(text="on", help="To any place but the daemon's log")), "on"),
    Configures(
        pattern=(
            _LOGGING,
            Keyword(text="buffered", help="To a buffer in memory"),
            Optional(Unsupported(text="discriminator")),
            Optional(Unsupported(text="filtered")),
            Optional(Unsupported(text="xml")),
            Optional(Number(key="size", low=SMALLEST_BUFFER, high=LARGEST_BUFFER, help="Bytes")),
            Optional(_WORDS),
        ),
        stored=_buffered,
        hidden=_hidden_buffer,
        normal=_named,
        set=_set_buffer,
        unset=lambda configuration, _subject, _values: _with(configuration, buffered=None),
        default=_reset_buffer,
        negatable=True,
    ),
    _destination("console", "To the daemon's own log", Level.DEBUGGING),
    _destination("monitor", "To sessions that said terminal monitor", Level.DEBUGGING),
    Refuses(pattern=(_LOGGING, Either(*((Unsupported(text=word),) for word in _OTHERS)))),
)

HOSTS: Final[tuple[Command, ...]] = (
    _destination("trap", "To hosts that collect messages", Level.INFORMATIONAL),
    Configures(
        pattern=(
            _LOGGING,
            Keyword(text="facility", help="The facility that hosts are told"),
            Tail(Either(*((Keyword(text=name, key=name, help="Facility"),) for name in FACILITIES))),
        ),
        stored=_facility,
        hidden=_hidden_facility,
        set=_set_facility,
        unset=_unset_facility,
        default=_unset_facility,
        negatable=True,
    ),
    Configures(
        pattern=(
            _LOGGING,
            Keyword(text="host", help="A host that collects messages"),
            HostAddress(key="address", help="Its address"),
            Optional(
                Either(*((Unsupported(text=word),) for word in ("vrf", "transport", "xml", "discriminator")))
            ),
        ),
        stored=_hosts,
        set=_set_host,
        unset=_unset_host,
    ),
    Configures(
        pattern=(_LOGGING, HostAddress(key="address", help="A host that collects messages")),
        stored=lambda _configuration, _subject: (),
        set=_set_host,
        unset=_unset_host,
        negatable=True,
    ),
)
"""They stand near the end of the running configuration."""
