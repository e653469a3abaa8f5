"""The lines of an HSRP group as values of their tokens, and back (ios-cli.md 1.6)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from cli.grammar import Either, Optional, Options, Pattern, Tail, Values
from cli.tokens import InterfaceName, Keyword, Number, Token, Unsupported, Word
from cli.type7 import revealed
from snat.config.interface import Authentication, AuthenticationKind, StandbyGroup, Track

NAME_SHAPE = r"[!-~]{1,25}"
DECREMENT = Track("").decrement
HIGHEST_OBJECT = 1000
"""Number of a tracked object."""
LONGEST_DELAY = 3600
"""Seconds that taking over by preemption is put off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MacAddress(Token):
    """The MAC address of one host, ``0000.0c07.ac01``. Its value is six bytes."""

    @property
    def name(self) -> str:
        """``H.H.H``."""
        return "H.H.H"

    def read(self, word: str) -> bytes:
        """The six bytes."""
        if not re.fullmatch(r"([0-9A-Fa-f]{1,4}\.){2}[0-9A-Fa-f]{1,4}", word):
            raise ValueError(f"'{word}' is not a MAC address H.H.H")
        address = bytes.fromhex("".join(part.zfill(4) for part in word.split(".")))
        if address[0] & 1 or not any(address):
            raise ValueError(f"'{word}' is not the MAC address of one host")
        return address

    def write(self, value: bytes) -> str:
        """Three times four digits."""
        return value.hex(".", 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenKey(Token):
    """A key of type 7. Its value is the key itself, which is also what the running configuration prints."""

    def read(self, word: str) -> str:
        """The key."""
        return revealed(word)


# --- timers


def timer(name: str, help_text: str, seconds: int, milliseconds: tuple[int, int]) -> Either:
    """``[msec] N``: whole seconds up to a bound, or milliseconds."""
    low, high = milliseconds
    return Either(
        (
            Keyword(text="msec", key=f"{name}_msec", help=f"{help_text} in milliseconds"),
            Number(key=f"{name}_milliseconds", low=low, high=high, help=f"{help_text} in milliseconds"),
        ),
        (Number(key=f"{name}_seconds", low=1, high=seconds, help=f"{help_text} in seconds"),),
    )


TIMERS: Pattern = (
    Keyword(text="timers", key="timers", help="Hello and hold time"),
    Tail(
        timer("hello", "Hello interval", 254, (15, 999)),
        timer("hold", "Time after which a silent router is lost", 255, (50, 3000)),
    ),
)


def timer_values(group: StandbyGroup) -> Iterator[Values]:
    """``timers``, where they are not the default."""
    normal = StandbyGroup(number=0)
    if (group.hello, group.hold) != (normal.hello, normal.hold):
        yield {"timers": True} | _time_values("hello", group.hello) | _time_values("hold", group.hold)


def _time_values(name: str, seconds: float) -> dict[str, Any]:
    milliseconds = round(seconds * 1000)
    if milliseconds % 1000:
        return {f"{name}_msec": True, f"{name}_milliseconds": milliseconds}
    return {f"{name}_seconds": milliseconds // 1000}


def time_of(name: str, values: Values) -> float:
    """Seconds."""
    if f"{name}_seconds" in values:
        return float(values[f"{name}_seconds"])
    return float(values[f"{name}_milliseconds"]) / 1000


def normal_timers(values: Values) -> Values:
    """``msec 1000`` is printed as ``1``."""
    if "timers" not in values or not any(key.startswith("hold") for key in values):
        return values
    kept = {key: value for key, value in values.items() if not key.startswith(("hello", "hold"))}
    hello, hold = time_of("hello", values), time_of("hold", values)
    return kept | _time_values("hello", hello) | _time_values("hold", hold)


# --- preempt


def _wait(key: str, help_text: str) -> Pattern:
    seconds = Number(key=key, low=0, high=LONGEST_DELAY, help="Seconds")
    return (Keyword(text=key, help=help_text), seconds)


_WAITS = (
    _wait("minimum", "After a router may take over"),
    _wait("reload", "After a restart"),
    _wait("sync", "For what is to be replicated first"),
)
PREEMPT: Pattern = (
    Keyword(text="preempt", key="preempt", help="Take over from a router of lower priority"),
    Optional(
        Keyword(text="delay", key="delay", help="Not at once"),
        Tail(
            Either(
                *((*wait, Options(*(one for one in _WAITS if one is not wait))) for wait in _WAITS),
            )
        ),
    ),
)


def preempt_values(group: StandbyGroup) -> Iterator[Values]:
    """``preempt``, with the delays that are not zero."""
    if group.preempt:
        yield {"preempt": True} | _waits(group.preempt_minimum, group.preempt_reload, group.preempt_sync)


def _waits(minimum: int, reload: int, sync: int) -> dict[str, Any]:
    waits = {"minimum": minimum, "reload": reload, "sync": sync}
    told = {key: seconds for key, seconds in waits.items() if seconds}
    return {"delay": True, **told} if told else {}


def normal_preempt(values: Values) -> Values:
    """A delay of zero is none."""
    if not {"minimum", "reload", "sync"} & values.keys():
        return values
    kept = {key: values[key] for key in ("group", "preempt")}
    return kept | _waits(*(values.get(key, 0) for key in ("minimum", "reload", "sync")))


def with_preempt(group: StandbyGroup, values: Values) -> StandbyGroup:
    """What is not said is not delayed."""
    return replace(
        group,
        preempt=True,
        preempt_minimum=values.get("minimum", 0),
        preempt_reload=values.get("reload", 0),
        preempt_sync=values.get("sync", 0),
    )


def without_preempt(group: StandbyGroup, values: Values) -> StandbyGroup:
    """``no ... preempt delay`` leaves the preemption."""
    return replace(with_preempt(group, {}), preempt=group.preempt and "delay" in values)


# --- authentication

_TEXT = Word(key="text", shape=r"[!-~]{1,8}", what="a text of at most 8 characters", help="The text")
_KEY = Word(
    key="key",
    shape=r"(?![07]$)[!-~]{1,64}",
    what="a key: at most 64 characters, and neither 0 nor 7",
    help="The key as it is",
)
AUTHENTICATION: Pattern = (
    Keyword(text="authentication", key="authentication", help="How messages are proved"),
    Tail(
        Either(
            (Keyword(text="text", help="By a text that anybody can read"), _TEXT),
            (
                Keyword(text="md5", help="By a hash with a key"),
                Either(
                    (
                        Keyword(text="key-string", help="A key"),
                        Either(
                            (_KEY,),
                            (Keyword(text="0", help="The key follows as it is"), _KEY),
                            (
                                Keyword(text="7", help="The key follows in type 7"),
                                HiddenKey(key="key", help="The key in type 7"),
                            ),
                        ),
                        Optional(
                            Keyword(text="timeout", help="How long the key before it is accepted"),
                            Number(key="timeout", low=0, high=32767, help="Seconds", default=0),
                        ),
                    ),
                    (Unsupported(text="key-chain"),),
                ),
            ),
            (_TEXT,),
        )
    ),
)


def authentication_values(group: StandbyGroup) -> Iterator[Values]:
    """``authentication``."""
    proof = group.authentication
    if proof and proof.kind is AuthenticationKind.TEXT:
        yield {"authentication": True, "text": proof.key}
    elif proof:
        yield {"authentication": True, "key": proof.key, "timeout": proof.timeout}


def normal_authentication(values: Values) -> Values:
    """A key without time-out has that of zero."""
    return {"timeout": 0, **values} if "key" in values else values


def authentication_of(values: Values) -> Authentication:
    """What was typed."""
    if "text" in values:
        return Authentication(key=values["text"])
    return Authentication(
        kind=AuthenticationKind.KEY_STRING, key=values["key"], timeout=values.get("timeout", 0)
    )


# --- track

TRACK: Pattern = (
    Keyword(text="track", key="track", help="Lower the priority while something is down"),
    Either(
        (
            Number(key="object", low=1, high=HIGHEST_OBJECT, help="Number of a tracked object"),
            Optional(
                Either(
                    (
                        Keyword(text="decrement", help="By how much"),
                        Number(key="decrement", low=1, high=255, help="Points"),
                    ),
                    (Keyword(text="shutdown", key="shutdown", help="Disable the group"),),
                )
            ),
        ),
        (
            InterfaceName(
                key="interface",
                shape=r"(?![0-9]+$)(?!\.{1,2}$)[!-.0-9;-~]{1,15}",
                what="the name of an interface, with at least one letter",
                help="Name of an interface",
                candidates=lambda configuration: [one.name for one in configuration.interfaces],
            ),
            Optional(Number(key="decrement", low=1, high=255, help="By how many points")),
        ),
    ),
)


def track_values(group: StandbyGroup) -> Iterator[Values]:
    """``track``, one line for each target."""
    for track in group.tracks:
        target: dict[str, Any] = {"interface": track.target}
        if track.target.isdecimal():
            target = {"object": int(track.target)}
        if track.shutdown:
            target["shutdown"] = True
        elif track.decrement != DECREMENT:
            target["decrement"] = track.decrement
        yield {"track": True} | target


def normal_track(values: Values) -> Values:
    """The default decrement is not printed."""
    if "track" not in values or values.get("decrement") != DECREMENT:
        return values
    return {key: value for key, value in values.items() if key != "decrement"}


def track_of(values: Values) -> Track:
    """What was typed."""
    target = str(values["object"]) if "object" in values else values["interface"]
    return Track(target, values.get("decrement", DECREMENT), "shutdown" in values)
