"""What conversations do with the start-up file: store, merge, confirm."""

from collections.abc import Generator, Iterator
from itertools import islice
from typing import Final

from cli.commands.configuration import configuration_lines
from cli.router import CommandRefused, Router, Storing
from cli.session import Conversation, Pause, Question, Session
from cli.tree import Rejected
from cli.when import dated
from snat.config.model import Configuration
from snat.status import Change

LOOK: Final = 0.01
"""Seconds between two looks at whether the disk is done."""
_LINES: Final = 64
"""That are made at once."""


def heading(change: Change | None, what: str = "Last configuration change") -> Iterator[str]:
    """``! Last configuration change at ... by USER``; nothing if there was none."""
    if change is not None:
        by = f" by {change.user}" if change.user else ""
        yield f"! {what} at {dated(change.at)}{by}"
        yield "!"


def store(session: Session) -> Conversation:
    """Write the running configuration into the start-up file."""
    router = session.router
    configuration = router.running_configuration()
    yield "Building configuration...\n"
    now = Change(at=router.machine.clock(), user=session.user)
    lines = [
        *("!", *heading(router.startup.last_change)),
        *heading(now, "Start-up configuration stored"),
    ]
    rest = configuration_lines(configuration)
    while batch := list(islice(rest, _LINES)):
        lines += batch
        yield ""
    yield from wait(router.startup.store("".join(f"{line}\n" for line in lines), configuration))
    yield "[OK]\n"


def erase(session: Session) -> Conversation:
    """Remove the start-up file, if the user is sure."""
    question = "Erasing the nvram filesystem will remove all configuration files! Continue? [confirm]"
    if not (yield from confirmed(question)):
        return
    yield from wait(session.router.startup.erase())
    yield "[OK]\nErase of nvram: complete\n"


def merge(session: Session) -> Conversation:
    """Add the lines of the start-up file to the running configuration, all that can be at once."""
    router = session.router
    stored = router.startup.read()
    if stored is None:
        raise Rejected("%Error opening startup-config: startup-config is not present")
    while True:
        before = router.running_configuration()
        configuration, left_out = yield from _read(stored.text, before)
        if router.running_configuration() == before:  # nobody else changed it meanwhile
            break
    if configuration != before:
        router.apply(configuration)
        router.startup.changed(session.user)
    if left_out:
        raise Rejected(f"% These lines were left out:\n{left_out.rstrip()}")
    yield f"{len(stored.text.encode())} bytes copied\n"


def _read(text: str, base: Configuration) -> Generator[str, str | None, tuple[Configuration, str]]:
    """The configuration with the lines of a text, and what of them could not be used."""
    from cli.configuration_file import format_problems, usable  # it reads files by the tree that we are in

    reading = usable(text, "startup-config", base)
    while True:
        try:
            next(reading)
        except StopIteration as done:
            configuration, problems = done.value
            return configuration, format_problems(problems)
        yield ""


def wait(storing: Storing) -> Conversation:
    """Until a disk has done what it was asked to. Raises :class:`CommandRefused`."""
    while not storing.done:
        yield Pause(LOOK)
    if storing.refusal:
        raise CommandRefused(storing.refusal)


def unsaved(router: Router) -> bool:
    """Whether a restart would lose something."""
    return not router.startup.is_stored(router.running_configuration())


def confirmed(question: str) -> Generator[Question, str | None, bool]:
    """Ask something that Enter or y confirms."""
    answer = yield Question(question)
    return (answer or "").strip().lower() in ("", "y", "yes")
