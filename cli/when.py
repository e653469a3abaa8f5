"""Moments and spans of time as IOS writes them."""

from datetime import datetime, timedelta, timezone

from snat.status import Clock

_UNITS = (("year", 365 * 86400), ("week", 7 * 86400), ("day", 86400), ("hour", 3600), ("minute", 60))


def local(clock: Clock) -> datetime:
    """The local time that a clock shows."""
    return datetime.fromtimestamp(clock.seconds, timezone(timedelta(seconds=clock.offset), clock.zone))


def dated(clock: Clock) -> str:
    """``13:28:43 UTC Tue Jul 23 2013``."""
    at = local(clock)
    return f"{at:%H:%M:%S} {clock.zone} {at:%a %b} {at.day} {at.year}"


def exact(clock: Clock) -> str:
    """``*18:57:38.347 UTC Mon Oct 19 2015``; the star says that nothing keeps the clock right."""
    at = local(clock)
    star = "" if clock.synchronised else "*"
    return f"{star}{at:%H:%M:%S}.{at.microsecond // 1000:03} {clock.zone} {at:%a %b} {at.day} {at.year}"


def spelled(seconds: float) -> str:
    """``1 day, 2 hours, 5 minutes``, from the largest unit that there is."""
    rest = int(seconds)
    parts: list[str] = []
    for name, length in _UNITS:
        number, rest = divmod(rest, length)
        if number or parts or name == "minute":
            parts.append(f"{number} {name}{'' if number == 1 else 's'}")
    return ", ".join(parts)


def idle(seconds: float) -> str:
    """``00:01:02``, or ``3d04h`` from a day on."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours // 24}d{hours % 24:02}h" if hours >= 24 else f"{hours:02}:{minute:02}:{second:02}"
