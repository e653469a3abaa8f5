"""``copy``, ``write``, ``erase`` and ``reload`` (ios-cli.md 3).

The daemon reads and writes one file, that of ``--config``, with its own rights. A file of the user is written
by the user's terminal, with the user's.
"""

from datetime import timedelta
from typing import Final

from cli.commands import storing
from cli.commands.configuration import configuration_lines
from cli.grammar import Either, Optional, Values
from cli.pipes import UserPath
from cli.session import Conversation, Question, Redirect, Session
from cli.tokens import Keyword, Token, Unsupported
from cli.tree import Command, Rejected, Runs
from cli.when import dated, local

DAY: Final = 86400
LONGEST_DELAY: Final = 99 * 60 + 59
"""Minutes; ``reload in 99:59``."""


def _copy_to_startup(session: Session, _values: Values) -> Conversation:
    said = ((yield Question("Destination filename [startup-config]? ")) or "").strip()
    if said not in ("", "startup-config"):
        raise Rejected(f"% Only startup-config can be here; say: copy running-config {said}")
    if conflict := session.router.startup.conflict():
        raise Rejected(f"% {conflict}; see show startup-config, and write memory to overwrite it")
    yield from storing.store(session)


def _copy_running(session: Session, values: Values) -> Conversation:
    """Into a file of the user."""
    yield Redirect(values["url"])
    for line in configuration_lines(session.router.running_configuration()):
        yield f"{line}\n"


def _copy_startup(session: Session, values: Values) -> Conversation:
    stored = session.router.startup.read()
    if stored is None:
        raise Rejected("% startup-config is not present")
    yield Redirect(values["url"])
    yield stored.text


def _write_memory(session: Session, _values: Values) -> Conversation:
    if conflict := session.router.startup.conflict():
        yield f"Warning: {conflict}\n"
        if not (yield from storing.confirmed("Overwrite the previous start-up configuration? [confirm]")):
            return
    yield from storing.store(session)


def _erase(session: Session, _values: Values) -> Conversation:
    yield from storing.erase(session)


def _reload(session: Session, values: Values) -> Conversation:
    """Restart the daemon: at once, after some minutes, or at a time of day."""
    router = session.router
    seconds = _delay(session, values)
    if storing.unsaved(router):
        yield from _offer_to_save(session)
    if seconds:
        at = dated(router.machine.clock(seconds))
        yield f"Reload scheduled for {at} (in {_minutes(seconds)}) by {session.name} (local)\n"
        yield "Reload reason: Reload Command\n"
    if not (yield from storing.confirmed("Proceed with reload? [confirm]")):
        return
    router.reloads.schedule(seconds, session.user, session.line)


def _delay(session: Session, values: Values) -> float:
    if "minutes" in values:
        return float(values["minutes"] * 60)
    if "at" not in values:
        return 0.0
    now = local(session.router.machine.clock())
    hour, minute = values["at"]
    then = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return ((then - now) % timedelta(seconds=DAY)).total_seconds()


def _minutes(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    hours = f"{minutes // 60} hour{'s' if minutes >= 120 else ''} and " if minutes >= 60 else ""
    return f"{hours}{minutes % 60} minute{'' if minutes % 60 == 1 else 's'}"


def _offer_to_save(session: Session) -> Conversation:
    while True:
        question = Question("System configuration has been modified. Save? [yes/no]: ")
        answer = ((yield question) or "").strip().lower()
        if answer and "no".startswith(answer):
            return
        if answer and "yes".startswith(answer):
            yield from _store_before_reload(session)
            return
        yield "% Please answer 'yes' or 'no'.\n"


def _store_before_reload(session: Session) -> Conversation:
    if conflict := session.router.startup.conflict():
        raise Rejected(
            f"% {conflict}; not reloaded. See show startup-config, and write memory to overwrite it"
        )
    yield from storing.store(session)


def _cancel(session: Session, _values: Values) -> Conversation:
    if not session.router.reloads.cancel():
        raise Rejected("% No reload is scheduled")
    session.router.note("SYS-5-SCHEDULED_RELOAD_CANCELLED", f"Scheduled reload cancelled by {session.name}")
    yield "***\n*** --- SHUTDOWN ABORTED ---\n***\n"


class _Delay(Token):
    """``MMM`` or ``HH:MM``. Its value is in minutes."""

    @property
    def name(self) -> str:
        """``Delay``, as IOS calls it."""
        return "Delay"

    def read(self, word: str) -> int:
        """The minutes."""
        hours, colon, minutes = word.rpartition(":")
        if not (_digits(minutes, 4) and (_digits(hours, 2) if colon else not hours)):
            raise ValueError(f"'{word}' is not a delay in minutes, or hours:minutes")
        delay = int(hours or 0) * 60 + int(minutes)
        if not 1 <= delay <= LONGEST_DELAY:
            raise ValueError(f"{word} is not between 1 and {LONGEST_DELAY} minutes")
        return delay


class _TimeOfDay(Token):
    """``HH:MM``. Its value is hour and minute."""

    @property
    def name(self) -> str:
        """``hh:mm``."""
        return "hh:mm"

    def read(self, word: str) -> tuple[int, int]:
        """Hour and minute."""
        hour, _, minute = word.partition(":")
        if not (_digits(hour, 2) and _digits(minute, 2) and int(hour) < 24 and int(minute) < 60):
            raise ValueError(f"'{word}' is not a time of day, 00:00 to 23:59")
        return int(hour), int(minute)


def _digits(text: str, most: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= most


_COPY = Keyword(text="copy", help="Copy a configuration")
_RUNNING = Keyword(text="running-config", help="The configuration in force")
_STARTUP = Keyword(text="startup-config", help="The configuration that the daemon starts with")
_FILE = UserPath(key="url", help="A file of yours")
_WRITE = Keyword(text="write", help="Store the running configuration")
_RELOAD = Keyword(text="reload", help="Restart the daemon")

PRIVILEGED: tuple[Command, ...] = (
    Runs(pattern=(_COPY, _RUNNING, _STARTUP), run=_copy_to_startup),
    Runs(pattern=(_COPY, _RUNNING, _FILE), run=_copy_running),
    Runs(pattern=(_COPY, _STARTUP, _RUNNING), run=lambda session, _values: storing.merge(session)),
    Runs(pattern=(_COPY, _STARTUP, _FILE), run=_copy_startup),
    Runs(
        pattern=(
            _WRITE,
            Optional(
                Either(
                    (Keyword(text="memory", help="Into the start-up file"),),
                    (Unsupported(text="network"),),
                )
            ),
        ),
        run=_write_memory,
    ),
    Runs(pattern=(_WRITE, Keyword(text="erase", help="Remove the start-up file")), run=_erase),
    Runs(pattern=(Keyword(text="erase", help="Remove the start-up file"), _STARTUP), run=_erase),
    Runs(
        pattern=(
            _RELOAD,
            Optional(
                Either(
                    (
                        Keyword(text="at", help="At a time of day"),
                        _TimeOfDay(key="at", help="The next such time"),
                    ),
                    (
                        Keyword(text="in", help="After some time"),
                        _Delay(key="minutes", help="mmm or hh:mm"),
                    ),
                )
            ),
        ),
        run=_reload,
    ),
    Runs(pattern=(_RELOAD, Keyword(text="cancel", help="Forget the restart that is scheduled")), run=_cancel),
)
