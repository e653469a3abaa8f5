"""Messages of the log in the form of IOS: ``%SNAT-5-PROCESS: Id 1, System fully converged`` (ios-cli.md 3).

What a message is called comes with its event, in the field ``mnemonic``; an event of anybody else is called
by its level.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from twisted.logger import LogEvent, LogLevel, formatEvent

from snat.config.system import Level, Stamp, StampKind
from snat.status import Clock

LONGEST: Final = 1000
"""Characters of a message; what is longer is cut."""
_LABEL: Final = re.compile(r"[A-Z][A-Z0-9_]*-[0-7]-[A-Z0-9_]+")
_LEVELS: Final = {
    LogLevel.debug: "7-DEBUG",
    LogLevel.info: "6-INFO",
    LogLevel.warn: "4-WARNING",
    LogLevel.error: "3-ERROR",
    LogLevel.critical: "2-CRITICAL",
}
_MISREAD: Final = {
    "not found": "absent",
    "invalid input": "unusable input",
    "incomplete command": "unfinished command",
    "ambiguous command": "unclear command",
    "connection timed out": "no connection in time",
    "command authorization failed": "command not allowed",
    "command rejected": "command refused",
    "bad mask": "wrong mask",
}
"""Tools that read a terminal take these words for the failure of their command (ios-cli.md 4.3)."""
_WORDS: Final = re.compile("|".join(map(re.escape, _MISREAD)), re.IGNORECASE)
_ERROR: Final = re.compile(r"ERROR:")
"""In capitals only: the names of exceptions end in Error."""
_PERCENT: Final = re.compile(r"% ?(?=error|bad|invalid|incomplete|ambiguous)", re.IGNORECASE)
_SECRET: Final = re.compile(
    r"\b(secret|password|key-string|authentication (?:md5|text))(?: \S+)+", re.IGNORECASE
)
_DAYS_OF_WEEK: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One line of the log, not dated yet."""

    level: Level
    label: str
    """``SNAT-5-PROCESS``; empty: a line of debugging, which has none."""
    text: str

    @property
    def body(self) -> str:
        """As it is printed."""
        return f"%{self.label}: {self.text}" if self.label else self.text


def message_of(event: LogEvent) -> Message | None:
    """What an event says; None if it says nothing."""
    text = formatEvent(event)
    failure = event.get("log_failure")
    if failure is not None:
        text = f"{text}: {failure.type.__name__}: {failure.getErrorMessage()}"
    if not text:
        return None
    if event.get("debugging"):
        return Message(level=Level.DEBUGGING, label="", text=plain(text))
    label = _label(event)
    return Message(level=Level(int(label.split("-")[1])), label=label, text=plain(text))


def plain(text: str) -> str:
    """A text on one line, that neither has a secret in it nor is taken for the failure of a command."""
    text = text[: 2 * LONGEST]
    if not text.isprintable():
        text = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    text = _WORDS.sub(lambda found: _MISREAD[found.group().lower()], text)
    text = _SECRET.sub(r"\1 *****", _PERCENT.sub("", _ERROR.sub("error -", text)))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def stamped(stamp: Stamp | None, now: Clock, uptime: float) -> str:
    """``*Mar  1 00:00:04.123: ``; empty without a stamp. The star says that nothing keeps the clock right."""
    if stamp is None:
        return ""
    if stamp.kind is StampKind.UPTIME:
        return f"{_spent(uptime)}: "
    zone = timezone(timedelta(seconds=now.offset)) if stamp.localtime else UTC
    at = datetime.fromtimestamp(now.seconds, zone)
    text = f"{'' if now.synchronised else '*'}{at:%b} {at.day:>2} {at:%H:%M:%S}"
    if stamp.milliseconds:
        text += f".{at.microsecond // 1000:03}"
    if stamp.show_timezone:
        text += f" {now.zone if stamp.localtime else 'UTC'}"
    return f"{text}: "


def _label(event: LogEvent) -> str:
    label = str(event.get("mnemonic") or "")
    if _LABEL.fullmatch(label):
        return label
    facility = "SNAT" if str(event.get("log_namespace", "")).startswith("snat") else "SYS"
    return f"{facility}-{_LEVELS.get(event.get('log_level', LogLevel.info), '6-INFO')}"


def _spent(seconds: float) -> str:
    """``00:01:02``, from a day on ``1d02h``, from a week on ``1w2d``."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days >= _DAYS_OF_WEEK:
        return f"{days // _DAYS_OF_WEEK}w{days % _DAYS_OF_WEEK}d"
    return f"{days}d{hour:02}h" if days else f"{hour:02}:{minute:02}:{second:02}"
